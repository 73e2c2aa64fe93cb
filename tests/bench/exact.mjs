// Exact numbers, which are compared with recorded ones: calls between JavaScript and wasm, calls of KV, ledger and origin,
// sizes, and the instructions of pure functions.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { output } from '../../scripts/tools.mjs'
import { ARTICLE, checksHit, prepare, awaitTier, until } from './measure.mjs'
import { Worker } from './rig.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))

export const TOKEN = `token_${'b'.repeat(40)}`
/** The settings of the bench, for hits in a tier: 'cache-api' or 'memory'. */
export function policy(tier = 'cache-api') {
  const settings = JSON.parse(readFileSync(join(HERE, 'policy.json'), 'utf8'))
  settings.defaults.memory = tier === 'memory'
  return settings
}
export const workerFile = (name) => join(HERE, 'workers', name)
export const builtFiles = (build) => ['index.js', 'index_bg.wasm'].map((name) => join(build, name))

/** The recorded numbers, and the margins by which they may grow. */
export const recorded = () => JSON.parse(readFileSync(join(HERE, 'recorded.json'), 'utf8'))

/** Compares numbers with the recorded ones: `worse` is beyond the margin, `better` is below it and should be recorded. */
export function changes(kind, now) {
  const { margin, ...numbers } = recorded()[kind]
  const worse = []
  const better = []
  for (const [name, value] of Object.entries(now)) {
    const before = numbers[name]
    if (before === undefined) worse.push(`${kind}: ${name} is ${value}, but not recorded`)
    else if (value > before * (1 + margin)) worse.push(`${kind}: ${name} is ${value}; recorded: ${before}, margin ${margin * 100} %`)
    else if (value < before * (1 - margin)) better.push(`${kind}: ${name} is ${value}; recorded: ${before}`)
  }
  for (const name of Object.keys(numbers)) if (!(name in now)) worse.push(`${kind}: ${name} is recorded, but was not measured`)
  return { worse, better }
}

/** Compressed bytes of the built worker. */
export function sizes(build) {
  const [js, wasm] = builtFiles(build).map((path) => gzipSync(readFileSync(path)).length)
  return { js, wasm, together: js + wasm }
}

/**
 * The calls of one warm hit in a tier: between JavaScript and wasm in order (`<name` from wasm, `>name` into wasm), and to
 * KV, the ledger and the origin.
 */
export function hitCalls({ build, compatibility, path = ARTICLE, tier = 'cache-api' }) {
  return counting({ build, compatibility, tier }, async (worker, counted) => {
    await awaitTier(worker, path, tier)
    const hit = async () => {
      const answer = await worker.send(path)
      const problem = checksHit(worker, tier)(answer)
      if (problem) throw new Error(`${problem}\n${answer.head}\n${worker.log}`)
    }
    for (let n = 0; n < 20; n++) await hit()
    await counted()
    const { backends } = worker
    const before = { kv: backends.of('kv', 'GET'), origin: backends.of('origin', 'GET') }
    const samples = []
    for (let n = 0; n < ROUNDS; n++) {
      await hit()
      samples.push(await counted())
    }
    const calls = usualCalls(samples)
    return {
      calls,
      crossings: calls.length,
      kv: backends.of('kv', 'GET') - before.kv,
      origin: backends.of('origin', 'GET') - before.origin,
      ledger: samples.reduce((sum, { ledger }) => sum + ledger, 0),
    }
  })
}

/**
 * The calls between JavaScript and wasm of one miss that is stored in the Cache API after the response. Without a look at other
 * isolates: whether there is one depends on how long the requests before took.
 */
export function missCalls({ build, compatibility }) {
  const settings = policy()
  settings.defaults.collapse = 'isolate'
  return counting({ build, compatibility, settings }, async (worker, counted) => {
    const { backends } = worker
    let next = 0
    const miss = async () => {
      const puts = backends.of('cache', 'PUT')
      const { status, head } = await worker.send(`/blog/local/${next++}?b=2&a=1&utm_source=x`)
      if (status !== 200) throw new Error(`a miss failed:\n${head}\n${worker.log}`)
      await until(() => backends.of('cache', 'PUT') > puts, 'the stored response')
      // For the calls after the store.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (let n = 0; n < 20; n++) await miss()
    await counted()
    const samples = []
    for (let n = 0; n < ROUNDS; n++) {
      await miss()
      samples.push(await counted())
    }
    const calls = usualCalls(samples)
    return { calls, crossings: calls.length }
  })
}

/** Runs `measure` with a worker that counts its calls, and a function that returns and resets the counts. */
async function counting({ build, compatibility, tier = 'cache-api', settings = policy(tier) }, measure) {
  const modules = [workerFile('counted.js'), workerFile('counting.js'), ...builtFiles(build)]
  const worker = await Worker.start({ name: 'counted', modules, compatibility, settings, secrets: TOKEN })
  worker.isOurs = true
  try {
    await prepare(worker, TOKEN)
    return await measure(worker, async () => JSON.parse((await worker.send('/.counted')).text()))
  } finally {
    await worker.stop()
  }
}

/** The calls of most requests. A few also refresh the purge index after their response. */
function usualCalls(samples) {
  const orders = new Map()
  for (const { calls } of samples) {
    const order = calls.map(withoutHash).join(' ')
    orders.set(order, (orders.get(order) ?? 0) + 1)
  }
  const [order, times] = [...orders].sort(([, a], [, b]) => b - a)[0]
  if (times < samples.length * 0.9) throw new Error(`requests differ in their calls:\n${[...orders.keys()].join('\n')}`)
  return order.split(' ')
}

const ROUNDS = 50
// wasm-bindgen numbers its casts, such as from text to a JavaScript string; all other names end in a digest.
const withoutHash = (name) => name.replace(/_0{8}([0-9a-f]{8})$/, (_, number) => `_${Number.parseInt(number, 16)}`).replace(/_?h?[0-9a-f]{16}$/, '')

/** Growth of wasm memory by a long body that is sent to a client and stored in two tiers. */
export function wasmGrowth({ build, compatibility, bytes = 20_000_000 }) {
  return counting({ build, compatibility }, async (worker, counted) => {
    const { backends } = worker
    const before = (await counted()).memory_bytes
    const kept = backends.of('kv', 'PUT')
    await worker.send(`/big/${bytes}/1`)
    await until(() => backends.of('kv', 'PUT') > kept, 'the entry in KV')
    return (await counted()).memory_bytes - before
  })
}

/** Builds the native program of pure functions if necessary; returns its path. */
export function pureProgram() {
  const args = ['bench', '-p', 'edgekeep-bench', '--bench', 'pure', '--no-run', '--message-format=json']
  const lines = output('cargo', args)?.split('\n') ?? []
  const made = lines.map((line) => JSON.parse(line)).find(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'pure')
  if (!made?.executable) throw new Error('cargo bench -p edgekeep-bench --bench pure --no-run failed')
  return made.executable
}

export const hasValgrind = () => output('valgrind', ['--version']) !== undefined

/** Instructions of one call of each pure function: the difference of 300 and 100 calls, divided by 200. */
export function pureInstructions(program) {
  const names = output(program, []).split('\n')
  return Object.fromEntries(
    names.map((name) => {
      const [few, many] = [100, 300].map((rounds) => instructions(program, [name, String(rounds)]))
      return [name, Math.round((many - few) / 200)]
    }),
  )
}

function instructions(program, args) {
  const counting = ['--tool=callgrind', '--callgrind-out-file=/dev/null']
  const { status, stderr } = spawnSync('valgrind', [...counting, program, ...args], { encoding: 'utf8' })
  const [, count] = stderr.match(/Collected : (\d+)/) ?? []
  if (status !== 0 || count === undefined) throw new Error(`valgrind ${counting.join(' ')} ${program} ${args.join(' ')} failed:\n${stderr}`)
  return Number(count)
}

/** Microseconds of a call, natively: the difference of two runs, the fastest of five. */
export function pureMicroseconds(program, name, rounds = 50_000) {
  const run = (count) => {
    const began = process.hrtime.bigint()
    const { status, stderr } = spawnSync(program, [name, String(count)])
    if (status !== 0) throw new Error(`${program} ${name} failed:\n${stderr}`)
    return Number(process.hrtime.bigint() - began) / 1000
  }
  const fastest = (count) => Math.min(...Array.from({ length: 5 }, () => run(count)))
  return (fastest(rounds) - fastest(0)) / rounds
}

/** Bytes of a purge index of 100,000 selectors, natively. */
export const indexBytes = (program) => Number(output(program, ['index-bytes']))

export const hasBuild = (build) => builtFiles(build).every((path) => existsSync(path))
