// The site behind the faults. The origin's process sends these pages, and the judge knows every byte that it can have
// sent: a page's bytes follow from its target, its version, the client that it is about, and its coding.

import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'

export const HOST = 'faults.test'

/** Nobody: what the world may share. */
export const NOBODY = '-'

/** The worker's rule for what names no window of its own, in seconds. */
export const RULE_STALE_IF_ERROR = 20
/** What the origin says in half of its 503s: how long not to ask for this page again. */
export const RETRY_AFTER_SECONDS = 1

const COUNT = 60

/** What a kind of page says of its use. Seconds; the windows are those that hold in the end. */
const KINDS = {
  news: { says: 'max-age=1, stale-while-revalidate=2, stale-if-error=60', lifetime: 1, revalidate: 2, error: 60 },
  plain: { says: 'max-age=1', lifetime: 1, revalidate: 0, error: RULE_STALE_IF_ERROR },
  brief: { says: 'max-age=1, stale-if-error=2', lifetime: 1, revalidate: 0, error: 2 },
  strict: { says: 'max-age=1, must-revalidate', lifetime: 1, revalidate: 0, error: 0 },
  long: { says: 'max-age=300', lifetime: 300, revalidate: 0, error: RULE_STALE_IF_ERROR },
  missing: { says: 'max-age=1, stale-if-error=60', lifetime: 1, revalidate: 0, error: 60, status: 404 },
  // One address for everybody, and what is sent there names who asked: with a session cookie, or with Authorization.
  me: { says: 'max-age=1, stale-if-error=60', lifetime: 1, revalidate: 0, error: 60, personal: 'cookie' },
  account: { says: 'max-age=1, stale-if-error=60', lifetime: 1, revalidate: 0, error: 60, personal: 'authorization' },
}

/** The kinds by rank, the most wanted page first. */
const RANKS = ['news', 'plain', 'me', 'strict', 'news', 'brief', 'long', 'missing', 'news', 'account']

/** Bytes beyond the first line; bodies above 256 KiB are streamed to the tiers. Of another rhythm than the kinds. */
const SIZES = [0, 600, 300 * 1024, 9_000, 1, 255 * 1024, 60_000]

/** What is said of a personal page; the last would let a careless cache keep it. */
const PERSONAL = ['private, max-age=60', 'no-store', 'max-age=60']

const NOISE = noise(Math.max(...SIZES) + 4_096)

/**
 * @typedef {object} Page
 * @property {string} target
 * @property {number} status
 * @property {string} says           its Cache-Control, for everybody
 * @property {string} saysOfPersons  its Cache-Control, about one client
 * @property {'cookie'|'authorization'} [personal] how a client names itself there
 * @property {number} lifetime       these three in seconds
 * @property {number} revalidate
 * @property {number} error
 * @property {number} filler         bytes beyond the first line
 * @property {boolean} chunked       without a Content-Length
 * @property {boolean} gzip          compressed for those who take it
 * @property {boolean} etag
 * @property {number} period         milliseconds for which a version is the current one
 */

/** @type {Page[]} */
export const PAGES = Array.from({ length: COUNT }, (_, rank) => {
  const kind = RANKS[rank % RANKS.length]
  return {
    status: 200,
    ...KINDS[kind],
    target: rank % 4 === 3 ? `/${kind}?page=${rank}` : `/${kind}/${rank}`,
    saysOfPersons: PERSONAL[rank % PERSONAL.length],
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

/** Enough for a scene, and not for all: 400 bodies are some 30 MB. */
const BODIES_MAX = 400
const bodies = new Map()

/** The body of a page, as it goes over the wire. */
export function bytesOf(page, version, who, gzip) {
  const name = `${page.target} ${version} ${who} ${gzip}`
  const known = bodies.get(name)
  if (known) return known
  // Another stretch of the noise for each version: pieces of two versions never fit together.
  const start = (version * 61) % 4_096
  const rest = NOISE.subarray(start, start + page.filler)
  const digest = createHash('sha256').update(rest).digest('hex').slice(0, 32)
  const plain = Buffer.concat([Buffer.from(`${page.target} v${version} for ${who}, ${page.filler} more: ${digest}\n`), rest])
  const bytes = gzip ? gzipSync(plain, { level: 1 }) : plain
  if (bodies.size >= BODIES_MAX) bodies.delete(bodies.keys().next().value)
  bodies.set(name, bytes)
  return bytes
}

/** What the first line of a plain body says, for messages and to tell whose page it is. */
export function readFirstLine(bytes) {
  const line = bytes.toString('latin1', 0, 300).split('\n', 1)[0]
  const match = /^(\S+) v(\d+) for (\S+), \d+ more: [0-9a-f]{32}$/.exec(line)
  return match ? { target: match[1], version: Number(match[2]), who: match[3] } : undefined
}

/** How much of a body an origin announces that gives a length too short. */
export function shortLength(bytes) {
  return Math.floor(bytes.length / 2)
}

/** Bytes that no compression makes much smaller. */
function noise(length) {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0, x = 1; at < length; at++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = x >>> 24
  }
  return bytes
}
