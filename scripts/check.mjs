// npm run check -- FILE [URL…]: checks the rules in FILE without running the worker, and prints which rules (with their
// profile) apply to URLs.

import { checkRust } from './setup.mjs'
import { Problem, main, run, userPath } from './tools.mjs'

await main(import.meta.url, (args) => {
  if (args.length < 1 || args.some((word) => word.startsWith('-'))) throw new Problem('Usage: npm run check -- FILE [URL ...]')
  const [file, ...urls] = args
  checkRust()
  return run('cargo', ['run', '--quiet', '--example', 'check', '--', userPath(file), ...urls])
})
