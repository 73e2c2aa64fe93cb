// Builds the worker into build/ with nothing but what setup installed: worker-build would otherwise download its helpers.
// wrangler runs this too (see wrangler.toml), so it must never call wrangler.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { setup, toolPath } from './setup.mjs'
import { ROOT, Problem, alone, main, run, say } from './tools.mjs'

const BUILD = join(ROOT, 'build')
const STAMP = join(BUILD, '.stamp')
const OUTPUTS = ['build/index.js', 'build/index_bg.wasm']
const INPUTS = ['src', 'Cargo.toml', 'Cargo.lock', 'package-lock.json', 'scripts/build.mjs', 'scripts/setup.mjs']

/** Builds unless the worker in build/ is already made of the sources as they are. */
export async function build({ force = false } = {}) {
  await setup()
  await alone('build', 15, async () => {
    // Digests, not file times: a checkout or a copy changes the times of files that did not change.
    const inputs = digest(INPUTS)
    if (!force && isUpToDate(inputs)) return
    say('Building the worker (about two minutes the first time) ...')
    const code = await run(toolPath('worker-build'), ['--release'], { env: helpers(), quiet: true })
    if (code !== 0) throw new Problem('worker-build failed (its messages are above).')
    dropFunctionNames(join(BUILD, 'index_bg.wasm'))
    await checkThatItLoads()
    writeFileSync(STAMP, JSON.stringify({ inputs, outputs: digest(OUTPUTS) }))
    say(`The worker is built: ${sizes()}.`)
  })
}

/** worker-build takes these programs from here instead of downloading them. */
function helpers() {
  const bin = (name) => join(ROOT, 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name)
  const programs = {
    WASM_BINDGEN_BIN: toolPath('wasm-bindgen'),
    WASM_OPT_BIN: bin('wasm-opt'),
    ESBUILD_BIN: bin('esbuild'),
  }
  for (const path of Object.values(programs)) {
    if (!existsSync(path)) throw new Problem(`${path} is missing.\nRemove node_modules and run: npm run setup`)
  }
  return programs
}

function isUpToDate(inputs) {
  try {
    const stamp = JSON.parse(readFileSync(STAMP, 'utf8'))
    return stamp.inputs === inputs && stamp.outputs === digest(OUTPUTS)
  } catch {
    return false
  }
}

/** One digest of the names and contents of all these files and folders; one that is not there counts as empty. */
function digest(paths) {
  const hash = createHash('sha256')
  for (const file of paths.flatMap(filesIn)) {
    const content = readFileSync(join(ROOT, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

function filesIn(path) {
  if (!existsSync(join(ROOT, path))) return []
  try {
    return readdirSync(join(ROOT, path)).sort().flatMap((name) => filesIn(`${path}/${name}`))
  } catch (error) {
    if (error.code !== 'ENOTDIR') throw error
    return [path]
  }
}

/**
 * worker-build keeps the names of all functions in the wasm: a fifth of what is uploaded and loaded, of use only to a
 * debugger. They are one custom section, called "name"; this writes all others back.
 */
function dropFunctionNames(path) {
  const wasm = readFileSync(path)
  const kept = [wasm.subarray(0, 8)]
  for (let at = 8; at < wasm.length; ) {
    const [length, body] = readNumber(wasm, at + 1)
    const end = body + length
    if (end > wasm.length) throw new Problem(`${path} is not a whole WebAssembly module.`)
    if (!(wasm[at] === 0 && customName(wasm, body) === 'name')) kept.push(wasm.subarray(at, end))
    at = end
  }
  writeFileSync(path, Buffer.concat(kept))
}

function customName(wasm, at) {
  const [length, start] = readNumber(wasm, at)
  return wasm.toString('utf8', start, start + length)
}

/** An unsigned LEB128 number, and where the next byte is. */
function readNumber(bytes, at) {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++]
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return [value, at]
  }
  throw new Problem('The built WebAssembly module is damaged.')
}

/** A build that workerd cannot load should fail here, not at the first request or in the deployment. */
async function checkThatItLoads() {
  const missing = OUTPUTS.filter((path) => !existsSync(join(ROOT, path)))
  if (missing.length > 0) throw new Problem(`worker-build ended well, but did not make ${missing.join(' and ')}.`)
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
