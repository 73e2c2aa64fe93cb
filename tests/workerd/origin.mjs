// The origin of the tests: responds by the plans of a test, records requests, and can fail as origins do. Tests and stories
// share an origin: each has its own host, which arrives in X-Forwarded-Host.

import http from 'node:http'
import { pairs } from './wire.mjs'

const UNKNOWN = { status: 404, fields: [], body: 'no such page' }

/**
 * How the origin responds:
 * @typedef {object} Plan
 * @property {number} status
 * @property {[string, string][]} fields
 * @property {Buffer|string} body
 * @property {boolean} [chunked]  without a Content-Length
 * @property {number} [slow]      seconds before the head
 * @property {boolean} [cut]      announces the whole body, sends half of it, and breaks the connection
 * @property {boolean} [down]     breaks the connection without a response
 * @property {boolean} [hang]     never responds
 * or a function `(request, response)` that writes the response itself.
 */

export class Origin {
  #plans = new Map()
  #next = new Map()
  #requests = new Map()
  #server
  #timers = new Set()

  static async start() {
    const origin = new Origin()
    // No time limits: a connection closed while the worker reuses it would look like an origin that is down.
    const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 131_072 })
    // A client that disconnects in mid-body ends only this response.
    server.on('request', (request, response) => origin.#serve(request, response).catch(() => response.destroy()))
    server.on('clientError', (_, socket) => socket.destroy())
    origin.#server = server
    await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
    return origin
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  /** Sets the plan for `target` of `host`; the target `*` stands for all others. */
  on(host, target, plan) {
    this.#of(this.#plans, host, () => new Map()).set(target, plan)
  }

  /** Sets the plan for the next `times` requests for `target`, which precedes that of `on`. */
  next(host, target, plan, times) {
    const turns = this.#of(this.#of(this.#next, host, () => new Map()), target, () => [])
    turns.push(...Array(times).fill(plan))
  }

  /** Requests at the origin in order: of one host, and of one target if given. */
  requests(host, target) {
    const all = this.#requests.get(host) ?? []
    return target === undefined ? all : all.filter((request) => request.target === target)
  }

  /** Number of requests for all hosts. */
  get count() {
    return [...this.#requests.values()].reduce((sum, list) => sum + list.length, 0)
  }

  async stop() {
    for (const timer of this.#timers) clearTimeout(timer)
    await new Promise((resolve) => {
      this.#server.close(resolve)
      this.#server.closeAllConnections()
    })
  }

  #of(map, key, make) {
    if (!map.has(key)) map.set(key, make())
    return map.get(key)
  }

  async #serve(message, response) {
    const fields = pairs(message.rawHeaders)
    const field = (name) => fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, v]) => v).join(', ') || undefined
    const host = field('x-forwarded-host') ?? field('host')
    const request = { method: message.method, target: message.url, host, fields, field, body: Buffer.alloc(0), at: performance.now() }
    this.#of(this.#requests, host, () => []).push(request)
    message.on('error', () => {})
    response.on('error', () => {})
    response.sendDate = false
    // A new connection for each request: workerd repeats a request without a body when a reused connection breaks, and tests
    // count the worker's requests (docs/runtime.md).
    response.shouldKeepAlive = false

    const plans = this.#plans.get(host)
    const plan = this.#next.get(host)?.get(request.target)?.shift() ?? plans?.get(request.target) ?? plans?.get('*') ?? UNKNOWN
    if (plan.hang) return
    if (plan.down) return message.socket.destroy()
    if (plan.early) return response.writeHead(plan.early).end()
    const chunks = []
    for await (const chunk of message) chunks.push(chunk)
    request.body = Buffer.concat(chunks)
    if (typeof plan === 'function') return await plan(request, response)
    if (plan.slow) await this.#pause(plan.slow * 1000)
    if (!response.destroyed) answer(plan, request, response)
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        resolve()
      }, milliseconds)
      this.#timers.add(timer)
    })
  }
}

function answer(plan, request, response) {
  const reads = request.method === 'GET' || request.method === 'HEAD'
  const etag = plan.fields.find(([name]) => name.toLowerCase() === 'etag')?.[1]
  if (reads && etag !== undefined && request.field('if-none-match') === etag) {
    return response.writeHead(304, plan.fields.flat()).end()
  }
  const body = Buffer.from(plan.body)
  const fields = [...plan.fields]
  const bodiless = plan.status === 204 || plan.status === 304
  if (!plan.chunked && !bodiless) fields.push(['Content-Length', String(body.length)])
  response.writeHead(plan.status, fields.flat())
  if (bodiless || request.method === 'HEAD') return response.end()
  if (!plan.cut) return response.end(body)
  response.flushHeaders()
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => {
    // The half must be sent before the connection breaks, or the head is lost with it.
    setTimeout(() => response.socket?.destroy(), 30)
  })
}
