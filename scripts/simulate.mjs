// npm run simulate -- --seeds N [--first F] [--seed S] [--only purges|storms|attacks] [--without DEFENCE]: runs simulated worlds,
// many more than `cargo test` (tests/kit/simulation/README.md).

import { checkRust } from './setup.mjs'
import { main, run } from './tools.mjs'

await main(import.meta.url, (args) => {
  checkRust()
  return run('cargo', ['run', '--quiet', '--release', '-p', 'testkit', '--bin', 'simulate', '--', ...args])
})
