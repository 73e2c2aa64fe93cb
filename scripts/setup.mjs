// Installs what the project needs, inside the project's folder where possible. Each step is skipped when it is already done.
//
// Only Node's own modules here: the first step is the one that installs the others.

import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, Problem, alone, atLeast, main, output, run, say } from './tools.mjs'

const NODE = '20.3.0'
export const WASM_TARGET = 'wasm32-unknown-unknown'

/** Built from source by cargo, because that needs no account, no GitHub and no trust in a stranger's binary. */
const WASM_BINDGEN = '0.2.130'

export const toolPath = (program) => join(ROOT, '.tools', 'bin', program)

/** Everything that `npm start`, `npm test` and `npx wrangler deploy` need. */
export async function setup() {
  checkNode()
  checkRust()
  checkWasmBindgenVersions()
  await alone('setup', 30, async () => {
    await installPackages()
    await addWasmTarget()
    await installWasmBindgen()
  })
}

/** Enough for native Rust code: the offline check of rules needs no more. */
export function checkRust() {
  const remedy = 'Install Rust with rustup (https://rustup.rs), open a new shell, and try again.'
  const [cargo, rustc] = ['cargo', 'rustc'].map((program) => output(program, ['--version']))
  if (!cargo || !rustc) throw new Problem(`${cargo ? 'rustc' : 'cargo'} is missing.\n${remedy}`)
  const [, wanted] = readFileSync(join(ROOT, 'Cargo.toml'), 'utf8').match(/^rust-version = "([^"]+)"/m) ?? []
  const version = rustc.match(/\d+\.\d+\.\d+/)?.[0]
  if (wanted && version && !atLeast(version, wanted)) {
    throw new Problem(`Rust ${wanted} or newer is needed; this is ${version}.\nrustup update stable`)
  }
  if (process.platform === 'win32' || output(process.env.CC || 'cc', ['--version']) !== undefined) return
  throw new Problem(
    'A C compiler is missing (`cc`): Rust links its programs with it.\n' +
      'Debian, Ubuntu: apt install build-essential. Fedora: dnf install gcc. macOS: xcode-select --install.',
  )
}

function checkNode() {
  if (atLeast(process.versions.node, NODE)) return
  throw new Problem(`Node.js ${NODE} or newer is needed; this is ${process.versions.node}.\nGet one from https://nodejs.org.`)
}

/** wasm-bindgen refuses code that was compiled against another version of itself. */
function checkWasmBindgenVersions() {
  const lock = join(ROOT, 'Cargo.lock')
  if (!existsSync(lock)) return
  const [, crate] = readFileSync(lock, 'utf8').match(/name = "wasm-bindgen"\nversion = "([^"]+)"/) ?? []
  const tool = WASM_BINDGEN
  if (crate === undefined || crate === tool) return
  throw new Problem(
    `Cargo.lock has wasm-bindgen ${crate}, but the project builds with wasm-bindgen-cli ${tool}; the two must be equal.\n` +
      `Either run: cargo update -p wasm-bindgen --precise ${tool}\n` +
      'or change the version in Cargo.toml and in scripts/setup.mjs together.',
  )
}

async function installPackages() {
  const wanted = join(ROOT, 'package-lock.json')
  const installed = join(ROOT, 'node_modules', '.package-lock.json')
  if (existsSync(installed) && statSync(wanted).mtimeMs <= statSync(installed).mtimeMs) return
  say('Installing npm packages (about a minute the first time) ...')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  // --include=dev: NODE_ENV=production would otherwise leave out all of them.
  const code = await run(npm, ['ci', '--include=dev', '--no-audit', '--no-fund'], { quiet: true })
  if (code !== 0) throw new Problem('npm ci failed (its messages are above).\nCheck the connection to the npm registry and try again.')
}

async function addWasmTarget() {
  const folder = output('rustc', ['--print', 'target-libdir', '--target', WASM_TARGET])
  if (folder && existsSync(folder)) return
  if (output('rustup', ['--version']) === undefined) {
    throw new Problem(
      `Rust's standard library for ${WASM_TARGET} is missing, and so is rustup, which could add it.\n` +
        `Install rustup (https://rustup.rs), or your system's package of that library.`,
    )
  }
  say(`Adding Rust's standard library for ${WASM_TARGET} ...`)
  if ((await run('rustup', ['target', 'add', WASM_TARGET], { quiet: true })) !== 0) {
    throw new Problem(`rustup target add ${WASM_TARGET} failed (its messages are above).\nCheck the connection and try again.`)
  }
}

async function installWasmBindgen() {
  if (output(toolPath('wasm-bindgen'), ['--version']) === `wasm-bindgen ${WASM_BINDGEN}`) return
  say(`Compiling wasm-bindgen ${WASM_BINDGEN}: about 4 minutes on two cores, the first time only.`)
  const target = join('.tools', 'build')
  // Not --locked: its lock file names a version that was withdrawn from the registry.
  const args = ['install', 'wasm-bindgen-cli', '--version', WASM_BINDGEN, '--root', '.tools', '--target-dir', target, '--force']
  if ((await run('cargo', args, { quiet: true })) !== 0) {
    throw new Problem(
      'cargo install wasm-bindgen-cli failed (its messages are above).\n' +
        'If it asks for a newer Rust: rustup update stable. Otherwise check the connection to crates.io and try again.',
    )
  }
  rmSync(join(ROOT, target), { recursive: true, force: true }) // a gigabyte that nobody needs again
}

await main(import.meta.url, async () => {
  await setup()
  say('Everything is in place.')
})
