// A load of bounded size: some clients, each with one request at a time and a pause between two, that want some pages
// much more than others. What they ask for is the same in every run.

import { send, sleep } from '../wire.mjs'
import { HOST, NOBODY, PAGES } from './pages.mjs'

export const CLIENTS = 12
const PAUSE_MS = 60
/** So many requests at most in one stretch of load, whatever the time. */
const REQUESTS_MAX = 3_000
/** Zipf's exponent: the most wanted page gets every seventh request, the least wanted every 300th. */
const EXPONENT = 0.8

const WEIGHTS = PAGES.map((_, rank) => 1 / (rank + 1) ** EXPONENT)
const WEIGHT = WEIGHTS.reduce((sum, weight) => sum + weight)

export class Load {
  #worker
  #onExchange
  #timeout
  #random = random(20_261_126)
  /** The last ETag seen, by target and coding. */
  #etags = new Map()

  /**
   * @param {{url: (name?: string) => string, names: string[]}} worker
   * @param {number} timeout milliseconds after which a request is given up
   * @param {(exchange: import('./judge.mjs').Exchange) => string} onExchange gives the verdict
   */
  constructor(worker, timeout, onExchange) {
    this.#worker = worker
    this.#timeout = timeout
    this.#onExchange = onExchange
  }

  /** Sends requests until `work` is done. */
  async during(work) {
    let open = true
    let left = REQUESTS_MAX
    const client = async (number) => {
      while (open && left-- > 0) {
        await this.ask(this.#wish(number))
        await sleep(PAUSE_MS)
      }
    }
    const clients = Array.from({ length: CLIENTS }, (_, number) => client(number))
    try {
      await work()
    } finally {
      open = false
      await Promise.all(clients)
    }
  }

  /** Asks for every page, as nobody in particular; where it has two codings, for both if `coded`, else for one of them. */
  async sweep({ coded = false } = {}) {
    const codings = (page, rank) => (!page.gzip ? [false] : coded ? [false, true] : [rank % 8 === 2])
    const wishes = PAGES.flatMap((page, rank) => codings(page, rank).map((gzip) => ({ page, gzip, rank })))
    const names = this.#worker.names
    for (const { page, gzip, rank } of wishes) {
      await this.ask({ page, gzip, who: NOBODY, visitor: 'sweeper', at: names[rank % names.length] })
    }
  }

  /** Asks each isolate for what no cache has, until it gets it; says whether that came in time. */
  async untilWell(milliseconds) {
    const page = PAGES.find(({ personal }) => personal === 'authorization')
    const end = Date.now() + milliseconds
    for (const at of this.#worker.names) {
      while ((await this.ask({ page, gzip: false, who: 'sweeper', visitor: 'sweeper', at })) !== 'right') {
        if (Date.now() >= end) return false
        await sleep(100)
      }
    }
    return true
  }

  /** Sends a request, and gives the verdict on its answer. */
  async ask({ page, gzip, who, visitor, at, method, etag, range }) {
    const fields = [['Accept-Encoding', gzip ? 'gzip' : 'identity']]
    // A cookie that no shared page may depend on, and what names the client where it wants its own page.
    const cookies = [`visitor=${visitor}`, ...(who !== NOBODY && page.personal === 'cookie' ? [`sessionid=${who}`] : [])]
    fields.push(['Cookie', cookies.join('; ')])
    if (who !== NOBODY && page.personal === 'authorization') fields.push(['Authorization', `Bearer ${who}`])
    if (etag) fields.push(['If-None-Match', etag])
    if (range) fields.push(['Range', `bytes=${range.join('-')}`])
    const exchange = { page, who, gzip, method, etag, range, began: Date.now() }
    try {
      const request = { host: HOST, method, path: page.target, fields, timeout: this.#timeout }
      exchange.answer = await send(this.#worker.url(at), request)
      if (who === NOBODY) this.#etags.set(page.target + gzip, exchange.answer.field('etag'))
    } catch (error) {
      exchange.error = error
    }
    exchange.ended = Date.now()
    return this.#onExchange(exchange)
  }

  #wish(number) {
    const page = PAGES[rankAt(this.#random() * WEIGHT)]
    const names = this.#worker.names
    const visitor = `client-${number}`
    const who = page.personal && this.#random() < 0.7 ? visitor : NOBODY
    const gzip = this.#random() < 0.5
    const at = names[Math.floor(this.#random() * names.length)]
    return { page, who, visitor, gzip, at, ...(who === NOBODY ? this.#way(page, gzip) : {}) }
  }

  /** Most requests are plain; some are HEAD, ask for a part, or say what they have. */
  #way(page, gzip) {
    const way = this.#random()
    if (way < 0.05) return { method: 'HEAD' }
    if (way < 0.12 && page.filler >= 600) {
      const first = Math.floor(this.#random() * 200)
      return { range: [first, first + Math.floor((this.#random() * page.filler) / 2)] }
    }
    return way < 0.22 ? { etag: this.#etags.get(page.target + gzip) } : {}
  }
}

function rankAt(place) {
  const rank = WEIGHTS.findIndex((weight) => (place -= weight) < 0)
  return rank < 0 ? WEIGHTS.length - 1 : rank
}

/** Mulberry32: numbers from 0 up to 1. */
function random(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
