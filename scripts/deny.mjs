// npm run deny: licences, duplicate versions, sources and security advisories of the crates in Cargo.lock, by deny.toml.

import { checkRust, installProgram, toolPath } from './setup.mjs'
import { Problem, alone, main, run, say } from './tools.mjs'

const VERSION = '0.20.2'

async function deny() {
  checkRust()
  await alone('deny', 30, () =>
    installProgram({ program: 'cargo-deny', version: VERSION, duration: '4 minutes', args: ['--locked'] }),
  )
  const cargoDeny = (...args) => run(toolPath('cargo-deny'), args)
  const failed = []
  if ((await cargoDeny('check', 'licenses', 'bans', 'sources')) !== 0) failed.push('licences, bans or sources')
  // The database of advisories is on GitHub, which may be unreachable.
  const isFetched = (await cargoDeny('fetch', 'db')) === 0
  if (isFetched && (await cargoDeny('check', 'advisories')) !== 0) failed.push('advisories')
  const omitted = isFetched ? '' : '\nadvisories not checked: their database could not be fetched (see above).'
  if (failed.length > 0) throw new Problem(`Failed: ${failed.join('; ')}.${omitted}`)
  say(`The dependencies meet deny.toml.${omitted}`)
}

await main(import.meta.url, (args) => {
  if (args.length > 0) throw new Problem('npm run deny takes no options; deny.toml holds the rules.')
  return deny()
})
