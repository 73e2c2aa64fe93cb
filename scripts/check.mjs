// npm run check -- FILE [URL…]: the command `edgekeep check`, built here. It says whether the worker would accept the rules in FILE, without running it, and what they
// (and their profile) mean for URLs.

import { checkRust } from './setup.mjs'
import { Problem, main, run, userPath } from './tools.mjs'

await main(import.meta.url, (args) => {
  if (args.length < 1 || args.some((word) => word.startsWith('-'))) throw new Problem('Usage: npm run check -- FILE [URL ...]')
  const [file, ...urls] = args
  checkRust()
  return run('cargo', ['run', '--quiet', '--features', 'cli', '--bin', 'edgekeep', '--', 'check', userPath(file), ...urls])
})
