// Builds the worker into build/ by cargo, wasm-bindgen, wasm-opt and esbuild. Downloads nothing. wrangler runs this script
// too (see wrangler.toml), so it must never call wrangler.

import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { WASM_TARGET, setup, toolPath } from './setup.mjs'
import { ROOT, Problem, alone, main, output, run, say } from './tools.mjs'

const BUILD = join(ROOT, 'build')
const STAMP = join(BUILD, '.stamp')
const STAGE = join(BUILD, 'stage')
const OUTPUTS = ['build/index.js', 'build/index_bg.wasm', 'build/dashboard.js']
/** The command's sources, which the worker's build leaves out. */
const COMMAND = ['src/bin', 'src/cli']
const INPUTS = ['src', 'Cargo.toml', 'Cargo.lock', 'package-lock.json', 'scripts/build.mjs', 'scripts/setup.mjs']

/** Builds unless the worker in build/ is up to date with the sources. */
export async function build({ force = false } = {}) {
  await setup()
  await alone('build', 15, async () => {
    // Compares digests, not file times: a checkout or a copy changes the times of unchanged files.
    const inputs = digest(INPUTS)
    if (!force && isUpToDate(inputs)) return
    say('Building the worker (about two minutes the first time) ...')
    rmSync(STAGE, { recursive: true, force: true })
    await bind(await compile())
    await optimize()
    await bundle()
    await bundleDashboard()
    rmSync(STAGE, { recursive: true, force: true })
    await checkThatItLoads()
    writeFileSync(STAMP, JSON.stringify({ inputs, outputs: digest(OUTPUTS) }))
    say(`The worker is built: ${sizes()}.`)
  })
}

async function step(name, command, args, options) {
  if ((await run(command, args, { quiet: true, ...options })) !== 0) throw new Problem(`${name} failed (its messages are above).`)
}

/** Path of a program from npm. */
function program(name) {
  const path = join(ROOT, 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name)
  if (!existsSync(path)) throw new Problem(`${path} is missing.\nRemove node_modules and run: npm run setup`)
  return path
}

/** Compiles Rust to wasm; returns the path of the wasm. */
async function compile() {
  // SHA-256 in a loop, not unrolled: unrolled it is a fourteenth of the code that delays the first request, and a hit takes one
  // digest.
  // Functions are inlined up to a tenth of the usual cost (225).
  const flags = { CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: '--cfg sha2_backend_soft="compact" -Cllvm-args=-inline-threshold=20' }
  await step('cargo build', 'cargo', ['build', '--release', '--lib', '--target', WASM_TARGET], { env: flags })
  const { target_directory: target } = JSON.parse(output('cargo', ['metadata', '--format-version=1', '--no-deps']))
  return join(target, WASM_TARGET, 'release', 'edgekeep.wasm')
}

/** Generates the JavaScript for the wasm, with a function that creates a new instance (src/cloudflare/js/worker.js). */
async function bind(wasm) {
  const args = ['--target', 'module', '--experimental-reset-state-function', '--no-typescript', '--out-name', 'index', '--out-dir', STAGE, wasm]
  await step('wasm-bindgen', toolPath('wasm-bindgen'), args)
}

async function optimize() {
  const path = join(STAGE, 'index_bg.wasm')
  // The features that rustc and wasm-bindgen use, by name, so that wasm-opt adds none that the runtime lacks.
  const features = ['mutable-globals', 'sign-ext', 'nontrapping-float-to-int', 'bulk-memory', 'multivalue', 'reference-types', 'exception-handling']
  const enabled = features.map((name) => `--enable-${name}`)
  // Addresses below 1024 are the end of the stack, to which no pointer refers, so that offsets can be folded into loads.
  // Functions of like names have like code: side by side they are compressed better, by 2 %.
  await step('wasm-opt', program('wasm-opt'), ['-Oz', '--converge', '--low-memory-unused', ...enabled, '-g', '--reorder-functions-by-name', path, '-o', path])
  // Drops names: they are a fifth of the upload, and only of use for a debugger.
  await step('wasm-opt', program('wasm-opt'), [...enabled, path, '-o', join(BUILD, 'index_bg.wasm')])
}

/** Bundles all JavaScript into one module, whose entry is src/cloudflare/js/worker.js. */
async function bundle() {
  const generated = join(STAGE, 'index.js')
  // esbuild and some runtimes do not support `import source`; an import of a wasm file is equivalent here.
  const script = readFileSync(generated, 'utf8').replace('import source ', 'import ')
  writeFileSync(generated, withoutRepeatedModules(script))
  copyFileSync(join(ROOT, 'src', 'cloudflare', 'js', 'worker.js'), join(STAGE, 'worker.js'))
  const [glue] = readdirSync(join(STAGE, 'snippets')).filter((name) => name.startsWith('edgekeep-'))
  const args = [
    './worker.js',
    '--bundle',
    '--format=esm',
    '--minify',
    '--alias:edgekeep-wasm=./index.js',
    `--alias:edgekeep-glue=./snippets/${glue}/src/cloudflare/js/glue.js`,
    '--external:./index_bg.wasm',
    '--external:./dashboard.js',
    '--external:cloudflare:*',
    `--outfile=${join(BUILD, 'index.js')}`,
    '--allow-overwrite',
    '--log-level=warning',
  ]
  await step('esbuild', program('esbuild'), args, { cwd: STAGE })
}

/** Bundles the files of the dashboard into one module, which the worker loads when the page is asked for. */
async function bundleDashboard() {
  const source = join(ROOT, 'src', 'dashboard')
  const out = join(STAGE, 'dashboard')
  const entries = ['app.js', 'style.css'].map((name) => join(source, name))
  await step('esbuild', program('esbuild'), [...entries, '--bundle', '--format=esm', '--minify', '--legal-comments=inline', `--outdir=${out}`, '--log-level=warning'])
  const licence = readFileSync(join(ROOT, 'node_modules', 'uplot', 'LICENSE'), 'utf8')
  const files = {
    '': readFileSync(join(source, 'index.html'), 'utf8'),
    'app.js': `/*! With the chart library uPlot.\n${licence} */\n${readFileSync(join(out, 'app.js'), 'utf8')}`,
    'style.css': readFileSync(join(out, 'style.css'), 'utf8'),
  }
  writeFileSync(join(BUILD, 'dashboard.js'), `export const files = ${JSON.stringify(files)}\n`)
}

/**
 * The script without repeated keys in the object of imported modules. wasm-bindgen writes the same key once for each import
 * statement of a module; esbuild and wrangler warn about that.
 */
function withoutRepeatedModules(script) {
  const seen = new Set()
  return script.replace(/^\s*("[^"\n]+"): import\d+,\n/gm, (line, name) => {
    if (seen.has(name)) return ''
    seen.add(name)
    return line
  })
}

/** Whether the worker in build/ is up to date with the sources. */
export const isBuilt = () => isUpToDate(digest(INPUTS))

function isUpToDate(inputs) {
  try {
    const stamp = JSON.parse(readFileSync(STAMP, 'utf8'))
    return stamp.inputs === inputs && stamp.outputs === digest(OUTPUTS)
  } catch {
    return false
  }
}

/** One digest of the names and contents of all these files and folders; a missing one counts as empty. */
function digest(paths) {
  const hash = createHash('sha256')
  for (const file of paths.flatMap(filesIn)) {
    const content = readFileSync(join(ROOT, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

function filesIn(path) {
  if (!existsSync(join(ROOT, path)) || COMMAND.includes(path)) return []
  try {
    return readdirSync(join(ROOT, path)).sort().flatMap((name) => filesIn(`${path}/${name}`))
  } catch (error) {
    if (error.code !== 'ENOTDIR') throw error
    return [path]
  }
}

/** Checks that workerd can load the build, so that an error does not appear at the first request or in the deployment. */
async function checkThatItLoads() {
  const missing = OUTPUTS.filter((path) => !existsSync(join(ROOT, path)))
  if (missing.length > 0) throw new Problem(`all steps ended well, but did not make ${missing.join(' and ')}.`)
  const { startWorker } = await import('./workerd.mjs')
  const log = []
  try {
    const worker = await startWorker({ rules: {}, onLog: (line) => log.push(line) })
    await worker.stop()
  } catch (error) {
    throw new Problem(`workerd cannot load the built worker: ${error.message}\n${log.slice(0, 20).join('\n')}`)
  }
}

function sizes() {
  return OUTPUTS.map((path) => {
    const bytes = readFileSync(join(ROOT, path))
    const kib = (length) => `${Math.round(length / 1024)} KiB`
    return `${path} ${kib(bytes.length)} (${kib(gzipSync(bytes).length)} compressed)`
  }).join(', ')
}

await main(import.meta.url, (args) => {
  const unknown = args.find((arg) => arg !== '--force')
  if (unknown) throw new Problem(`Unknown option ${unknown}. Usage: npm run build [-- --force]`)
  mkdirSync(BUILD, { recursive: true })
  return build({ force: args.includes('--force') })
})
