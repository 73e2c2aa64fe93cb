// Sends the rows of a log through the worker, in order for each target, several targets at a time, and checks responses.

import http from 'node:http'
import { cacheStatus, details, tierOf } from './cache-status.mjs'
import { normalize } from './log.mjs'
import { answerOf, bodyOf, pageSizes, readBody } from './origin.mjs'

const HOST = 'blog.example'
const TIMEOUT_MS = 30_000
/** Time for the store after a response. In the log seconds pass between two requests for a page, but not in the replay. */
const SETTLE_MS = 60

/**
 * @param {import('./log.mjs').Row[]} rows
 * @param {{url: string, origin: import('./origin.mjs').ReplayOrigin, concurrency: number, speed: number,
 *   onProgress: (done: number) => void}} options `speed`: seconds of the log a second; Infinity: as fast as possible
 */
export async function replay(rows, { url, origin, concurrency, speed, onProgress }) {
  const sizes = pageSizes(rows)
  const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency })
  const tally = newTally()
  const lastOf = new Map()
  const running = new Set()
  const began = Date.now()
  let done = 0
  try {
    for (const row of rows) {
      if (running.size >= concurrency) await Promise.race(running)
      if (speed !== Infinity) await sleep((row.seconds / speed) * 1000 - (Date.now() - began))
      const before = lastOf.get(row.key)
      const exchange = (async () => {
        await before
        origin.expect(row, answerOf(row, sizes, origin.lifetime))
        const answer = await ask(url, agent, row).catch((error) => ({ error }))
        const stored = count(tally, row, answer, origin)
        onProgress((done += 1))
        return stored
      })()
      lastOf.set(row.key, exchange.then((stored) => (stored ? sleep(SETTLE_MS) : undefined)))
      const entry = exchange.finally(() => running.delete(entry))
      running.add(entry)
    }
    await Promise.all(running)
  } finally {
    agent.destroy()
  }
  return { ...tally, seconds: (Date.now() - began) / 1000 }
}

function newTally() {
  return {
    answers: 0, reads: 0, passed: 0, hits: 0, byTier: { memory: 0, 'cache-api': 0, kv: 0 }, stale: 0, misses: 0, unstored: 0,
    bodyBytes: 0, savedBytes: 0, otherStatus: 0, olderVersion: 0, wrong: [], wrongCount: 0,
  }
}

function ask(url, agent, row) {
  const { hostname, port } = new URL(url)
  const headers = { Host: HOST, 'User-Agent': row.userAgent, Accept: '*/*', ...(row.reads ? {} : { 'Content-Length': 0 }) }
  return new Promise((resolve, reject) => {
    const request = http.request({ host: hostname, port, agent, method: row.method, path: row.target, headers, timeout: TIMEOUT_MS })
    request.on('timeout', () => request.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)))
    request.on('error', reject)
    request.on('response', (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }))
    })
    request.end()
  })
}

/** Adds one response to the numbers; returns whether the worker is storing it. */
function count(tally, row, answer, origin) {
  tally.answers += 1
  const fault = faultOf(row, answer, origin)
  if (fault) {
    tally.wrongCount += 1
    if (tally.wrong.length < 20) tally.wrong.push(`${row.method} ${row.target}: ${fault}`)
  }
  if (answer.error) return false
  const status = cacheStatus(answer.headers['cache-status'])
  tally.bodyBytes += answer.body.length
  if (!row.reads) {
    tally.passed += 1
    return false
  }
  tally.reads += 1
  if (!status?.has('hit')) {
    const stored = status?.has('stored') ?? false
    tally.misses += 1
    if (!stored) tally.unstored += 1
    return stored
  }
  tally.hits += 1
  const tier = tierOf(status)
  if (tier) tally.byTier[tier] += 1
  if (Number(status.get('ttl')) <= 0 || details(status).some((part) => part.startsWith('stale'))) tally.stale += 1
  tally.savedBytes += answer.body.length
  // The log may have another response since the page was stored; within its lifetime that is correct.
  if (answer.status !== answerOf(row, new Map()).status) tally.otherStatus += 1
  const said = readBody(answer.body)
  if (said && said.version < origin.version(said.target)) tally.olderVersion += 1
  return tier === 'kv' // it is copied to the Cache API
}

/** The error in a response, or undefined. */
function faultOf(row, answer, origin) {
  if (answer.error) return `no answer: ${answer.error.message}`
  const target = answer.headers['x-replay-target']
  if (target === undefined) return `status ${answer.status}, not from the origin: ${answer.body.toString('latin1', 0, 120)}`
  if (normalize(target) !== row.key) return `the head belongs to ${target}`
  if (row.method === 'HEAD') return answer.body.length === 0 ? undefined : 'HEAD was answered with a body'
  const said = readBody(answer.body)
  if (said?.target !== target) return `the body belongs to ${said?.target ?? 'nothing'}, the head to ${target}`
  if (said.version > origin.version(target)) return `version ${said.version} was never handed out`
  if (Number(answer.headers['content-length'] ?? answer.body.length) !== answer.body.length) return 'the body is not as long as announced'
  if (!answer.body.equals(bodyOf(said.target, said.version, answer.body.length))) return 'the body is damaged'
  return undefined
}

function sleep(milliseconds) {
  return milliseconds > 0 ? new Promise((resolve) => setTimeout(resolve, milliseconds)) : undefined
}
