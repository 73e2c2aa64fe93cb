// The effect of aborted requests on other requests: response times before and during a load of requests that are reset while
// the origin handles them, and the growth of memory.

import { createConnection } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Worker as Thread, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { TOKEN, builtFiles, policy, workerFile } from './exact.mjs'
import { ARTICLE, prepare } from './measure.mjs'
import { Worker } from './rig.mjs'

const REQUESTS_A_SECOND = 100
/** Time between a request and its reset, so that it has reached the worker and may have reached the origin. */
const RESET_AFTER_MS = 20
const MEMORY_WORKER = ['worker.js', 'watching.js'].map((name) => fileURLToPath(new URL(`../workerd/disconnect/${name}`, import.meta.url)))

/** One client, or all behind one address. */
const CLIENT = 'Host: www.example.com\r\nCF-Connecting-IP: 198.51.100.9'

/** A miss that takes 2 s, and requests to an origin that never responds: a bypass with a session, a HEAD, an incomplete upload. */
const HEADS = [
  (n) => `GET /slow/2000/${n} HTTP/1.1\r\n${CLIENT}\r\n\r\n`,
  (n) => `GET /never/${n} HTTP/1.1\r\n${CLIENT}\r\nCookie: sessionid=${n}\r\nX-Long: ${'x'.repeat(8000)}\r\n\r\n`,
  (n) => `HEAD /never/${n} HTTP/1.1\r\n${CLIENT}\r\n\r\n`,
  (n) => `PUT /never/${n} HTTP/1.1\r\n${CLIENT}\r\nContent-Length: 9\r\n\r\nhalf`,
]

/** Starters of the two workers that are compared: the built one, and the usual recipe in JavaScript, which has no wasm. */
const STARTERS = {
  edgekeep: (build, compatibility) => Worker.start({ name: 'aborts', modules: [...MEMORY_WORKER, ...builtFiles(build)], compatibility, settings: policy(), secrets: TOKEN }),
  recipe: (build, compatibility) => Worker.start({ name: 'aborts-recipe', modules: ['recipe-pass.js', 'recipe.js'].map(workerFile), compatibility }),
}

/**
 * Measures readers of each worker in turn, and returns their figures by the worker's name. The recipe shows what the runtime
 * itself costs: its garbage collector stops all requests of an isolate at once, in any worker.
 */
export async function aborts({ build, compatibility, ...plan }) {
  const found = {}
  for (const [name, start] of Object.entries(STARTERS)) {
    const worker = await start(build, compatibility)
    worker.isOurs = name === 'edgekeep'
    try {
      await prepare(worker, TOKEN)
      found[name] = await measure(worker, plan)
    } finally {
      await worker.stop()
    }
  }
  return found
}

/**
 * Measures requests for `calm` seconds, then during `rate` resets a second: for `warm` seconds, after which the tables of an
 * isolate have their maximum size, and for `seconds` more, over which the growth of memory is measured.
 */
async function measure(worker, { calm = 20, warm = 180, seconds = 60, rate = 200 }) {
  const memory = async () => ({
    wasm: worker.isOurs ? Number((await worker.send('/.memory')).text()) : 0,
    process: worker.memory('VmRSS') * 1024,
  })
  await responseTimes(worker, 10)
  const before = await responseTimes(worker, calm)
  const thread = new Thread(new URL(import.meta.url), { workerData: { port: worker.port, rate } })
  const sent = new Promise((resolve) => thread.once('message', resolve))
  const first = await responseTimes(worker, warm)
  const start = await memory()
  const during = await responseTimes(worker, seconds)
  const end = await memory()
  thread.postMessage('stop')
  const resets = await sent
  await thread.terminate()
  const all = [...first, ...during]
  const times = (share) => ({ before: percentile(before, share), during: percentile(all, share) })
  return {
    resetsASecond: resets / (warm + seconds),
    median: times(0.5),
    p95: times(0.95),
    p99: times(0.99),
    wasmGrowthBytes: end.wasm - start.wasm,
    processGrowthBytes: end.process - start.process,
  }
}

let misses = 0

/** Response times in milliseconds; one of ten requests is a miss, the others are hits. */
async function responseTimes(worker, seconds) {
  const times = []
  const one = async (path) => {
    const began = performance.now()
    const { status, head } = await worker.send(path)
    if (status !== 200) throw new Error(`a request got ${head}\n${worker.log}`)
    times.push(performance.now() - began)
  }
  const inFlight = []
  const end = performance.now() + seconds * 1000
  for (let n = 0; performance.now() < end; n++) {
    inFlight.push(one(n % 10 === 0 ? `/blog/local/reader-${misses++}` : ARTICLE))
    await new Promise((resolve) => setTimeout(resolve, 1000 / REQUESTS_A_SECOND))
  }
  await Promise.all(inFlight)
  return times
}

function percentile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** Runs in its own thread, so that it does not delay the requests that are measured. */
function reset({ port, rate }) {
  let sent = 0
  const began = performance.now()
  const timer = setInterval(() => {
    while (sent < ((performance.now() - began) / 1000) * rate) {
      const n = sent++
      const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
      socket.on('error', () => {})
      socket.once('connect', () => {
        socket.write(HEADS[n % HEADS.length](n))
        setTimeout(() => socket.resetAndDestroy(), RESET_AFTER_MS)
      })
    }
  }, 5)
  parentPort.once('message', () => {
    clearInterval(timer)
    parentPort.postMessage(sent)
  })
}

if (!isMainThread && workerData?.rate) reset(workerData)
