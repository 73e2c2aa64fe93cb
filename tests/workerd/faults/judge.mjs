// Judges every answer: whether it may be what the worker gave for this request at this time, with this origin behind it.

import { details, tierOf } from '../../../scripts/replay/cache-status.mjs'
import { NOBODY, bytesOf, etagOf, readFirstLine, shortLength, versionAt } from './pages.mjs'

/**
 * Times in the answers are whole seconds, rounded twice, and between a decision and our clock lies a busy computer. An
 * answer counts as too old only when it is so by more than this, and a copy as usable only when it is so for longer: of two
 * copies fetched at once, the one with the earlier Date may be stored last, and ends a second or more before the other.
 */
const SLACK_MS = 2_000

/**
 * For so long after it ended, a fault of the origin may still show, at most: the circuit breaker's pause doubles as long as
 * the origin fails, from one second here, and no fault lasts longer than five.
 */
export const AFTERMATH_MS = 12_000

/** What the worker may say itself when there is nothing else: in plain words, and in one line. */
const OWN_WORDS = /^[A-Z][a-z]+ [a-z ]+: [^\n]+\.\n$/
const REFUSALS = new Set([502, 503, 504])

/**
 * @typedef {object} Exchange
 * @property {import('./pages.mjs').Page} page
 * @property {string} who       the client, or NOBODY if the request does not say
 * @property {boolean} gzip     whether it takes gzip
 * @property {string} [method]  GET if left out
 * @property {string} [etag]    of its If-None-Match
 * @property {[number, number]} [range] first and last byte of its Range
 * @property {number} began     milliseconds since 1970, before the request was sent
 * @property {number} ended     when the answer was there
 * @property {import('../wire.mjs').Answer} [answer]
 * @property {Error} [error]    instead of an answer
 *
 * @typedef {{verdict: 'right'|'stale'|'refused'|'cut'|'wrong', why?: string, replaced?: boolean}} Verdict `replaced`: a copy
 *   was there that should have been served, but another variant lies in its place
 */

export class Judge {
  #troubles
  #boundMs
  /** Until when a copy that was seen is known to be usable, by target and coding. */
  #known = new Map()

  /**
   * @param {{what: string, from: number, until: number}[]} troubles what was wrong with the origin, and when; it grows
   * @param {number} boundMs the longest that an answer may take
   */
  constructor(troubles, boundMs) {
    this.#troubles = troubles
    this.#boundMs = boundMs
  }

  /** @param {Exchange} exchange @returns {Verdict} */
  judge(exchange) {
    const { answer, error, began, ended } = exchange
    if (error) return wrong(`no answer: ${error.message}`)
    if (ended - began > this.#boundMs) return wrong(`it took ${ended - began} ms`)
    const verdict = answer.status >= 500 ? this.#ofRefusal(exchange) : this.#ofPage(exchange)
    if (fromCache(answer) && (verdict.verdict === 'right' || verdict.verdict === 'stale')) this.#remember(exchange)
    return verdict
  }

  /** A 5xx: of ours or the origin's, only in trouble, and only where no usable copy is known. */
  #ofRefusal({ page, who, gzip, method, began, ended, answer }) {
    // HEAD gets the head alone.
    const says = (right) => (method === 'HEAD' ? answer.body.length === 0 : right(answer.text))
    if (answer.field('x-made') === undefined) {
      const honest = REFUSALS.has(answer.status) && says((text) => OWN_WORDS.test(text)) && /^text\/plain/.test(answer.field('content-type') ?? '')
      if (!honest) return wrong('an error without an explanation')
      if (answer.hit) return wrong('an error of ours that calls itself a hit')
    } else if (answer.status !== 503 || answer.field('x-told') !== 'busy' || !says((text) => text === `busy: ${page.target}\n`)) {
      return wrong('an error that this origin did not send')
    }
    if (!this.#inTrouble(began, ended)) return wrong('an error, and nothing was wrong with the origin')
    const until = who === NOBODY ? this.#known.get(nameOf(page, gzip)) : undefined
    if (until - SLACK_MS > ended) {
      const replaced = answer.cache.get('fwd') === 'vary-miss'
      return { ...wrong(`an error, and a copy is known that was good for ${until - ended} ms more`), replaced }
    }
    return { verdict: 'refused' }
  }

  #ofPage(exchange) {
    const { page, who, gzip, answer } = exchange
    const made = Number(answer.field('x-made') ?? NaN)
    if (Number.isNaN(made)) return wrong('it does not come from the origin')
    const coding = answer.field('content-encoding')
    if (coding !== undefined && !(coding === 'gzip' && page.gzip && gzip)) return wrong(`coded as ${coding}`)
    const version = versionAt(page, made)
    // A 304 does not say how it is coded; its ETag does.
    const coded = answer.status === 304 ? /gzip/.test(exchange.etag) : coding === 'gzip'
    const etag = who === NOBODY ? etagOf(page, version, coded) : undefined
    if (answer.field('etag') !== etag) return wrong(`ETag ${answer.field('etag')} instead of ${etag}`)
    const body = this.#ofContent(exchange, made, bytesOf(page, version, who, coded))
    if (body?.verdict === 'wrong') return body
    return (who === NOBODY ? ofAge(exchange, made) : ofPerson(exchange, made)) ?? body ?? ofStaleness(answer)
  }

  /** Status and body. Undefined if they are whole and right. */
  #ofContent(exchange, made, page) {
    const { method, etag, range, answer } = exchange
    const short = answer.field('x-told') === 'short-length'
    // A well-formed answer, for all that anybody can see: so much and no more was announced.
    const whole = short ? page.subarray(0, shortLength(page)) : page
    if (answer.status === 304) return etag === answer.field('etag') && answer.body.length === 0 ? undefined : wrong('304 to what it is not about')
    if (answer.status === 206) {
      if (range === undefined) return wrong('a part that nobody asked for')
      const [first, last] = [range[0], Math.min(range[1], whole.length - 1)]
      const told = answer.field('content-range')
      // Of a body that is streamed, as a new one and those above 256 KiB are, nobody knows yet that the length before it
      // is a lie. What was kept whole is known.
      const lie = whole.length + 1_000
      const streamed = !fromCache(answer) || lie > 256 * 1024
      const believed = answer.field('x-told') === 'long-length' && streamed ? lie : whole.length
      if (told !== `bytes ${first}-${last}/${believed}`) return wrong(`Content-Range ${told}`)
      return this.#ofBody(exchange, made, whole.subarray(first, last + 1))
    }
    if (answer.status !== exchange.page.status) return wrong(`status ${answer.status} instead of ${exchange.page.status}`)
    if (method !== 'HEAD') return this.#ofBody(exchange, made, whole)
    const length = answer.field('content-length')
    if (answer.body.length > 0) return wrong('a body for HEAD')
    if (length !== undefined && Number(length) !== whole.length && answer.field('x-told') !== 'long-length') return wrong(`Content-Length ${length} of ${whole.length}`)
  }

  /** Undefined if it is whole and right. */
  #ofBody({ ended, answer }, made, expected) {
    const { body, complete } = answer
    if (complete && body.equals(expected)) return undefined
    if (!body.equals(expected.subarray(0, body.length))) {
      const said = readFirstLine(body)
      return wrong(said ? `the body is ${said.target} v${said.version} for ${said.who}` : `${body.length} bytes that are not of this page`)
    }
    const size = `${body.length} of ${expected.length} bytes`
    const told = ['cut', 'long-length'].includes(answer.field('x-told'))
    if (!told && !this.#troubles.some(({ what, from, until }) => what === 'killed' && from <= ended && made <= until)) {
      return wrong(`${size}, and the origin did not cut it`)
    }
    // Local workerd ends a chunked answer properly when its source breaks (plain JavaScript shows it, too); but what a
    // cache gives is whole, or the client sees that it is not.
    const seen = !complete || (!fromCache(answer) && answer.field('content-length') === undefined)
    return seen ? { verdict: 'cut' } : wrong(`${size}, and the client cannot see it`)
  }

  #inTrouble(from, until) {
    return this.#troubles.some((trouble) => trouble.from <= until && from <= trouble.until + AFTERMATH_MS)
  }

  #remember({ page, who, gzip, began, answer }) {
    if (who !== NOBODY || !answer.complete || answer.status !== page.status) return // a part is no copy
    const age = Number(answer.field('age') ?? NaN)
    const seconds = page.lifetime + Math.max(page.revalidate, page.error) - age - 1
    if (!(page.revalidate || page.error) || Number.isNaN(seconds)) return
    const name = nameOf(page, gzip)
    this.#known.set(name, Math.max(this.#known.get(name) ?? 0, began + seconds * 1000))
  }
}

/** What is somebody's was made for this request. Undefined if so. */
function ofPerson({ began, answer }, made) {
  if (fromCache(answer) || answer.cache.has('stored')) return wrong('a personal page, from a cache or on its way to one')
  if (made < began) return wrong(`a personal page, made ${began - made} ms before it was asked for`)
}

/** Undefined if it is no older than it may be, and says what it is. */
function ofAge({ page, began, answer }, made) {
  const age = began - made
  const stale = staleWords(answer)
  const window = stale.includes('stale-while-revalidate') ? page.revalidate : Math.max(page.revalidate, page.error)
  if (stale.length > 0 && window === 0) return wrong('stale, which this page forbids')
  const most = page.lifetime + (stale.length > 0 ? window : 0)
  if (age > most * 1000 + SLACK_MS) return wrong(`${age} ms old, and ${stale.join(', ') || 'not called stale'}: at most ${most} s`)
  // What was made or confirmed for this request may be stale at once, if its head came late.
  if (!fromCache(answer) || made >= began) return undefined
  if (stale.length === 0 && !(Number(answer.cache.get('ttl')) > 0)) return wrong('from a cache, and neither fresh nor called stale')
  if (Number(answer.field('age') ?? 0) * 1000 <= age - SLACK_MS) return wrong(`Age ${answer.field('age')}, and it is ${age} ms old`)
}

/** Whether its body was stored: a hit, what another request fetched, what the origin confirmed. */
function fromCache(answer) {
  return answer.hit || tierOf(answer.cache) !== undefined
}

function ofStaleness(answer) {
  return { verdict: staleWords(answer).length > 0 ? 'stale' : 'right' }
}

/** The words of Cache-Status that say it is stale. */
function staleWords(answer) {
  return details(answer.cache).filter((word) => word.startsWith('stale-'))
}

function nameOf(page, gzip) {
  return `${page.target} ${page.gzip && gzip}`
}

function wrong(why) {
  return { verdict: 'wrong', why }
}
