// The site of the fault tests. The origin's process sends these pages, and the judge computes the expected bytes: they
// follow from the page's target, version, client and coding.

import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'

export const HOST = 'faults.test'

/** No client: the page may be shared. */
export const ANONYMOUS = '-'

/** The worker's rule for responses without a `stale-if-error` of their own, in seconds. */
export const RULE_STALE_IF_ERROR = 20
/** Retry-After in half of the origin's 503s. */
export const RETRY_AFTER_SECONDS = 1

const COUNT = 60

/** Cache-Control of each kind of page, and the resulting windows in seconds. */
const KINDS = {
  news: { cacheControl: 'max-age=1, stale-while-revalidate=2, stale-if-error=60', lifetime: 1, revalidate: 2, error: 60 },
  plain: { cacheControl: 'max-age=1', lifetime: 1, revalidate: 0, error: RULE_STALE_IF_ERROR },
  brief: { cacheControl: 'max-age=1, stale-if-error=2', lifetime: 1, revalidate: 0, error: 2 },
  strict: { cacheControl: 'max-age=1, must-revalidate', lifetime: 1, revalidate: 0, error: 0 },
  long: { cacheControl: 'max-age=300', lifetime: 300, revalidate: 0, error: RULE_STALE_IF_ERROR },
  missing: { cacheControl: 'max-age=1, stale-if-error=60', lifetime: 1, revalidate: 0, error: 60, status: 404 },
  // One URL for all clients; the page contains the client, identified by a session cookie or by Authorization.
  me: { cacheControl: 'max-age=1, stale-if-error=60', lifetime: 1, revalidate: 0, error: 60, personal: 'cookie' },
  account: { cacheControl: 'max-age=1, stale-if-error=60', lifetime: 1, revalidate: 0, error: 60, personal: 'authorization' },
}

/** The kinds by rank, the most popular page first. */
const RANKS = ['news', 'plain', 'me', 'strict', 'news', 'brief', 'long', 'missing', 'news', 'account']

/** Bytes beyond the first line; bodies above 256 KiB are streamed to the tiers. The period differs from that of the kinds. */
const SIZES = [0, 600, 300 * 1024, 9_000, 1, 255 * 1024, 60_000]

/** Cache-Control of personal pages; the last one is storable for a cache that ignores the credentials. */
const PERSONAL = ['private, max-age=60', 'no-store', 'max-age=60']

const NOISE = noise(Math.max(...SIZES) + 4_096)

/**
 * @typedef {object} Page
 * @property {string} target
 * @property {number} status
 * @property {string} cacheControl   for anonymous requests
 * @property {string} personalCacheControl for one client
 * @property {'cookie'|'authorization'} [personal] the field that identifies the client
 * @property {number} lifetime       these three in seconds
 * @property {number} revalidate
 * @property {number} error
 * @property {number} filler         bytes beyond the first line
 * @property {boolean} chunked       without a Content-Length
 * @property {boolean} gzip          compressed for clients that accept it
 * @property {boolean} etag
 * @property {number} period         milliseconds for which a version is current
 */

/** @type {Page[]} */
export const PAGES = Array.from({ length: COUNT }, (_, rank) => {
  const kind = RANKS[rank % RANKS.length]
  return {
    status: 200,
    ...KINDS[kind],
    target: rank % 4 === 3 ? `/${kind}?page=${rank}` : `/${kind}/${rank}`,
    personalCacheControl: PERSONAL[rank % PERSONAL.length],
    filler: SIZES[rank % SIZES.length],
    chunked: rank % 3 === 1,
    gzip: rank % 4 === 2,
    etag: rank % 2 === 0,
    period: rank % 5 === 0 ? 10_000 : 1_000,
  }
})

const BY_TARGET = new Map(PAGES.map((page) => [page.target, page]))

/** The page of a target, or undefined. */
export function pageOf(target) {
  return BY_TARGET.get(target)
}

/** The version that is current at a time, in milliseconds since 1970. */
export function versionAt(page, milliseconds) {
  return Math.floor(milliseconds / page.period)
}

export function etagOf(page, version, gzip) {
  return page.etag ? `"${version}${gzip ? '-gzip' : ''}"` : undefined
}

/** Bodies kept, enough for one scene: 400 bodies are about 30 MB. */
const BODIES_MAX = 400
const bodies = new Map()

/** The body of a page, as it is sent. */
export function bytesOf(page, version, user, gzip) {
  const name = `${page.target} ${version} ${user} ${gzip}`
  const kept = bodies.get(name)
  if (kept) return kept
  // Each version has another part of the noise, so that parts of two versions never match.
  const start = (version * 61) % 4_096
  const rest = NOISE.subarray(start, start + page.filler)
  const digest = createHash('sha256').update(rest).digest('hex').slice(0, 32)
  const plain = Buffer.concat([Buffer.from(`${page.target} v${version} for ${user}, ${page.filler} more: ${digest}\n`), rest])
  const bytes = gzip ? gzipSync(plain, { level: 1 }) : plain
  if (bodies.size >= BODIES_MAX) bodies.delete(bodies.keys().next().value)
  bodies.set(name, bytes)
  return bytes
}

/** Parses the first line of a plain body: page, version and client. */
export function readFirstLine(bytes) {
  const line = bytes.toString('latin1', 0, 300).split('\n', 1)[0]
  const match = /^(\S+) v(\d+) for (\S+), \d+ more: [0-9a-f]{32}$/.exec(line)
  return match ? { target: match[1], version: Number(match[2]), user: match[3] } : undefined
}

/** The Content-Length that the origin sends when it is too short. */
export function shortLength(bytes) {
  return Math.floor(bytes.length / 2)
}

/** Pseudorandom bytes, which do not compress well. */
function noise(length) {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0, x = 1; at < length; at++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = x >>> 24
  }
  return bytes
}
