// npm run check -- FILE [URL…]: a short cut to `edgekeep check`, built from here. It says whether the worker would accept the
// rules in FILE, and what they (and their profile) mean for URLs.

import { checkRust } from './setup.mjs'
import { Problem, main, run, userPath } from './tools.mjs'

await main(import.meta.url, (args) => {
  if (args.length < 1 || args.some((word) => word.startsWith('-'))) throw new Problem('Usage: npm run check -- FILE [URL ...]')
  const [file, ...urls] = args
  checkRust()
  return run('cargo', ['run', '--quiet', '--features', 'cli', '--bin', 'edgekeep', '--', 'check', userPath(file), ...urls])
})
