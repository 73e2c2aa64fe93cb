// The backends of workerd during a measurement: a cache, a KV namespace, and an origin. They run in this process, outside of
// workerd's figures, and write each response in one piece, so that workerd reads it in one.

import { createServer } from 'node:net'

const ARTICLE = Buffer.from('<p>lorem ipsum dolor</p>\n'.repeat(82)).subarray(0, 2048)

/** The three backends and their requests by method: `counts.cache`, `counts.kv`, `counts.origin`. */
export class Backends {
  counts = {}
  /** Delay of the cache's responses. */
  cacheDelayMs = 0
  #servers = []
  #sockets = new Set()
  #cache = new Map()
  #kv = new Map()

  static async start() {
    const backends = new Backends()
    backends.ports = {
      cache: await backends.#listen('cache', (request) => backends.#answerCache(request)),
      kv: await backends.#listen('kv', (request) => backends.#answerKv(request)),
      origin: await backends.#listen('origin', answerOrigin),
    }
    return backends
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }

  /** Number of calls, such as `of('cache', 'PUT')`. */
  of(name, method) {
    return this.counts[name].get(method) ?? 0
  }

  /** Clears the stores, which may have bodies of hundreds of megabytes. */
  forget() {
    this.#cache.clear()
    this.#kv.clear()
  }

  #listen(name, answer) {
    const counts = new Map()
    this.counts[name] = counts
    const server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {}) // a signal ends workerd
      const reader = new Reader((request) => {
        counts.set(request.method, (counts.get(request.method) ?? 0) + 1)
        const pieces = answer(request)
        const write = () => {
          socket.cork()
          for (const piece of pieces) socket.write(piece)
          socket.uncork()
        }
        const slow = Number(request.target.match(/^\/slow\/(\d+)\//)?.[1] ?? 0)
        const delay = name === 'origin' ? slow : name === 'cache' ? this.cacheDelayMs : 0
        if (delay > 0) setTimeout(write, delay)
        else write()
      })
      socket.on('data', (bytes) => reader.take(bytes))
    })
    this.#servers.push(server)
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))
  }

  /** workerd's Cache API reads by GET, stores by a PUT with a whole response as its body, and deletes by PURGE. */
  #answerCache({ method, target, fields, body }) {
    const key = `${fields.get('cf-cache-namespace') ?? ''} ${fields.get('host')}${target}`
    if (method === 'PUT') {
      this.#cache.set(key, asHit(Buffer.concat(body)))
      return [head('204 No Content')]
    }
    if (method === 'PURGE') return [head(this.#cache.delete(key) ? '200 OK' : '404 Not Found', ['Content-Length: 0'])]
    return [this.#cache.get(key) ?? head('504 Gateway Timeout', ['CF-Cache-Status: MISS', 'Content-Length: 0'])]
  }

  #answerKv({ method, target, fields, body }) {
    const key = target.split('?')[0]
    if (method === 'PUT') {
      this.#kv.set(key, { value: Buffer.concat(body), metadata: fields.get('cf-kv-metadata') })
      return [head('200 OK', ['Content-Length: 0'])]
    }
    const held = this.#kv.get(key)
    if (method === 'DELETE') this.#kv.delete(key)
    if (method !== 'GET' || held === undefined) return [head(held ? '200 OK' : '404 Not Found', ['Content-Length: 0'])]
    const metadata = held.metadata === undefined ? [] : [`CF-KV-Metadata: ${held.metadata}`]
    return [Buffer.concat([head('200 OK', [...metadata, `Content-Length: ${held.value.length}`]), held.value])]
  }
}

/**
 * An article of a blog with usual fields; below /big/N/ a body of N bytes; below /slow/MS/ after a delay; below a folder
 * 'never' no response.
 */
function answerOrigin({ target }) {
  if (target.includes('/never/')) return []
  const size = Number(target.match(/^\/big\/(\d+)\//)?.[1] ?? 0)
  const body = size > 0 ? Buffer.alloc(size, 'edgekeep') : ARTICLE
  const fields = [
    `Content-Type: ${size > 0 ? 'application/octet-stream' : 'text/html; charset=utf-8'}`,
    'Cache-Control: public, max-age=3600',
    'Cache-Tag: article-7, front, blog',
    'ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4"',
    'Last-Modified: Wed, 21 Oct 2026 07:28:00 GMT',
    'Vary: Accept-Encoding',
    'X-Frame-Options: SAMEORIGIN',
    'X-Content-Type-Options: nosniff',
    'Server: nginx',
    `Date: ${new Date().toUTCString()}`,
    `Content-Length: ${body.length}`,
  ]
  const start = head('200 OK', fields)
  return size > 0 ? [start, body] : [Buffer.concat([start, body])]
}

function head(status, fields = []) {
  return Buffer.from(`HTTP/1.1 ${status}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`, 'latin1')
}

/** A stored response as the cache returns it: with Content-Length, and marked as a hit. */
function asHit(stored) {
  const end = stored.indexOf('\r\n\r\n')
  const [status, ...fields] = stored.toString('latin1', 0, end).split('\r\n')
  let body = stored.subarray(end + 4)
  if (fields.some((field) => /^transfer-encoding:\s*chunked$/i.test(field))) body = unchunked(body)
  const kept = fields.filter((field) => !/^(content-length|transfer-encoding|connection):/i.test(field))
  const start = head(status.replace(/^HTTP\/1.1 /, ''), ['CF-Cache-Status: HIT', ...kept, `Content-Length: ${body.length}`])
  return Buffer.concat([start, body])
}

function unchunked(body) {
  let whole
  new Reader((request) => (whole = Buffer.concat(request.body)), 'chunked').take(body)
  if (whole === undefined) throw new Error('workerd stored a chunked body without an end')
  return whole
}

/** Parses HTTP/1.1 requests: heads, and bodies with Content-Length or chunked. */
class Reader {
  #rest = Buffer.alloc(0)
  #state = 'head'
  #remaining = 0
  #request = { body: [] }
  #done

  constructor(done, state = 'head') {
    this.#done = done
    this.#state = state
  }

  take(bytes) {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#step()) {}
  }

  /** Parses one line, one head, or the received part of a body; returns false if more bytes are needed. */
  #step() {
    switch (this.#state) {
      case 'head':
        return this.#readHead()
      case 'chunked': {
        const line = this.#upTo('\r\n')
        if (line === undefined) return false
        this.#remaining = Number.parseInt(line, 16)
        this.#state = this.#remaining === 0 ? 'trailer' : 'chunk'
        return true
      }
      case 'trailer':
        return this.#upTo('\r\n') !== undefined && this.#end()
      case 'chunk end':
        return this.#upTo('\r\n') !== undefined && this.#go('chunked')
      default:
        return this.#readBody()
    }
  }

  #readHead() {
    const text = this.#upTo('\r\n\r\n')
    if (text === undefined) return false
    const [line, ...lines] = text.split('\r\n')
    const [method, target] = line.split(' ')
    const fields = new Map(lines.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]))
    this.#request = { method, target, fields, body: [] }
    if (fields.get('transfer-encoding') === 'chunked') return this.#go('chunked')
    this.#remaining = Number(fields.get('content-length') ?? 0)
    return this.#remaining === 0 ? this.#end() : this.#go('whole')
  }

  #readBody() {
    if (this.#rest.length === 0) return false
    const piece = this.#rest.subarray(0, this.#remaining)
    this.#rest = this.#rest.subarray(piece.length)
    this.#remaining -= piece.length
    this.#request.body.push(piece)
    if (this.#remaining > 0) return false
    return this.#state === 'whole' ? this.#end() : this.#go('chunk end')
  }

  #upTo(mark) {
    const at = this.#rest.indexOf(mark)
    if (at < 0) return undefined
    const text = this.#rest.toString('latin1', 0, at)
    this.#rest = this.#rest.subarray(at + mark.length)
    return text
  }

  #go(state) {
    this.#state = state
    return true
  }

  #end() {
    this.#done(this.#request)
    this.#request = { body: [] }
    return this.#go('head')
  }
}
