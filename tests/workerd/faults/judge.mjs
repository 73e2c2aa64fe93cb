// Judges each response: whether it is correct for its request, its time and the state of the origin.

import { details, tierOf } from '../../../scripts/replay/cache-status.mjs'
import { ANONYMOUS, bytesOf, etagOf, readFirstLine, shortLength, versionAt } from './pages.mjs'

/**
 * Tolerance for ages. Times in responses are whole seconds, rounded twice, and a busy computer delays our clock. A response
 * is too old only beyond this tolerance, and a stored response must be usable for longer than this: of two responses
 * fetched at once, the one with the earlier Date may be stored last, and ends a second or more before the other.
 */
const SLACK_MS = 2_000

/**
 * Longest time after its end for which a fault may still affect responses: the circuit breaker's pause doubles while the
 * origin fails, from one second here, and no fault lasts longer than five.
 */
export const AFTERMATH_MS = 12_000

/** Text of the worker's error pages: an explanation in one line. */
const ERROR_PAGE = /^[A-Z][a-z]+ [a-z ]+: [^\n]+\.\n$/
const REFUSALS = new Set([502, 503, 504])

/**
 * @typedef {object} Exchange
 * @property {import('./pages.mjs').Page} page
 * @property {string} user      the client, or ANONYMOUS if the request does not identify it
 * @property {boolean} gzip     whether it accepts gzip
 * @property {string} [method]  GET if left out
 * @property {string} [etag]    its If-None-Match
 * @property {[number, number]} [range] first and last byte of its Range
 * @property {number} began     milliseconds since 1970, before the request was sent
 * @property {number} ended     milliseconds since 1970, when the response was complete
 * @property {import('../wire.mjs').Answer} [answer]
 * @property {Error} [error]    instead of a response
 *
 * @typedef {{verdict: 'right'|'stale'|'refused'|'cut'|'wrong', why?: string, replaced?: boolean}} Verdict `replaced`: the
 *   stored response that should have been served was replaced by another variant
 */

export class Judge {
  #faults
  #boundMs
  /** Time until which a stored response that was served is usable, by target and coding. */
  #usableUntil = new Map()

  /**
   * @param {{what: string, from: number, until: number}[]} faults the origin's faults and their times; the list grows
   * @param {number} boundMs time limit of a response
   */
  constructor(faults, boundMs) {
    this.#faults = faults
    this.#boundMs = boundMs
  }

  /** @param {Exchange} exchange @returns {Verdict} */
  judge(exchange) {
    const { answer, error, began, ended } = exchange
    if (error) return wrong(`no answer: ${error.message}`)
    if (ended - began > this.#boundMs) return wrong(`it took ${ended - began} ms`)
    const verdict = answer.status >= 500 ? this.#judgeError(exchange) : this.#judgePage(exchange)
    if (fromCache(answer) && (verdict.verdict === 'right' || verdict.verdict === 'stale')) this.#recordUsable(exchange)
    return verdict
  }

  /** A 5xx, of the worker or the origin, is correct only during a fault and while no usable response is stored. */
  #judgeError({ page, user, gzip, method, began, ended, answer }) {
    // HEAD has no body.
    const hasText = (right) => (method === 'HEAD' ? answer.body.length === 0 : right(answer.text))
    if (answer.field('x-made') === undefined) {
      const explained = REFUSALS.has(answer.status) && hasText((text) => ERROR_PAGE.test(text)) && /^text\/plain/.test(answer.field('content-type') ?? '')
      if (!explained) return wrong('an error without an explanation')
      if (answer.hit) return wrong('an error page that is called a hit')
    } else if (answer.status !== 503 || answer.field('x-fault') !== 'busy' || !hasText((text) => text === `busy: ${page.target}\n`)) {
      return wrong('an error that this origin did not send')
    }
    if (!this.#isFaulty(began, ended)) return wrong('an error without a fault of the origin')
    const until = user === ANONYMOUS ? this.#usableUntil.get(entryName(page, gzip)) : undefined
    if (until - SLACK_MS > ended) {
      const replaced = answer.cache.get('fwd') === 'vary-miss'
      return { ...wrong(`an error, although a usable response is stored for ${until - ended} ms more`), replaced }
    }
    return { verdict: 'refused' }
  }

  #judgePage(exchange) {
    const { page, user, gzip, answer } = exchange
    const made = Number(answer.field('x-made') ?? NaN)
    if (Number.isNaN(made)) return wrong('it does not come from the origin')
    const coding = answer.field('content-encoding')
    if (coding !== undefined && !(coding === 'gzip' && page.gzip && gzip)) return wrong(`coded as ${coding}`)
    const version = versionAt(page, made)
    // A 304 has no Content-Encoding; its ETag shows the coding.
    const coded = answer.status === 304 ? /gzip/.test(exchange.etag) : coding === 'gzip'
    const etag = user === ANONYMOUS ? etagOf(page, version, coded) : undefined
    if (answer.field('etag') !== etag) return wrong(`ETag ${answer.field('etag')} instead of ${etag}`)
    const body = this.#judgeContent(exchange, made, bytesOf(page, version, user, coded))
    if (body?.verdict === 'wrong') return body
    return (user === ANONYMOUS ? judgeAge(exchange, made) : judgePersonal(exchange, made)) ?? body ?? staleOrRight(answer)
  }

  /** Judges status and body. Undefined if they are complete and correct. */
  #judgeContent(exchange, made, page) {
    const { method, etag, range, answer } = exchange
    const short = answer.field('x-fault') === 'short-length'
    // Well-formed for any recipient: the body has the announced length.
    const whole = short ? page.subarray(0, shortLength(page)) : page
    if (answer.status === 304) return etag === answer.field('etag') && answer.body.length === 0 ? undefined : wrong('304 for another ETag than that of the request')
    if (answer.status === 206) {
      if (range === undefined) return wrong('a 206 without a Range in the request')
      const [first, last] = [range[0], Math.min(range[1], whole.length - 1)]
      const contentRange = answer.field('content-range')
      // While a body is streamed, as a new one and those above 256 KiB are, its false Content-Length is not detected yet.
      // The length of a body that was stored complete is known.
      const falseLength = whole.length + 1_000
      const streamed = !fromCache(answer) || falseLength > 256 * 1024
      const expectedLength = answer.field('x-fault') === 'long-length' && streamed ? falseLength : whole.length
      if (contentRange !== `bytes ${first}-${last}/${expectedLength}`) return wrong(`Content-Range ${contentRange}`)
      return this.#judgeBody(exchange, made, whole.subarray(first, last + 1))
    }
    if (answer.status !== exchange.page.status) return wrong(`status ${answer.status} instead of ${exchange.page.status}`)
    if (method !== 'HEAD') return this.#judgeBody(exchange, made, whole)
    const length = answer.field('content-length')
    if (answer.body.length > 0) return wrong('a body for HEAD')
    if (length !== undefined && Number(length) !== whole.length && answer.field('x-fault') !== 'long-length') return wrong(`Content-Length ${length} of ${whole.length}`)
  }

  /** Undefined if the body is complete and correct. */
  #judgeBody({ ended, answer }, made, expected) {
    const { body, complete } = answer
    if (complete && body.equals(expected)) return undefined
    if (!body.equals(expected.subarray(0, body.length))) {
      const found = readFirstLine(body)
      return wrong(found ? `the body is ${found.target} v${found.version} for ${found.user}` : `${body.length} bytes that are not of this page`)
    }
    const size = `${body.length} of ${expected.length} bytes`
    const cutByOrigin = ['cut', 'long-length'].includes(answer.field('x-fault'))
    if (!cutByOrigin && !this.#faults.some(({ what, from, until }) => what === 'killed' && from <= ended && made <= until)) {
      return wrong(`${size}, and the origin did not cut it`)
    }
    // Local workerd ends a chunked response properly when its source fails (so it does with plain JavaScript). A response
    // from a cache must be complete, or visibly truncated for the client.
    const detectable = !complete || (!fromCache(answer) && answer.field('content-length') === undefined)
    return detectable ? { verdict: 'cut' } : wrong(`${size}, and the client cannot see it`)
  }

  #isFaulty(from, until) {
    return this.#faults.some((fault) => fault.from <= until && from <= fault.until + AFTERMATH_MS)
  }

  #recordUsable({ page, user, gzip, began, answer }) {
    if (user !== ANONYMOUS || !answer.complete || answer.status !== page.status) return // a part does not show a stored response
    const age = Number(answer.field('age') ?? NaN)
    const seconds = page.lifetime + Math.max(page.revalidate, page.error) - age - 1
    if (!(page.revalidate || page.error) || Number.isNaN(seconds)) return
    const name = entryName(page, gzip)
    this.#usableUntil.set(name, Math.max(this.#usableUntil.get(name) ?? 0, began + seconds * 1000))
  }
}

/** A personal response must be made for its request. Undefined if it is. */
function judgePersonal({ began, answer }, made) {
  if (fromCache(answer) || answer.cache.has('stored')) return wrong('a personal page from a cache, or stored')
  if (made < began) return wrong(`a personal page, made ${began - made} ms before its request`)
}

/** Undefined if the response is not too old, and marked stale if it is stale. */
function judgeAge({ page, began, answer }, made) {
  const age = began - made
  const stale = staleDetails(answer)
  const window = stale.includes('stale-while-revalidate') ? page.revalidate : Math.max(page.revalidate, page.error)
  if (stale.length > 0 && window === 0) return wrong('stale, which this page forbids')
  const most = page.lifetime + (stale.length > 0 ? window : 0)
  if (age > most * 1000 + SLACK_MS) return wrong(`${age} ms old, and ${stale.join(', ') || 'not called stale'}: at most ${most} s`)
  // A response made or revalidated for this request may be stale at once, if its head came late.
  if (!fromCache(answer) || made >= began) return undefined
  if (stale.length === 0 && !(Number(answer.cache.get('ttl')) > 0)) return wrong('from a cache, and neither fresh nor called stale')
  if (Number(answer.field('age') ?? 0) * 1000 <= age - SLACK_MS) return wrong(`Age ${answer.field('age')}, and it is ${age} ms old`)
}

/** Whether the body comes from a store: a hit, a collapsed request, or a revalidated response. */
function fromCache(answer) {
  return answer.hit || tierOf(answer.cache) !== undefined
}

function staleOrRight(answer) {
  return { verdict: staleDetails(answer).length > 0 ? 'stale' : 'right' }
}

/** The details of Cache-Status that mark the response stale. */
function staleDetails(answer) {
  return details(answer.cache).filter((word) => word.startsWith('stale-'))
}

function entryName(page, gzip) {
  return `${page.target} ${page.gzip && gzip}`
}

function wrong(why) {
  return { verdict: 'wrong', why }
}
