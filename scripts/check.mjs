// npm run check -- FILE: says whether the worker would accept the rules in FILE, without running it.

import { checkRust } from './setup.mjs'
import { Problem, main, run, userPath } from './tools.mjs'

await main(import.meta.url, (args) => {
  if (args.length !== 1 || args[0].startsWith('-')) throw new Problem('Usage: npm run check -- FILE')
  checkRust()
  return run('cargo', ['run', '--quiet', '--example', 'check', '--', userPath(args[0])])
})
