// The origin of a replay: responds as in the log, with bodies that contain their target, so that every response can be checked
// byte for byte, from the origin or the cache.

import http from 'node:http'
import { normalize } from './log.mjs'

export const MAX_BODY_BYTES = 200_000
/** Longer than any replay: nothing expires, so that the hits can be compared with the bound of unlimited time. */
export const FRESH_SECONDS = 31_536_000

/** Explanation of the mapping, printed with the result. */
export const mapping = (lifetime) => [
  `200, 304, 206, 416 in the log: the origin has the page, 200 with ${lifetimeField(lifetime) ?? 'no lifetime'}`,
  `301, 403, 404, 410: that status with ${lifetimeField(lifetime) ?? 'no lifetime'}; other statuses (500): that status with no-store`,
  `bodies: as many bytes as the log says, at most ${MAX_BODY_BYTES.toLocaleString('en')}; a 304, 206, 416 or HEAD row takes the page's size from the target's other rows`,
  'GET and HEAD go through as they are, without ranges and conditions, which the log does not hold; other methods pass through',
]

const lifetimeField = (lifetime) => (lifetime === undefined ? undefined : `max-age=${lifetime}`)

/** The origin's response to a row. `lifetime`: seconds; undefined: it names none. */
export function answerOf(row, sizes, lifetime) {
  const page = [200, 206, 304, 416].includes(row.status)
  const status = page ? 200 : row.status
  const keep = page || [301, 403, 404, 410].includes(row.status)
  const bytes = page ? sizes.get(row.key) ?? row.bytes : row.bytes
  return { status, cacheControl: keep ? lifetimeField(lifetime) : 'no-store', bytes: Math.min(bytes, MAX_BODY_BYTES) }
}

/** The size of each page: the largest body of a plain 200. */
export function pageSizes(rows) {
  const sizes = new Map()
  for (const row of rows) {
    if (row.method !== 'GET' || row.status !== 200) continue
    sizes.set(row.key, Math.max(row.bytes, sizes.get(row.key) ?? 0))
  }
  return sizes
}

/** A body whose first line has target and version; the rest repeats it. At least one line. */
export function bodyOf(target, version, bytes) {
  const line = Buffer.from(`${target} ${version}\n`)
  return bytes <= line.length ? line : Buffer.alloc(bytes, line)
}

/** Parses target and version. Undefined if the body is not from this origin. */
export function readBody(bytes) {
  const end = bytes.indexOf(10)
  const match = /^(\S+) (\d+)$/.exec(bytes.toString('latin1', 0, Math.max(0, end)))
  return match ? { target: match[1], version: Number(match[2]) } : undefined
}

export class ReplayOrigin {
  requests = 0
  bodyBytes = 0
  /** Requested targets that are not of a row in flight. */
  strays = []
  #current = new Map()
  #versions = new Map()
  #server

  /** @param {number} [lifetime] that it names, in seconds; undefined: none */
  static async start(lifetime) {
    const origin = new ReplayOrigin()
    origin.lifetime = lifetime
    origin.#server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
      request.resume()
      request.on('end', () => origin.#serve(request, response))
    })
    await new Promise((resolve, reject) => origin.#server.once('error', reject).listen(0, '127.0.0.1', resolve))
    return origin
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  /** Sets the state of the row's target. */
  expect(row, answer) {
    this.#current.set(row.key, answer)
  }

  /** The newest version of a page that was sent. `target` is the target at the origin. */
  version(target) {
    return this.#versions.get(target) ?? 0
  }

  stop() {
    return new Promise((resolve) => {
      this.#server.close(resolve)
      this.#server.closeAllConnections()
    })
  }

  #serve(request, response) {
    this.requests += 1
    const key = normalize(request.url)
    const answer = this.#current.get(key)
    if (!answer) {
      this.strays.push(`${request.method} ${request.url}`)
      return response.writeHead(404, { 'Cache-Control': 'no-store' }).end('no row of the log asks for this')
    }
    // Only a response to GET can be stored, so only GET creates a new version.
    const version = request.method === 'GET' ? this.version(request.url) + 1 : Math.max(1, this.version(request.url))
    this.#versions.set(request.url, version)
    const body = bodyOf(request.url, version, answer.bytes)
    response.writeHead(answer.status, {
      ...(answer.cacheControl === undefined ? {} : { 'Cache-Control': answer.cacheControl }),
      'Content-Length': body.length,
      'Content-Type': 'application/octet-stream',
      'X-Replay-Target': request.url,
    })
    if (request.method === 'HEAD') return response.end()
    this.bodyBytes += body.length
    response.end(body)
  }
}
