// Installs the requirements of the project, inside its folder where possible. Skips steps that are done.
//
// Imports only Node's own modules: the first step installs the others.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, Problem, alone, atLeast, main, output, run, say, untilStopped } from './tools.mjs'

/** The oldest Node.js that this script runs on. */
const NODE = '20.3.0'
/** The oldest that wrangler and Miniflare run on. npm installs a newer one into node_modules. */
const NODE_OF_TOOLS = '22.12.0'
export const WASM_TARGET = 'wasm32-unknown-unknown'

const WASM_BINDGEN = '0.2.130'

export const toolPath = (program) => join(ROOT, '.tools', 'bin', program)

/** Installs the requirements of `npm start`, `npm test` and `npx wrangler deploy`. */
export async function setup() {
  checkNode()
  checkRust()
  checkWasmBindgenVersions()
  await alone('setup', 30, async () => {
    await installPackages()
    await addWasmTarget()
    await installWasmBindgen()
  })
  if (!atLeast(process.versions.node, NODE_OF_TOOLS)) await handOver()
}

/** Checks the requirements of native Rust code, which are enough for the offline check of rules. */
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

/**
 * Starts the running script again with the Node.js that npm installed, and exits with its exit code. npm scripts and `npx`
 * find that Node.js first, so this happens only before it is installed, or without npm.
 */
async function handOver() {
  const node = installedNode()
  if (node === undefined) {
    throw new Problem(
      `wrangler and Miniflare need Node.js ${NODE_OF_TOOLS} or newer; this is ${process.versions.node}, and npm has none for ` +
        `${process.platform} on ${process.arch}.\nGet one from https://nodejs.org.`,
    )
  }
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' })
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve(code ?? 1)))
  untilStopped().then(() => child.kill())
  process.exit(await ended)
}

/** The Node.js of package.json's `optionalDependencies`: npm installs the one for this platform. */
function installedNode() {
  const { optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const program = process.platform === 'win32' ? 'node.exe' : 'node'
  const paths = Object.keys(optionalDependencies).map((name) => join(ROOT, 'node_modules', name, 'bin', program))
  return paths.find((path) => existsSync(path))
}

/** wasm-bindgen refuses code that was compiled for another version of it. */
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
  // --include: otherwise NODE_ENV=production or a setting of npm may omit them. --loglevel: npm warns that some packages need a
  // newer Node.js than the one of npm, which does not run them.
  const args = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--loglevel=error', '--no-audit', '--no-fund']
  const code = await run(npm, args, { quiet: true })
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

/** Installs only the program that the build uses: the test runner's HTTP client and TLS are half of the code. */
const installWasmBindgen = () =>
  installProgram({
    program: 'wasm-bindgen',
    version: WASM_BINDGEN,
    crate: 'wasm-bindgen-cli',
    duration: '2 minutes',
    // Not --locked: its lock file has a version that was yanked from the registry.
    args: ['--no-default-features', '--bin', 'wasm-bindgen'],
  })

/**
 * Compiles a program from crates.io into .tools unless it is installed. From source, because that needs no account, no GitHub
 * and no trust in a third-party binary; with few optimizations, because it runs for seconds.
 */
export async function installProgram({ program, version, crate = program, duration, args = [] }) {
  if (output(toolPath(program), ['--version']) === `${program} ${version}`) return
  say(`Compiling ${crate} ${version}: about ${duration} on two cores, the first time only.`)
  const target = join('.tools', `build-${program}`)
  const profile = { OPT_LEVEL: '0', LTO: 'off', CODEGEN_UNITS: '16' }
  const env = Object.fromEntries(Object.entries(profile).map(([name, value]) => [`CARGO_PROFILE_RELEASE_${name}`, value]))
  const command = ['install', crate, '--version', version, ...args, '--root', '.tools', '--target-dir', target, '--force']
  if ((await run('cargo', command, { quiet: true, env })) !== 0) {
    throw new Problem(
      `cargo install ${crate} failed (its messages are above).\n` +
        'If it asks for a newer Rust: rustup update stable. Otherwise check the connection to crates.io and try again.',
    )
  }
  rmSync(join(ROOT, target), { recursive: true, force: true }) // up to a gigabyte, which is not needed again
}

await main(import.meta.url, async () => {
  await setup()
  say('Everything is in place.')
})
