// npm run lint: format, lints for both targets, the documentation of the source, and the tests of the house (links and commands of the
// documents, the structure of the source). Every step runs even if an earlier one failed.

import { setup } from './setup.mjs'
import { Problem, main, run, say } from './tools.mjs'

const STEPS = [
  { args: ['fmt', '--all', '--check'] },
  { args: ['clippy', '--quiet', '--workspace', '--all-targets', '--features', 'edgekeep/cli', '--', '-D', 'warnings'] },
  { args: ['clippy', '--quiet', '--target', 'wasm32-unknown-unknown', '--', '-D', 'warnings'] },
  { args: ['doc', '--quiet', '--workspace', '--no-deps', '--features', 'edgekeep/cli'], env: { RUSTDOCFLAGS: '-D warnings -A rustdoc::private_intra_doc_links' } },
  { args: ['test', '--quiet', '--test', 'house'] },
]

async function lint() {
  await setup()
  const failed = []
  for (const { args, env } of STEPS) {
    const command = [...Object.entries(env ?? {}).map(([name, value]) => `${name}='${value}'`), 'cargo', ...args].join(' ')
    say(`${command} ...`)
    if ((await run('cargo', args, { env })) !== 0) failed.push(command)
  }
  if (failed.length > 0) throw new Problem(`Failed:\n${failed.map((command) => `  ${command}`).join('\n')}`)
}

await main(import.meta.url, (args) => {
  if (args.length > 0) throw new Problem('npm run lint takes no options.')
  return lint()
})
