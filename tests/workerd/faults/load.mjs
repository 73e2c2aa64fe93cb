// A bounded load: clients that send one request at a time with a pause in between, and some pages much more often than
// others. The requests are the same in every run.

import { send, sleep } from '../wire.mjs'
import { HOST, ANONYMOUS, PAGES } from './pages.mjs'

export const CLIENTS = 12
const PAUSE_MS = 60
/** Limit of requests of one call of `during`. */
const REQUESTS_MAX = 3_000
/** Zipf's exponent: the most popular page gets every seventh request, the least popular every 300th. */
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
   * @param {number} timeout milliseconds after which a request is aborted
   * @param {(exchange: import('./judge.mjs').Exchange) => string} onExchange returns the verdict
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
        await this.ask(this.#nextRequest(number))
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

  /** Requests every page anonymously; a page with two codings in both if `coded`, else in one of them. */
  async sweep({ coded = false } = {}) {
    const codings = (page, rank) => (!page.gzip ? [false] : coded ? [false, true] : [rank % 8 === 2])
    const requests = PAGES.flatMap((page, rank) => codings(page, rank).map((gzip) => ({ page, gzip, rank })))
    const names = this.#worker.names
    for (const { page, gzip, rank } of requests) {
      await this.ask({ page, gzip, user: ANONYMOUS, visitor: 'sweeper', at: names[rank % names.length] })
    }
  }

  /** Requests a page that is never stored from each isolate until the origin's response arrives; returns whether that was in time. */
  async untilRecovered(milliseconds) {
    const page = PAGES.find(({ personal }) => personal === 'authorization')
    const end = Date.now() + milliseconds
    for (const at of this.#worker.names) {
      while ((await this.ask({ page, gzip: false, user: 'sweeper', visitor: 'sweeper', at })) !== 'right') {
        if (Date.now() >= end) return false
        await sleep(100)
      }
    }
    return true
  }

  /** Sends a request, and returns the verdict on its response. */
  async ask({ page, gzip, user, visitor, at, method, etag, range }) {
    const fields = [['Accept-Encoding', gzip ? 'gzip' : 'identity']]
    // A cookie that no shared page may depend on; for a personal page also the field that identifies the client.
    const cookies = [`visitor=${visitor}`, ...(user !== ANONYMOUS && page.personal === 'cookie' ? [`sessionid=${user}`] : [])]
    fields.push(['Cookie', cookies.join('; ')])
    if (user !== ANONYMOUS && page.personal === 'authorization') fields.push(['Authorization', `Bearer ${user}`])
    if (etag) fields.push(['If-None-Match', etag])
    if (range) fields.push(['Range', `bytes=${range.join('-')}`])
    const exchange = { page, user, gzip, method, etag, range, began: Date.now() }
    try {
      const request = { host: HOST, method, path: page.target, fields, timeout: this.#timeout }
      exchange.answer = await send(this.#worker.url(at), request)
      if (user === ANONYMOUS) this.#etags.set(page.target + gzip, exchange.answer.field('etag'))
    } catch (error) {
      exchange.error = error
    }
    exchange.ended = Date.now()
    return this.#onExchange(exchange)
  }

  #nextRequest(number) {
    const page = PAGES[rankAt(this.#random() * WEIGHT)]
    const names = this.#worker.names
    const visitor = `client-${number}`
    const user = page.personal && this.#random() < 0.7 ? visitor : ANONYMOUS
    const gzip = this.#random() < 0.5
    const at = names[Math.floor(this.#random() * names.length)]
    return { page, user, visitor, gzip, at, ...(user === ANONYMOUS ? this.#requestKind(page, gzip) : {}) }
  }

  /** Most requests are a plain GET; some are HEAD, or have a Range or If-None-Match. */
  #requestKind(page, gzip) {
    const draw = this.#random()
    if (draw < 0.05) return { method: 'HEAD' }
    if (draw < 0.12 && page.filler >= 600) {
      const first = Math.floor(this.#random() * 200)
      return { range: [first, first + Math.floor((this.#random() * page.filler) / 2)] }
    }
    return draw < 0.22 ? { etag: this.#etags.get(page.target + gzip) } : {}
  }
}

function rankAt(position) {
  const rank = WEIGHTS.findIndex((weight) => (position -= weight) < 0)
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
