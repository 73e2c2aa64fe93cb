// A client that sends a request as it is written and shows an answer as it came. `fetch` would add fields of its own,
// decode bodies and rewrite targets, so a test could not tell what the worker did.

import http from 'node:http'
import { cacheStatus } from '../../scripts/replay/cache-status.mjs'

/** An answer, or the part of it that came before the connection broke (`complete` is false then). */
export class Answer {
  constructor(status, fields, body, complete) {
    this.status = status
    this.fields = fields
    this.body = body
    this.complete = complete
  }

  /** Every line of a field, in order. */
  all(name) {
    return this.fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  }

  /** The field's lines joined, or undefined. */
  field(name) {
    const values = this.all(name)
    return values.length > 0 ? values.join(', ') : undefined
  }

  get text() {
    return this.body.toString('utf8')
  }

  /** Parameters of Edgekeep's member of Cache-Status. */
  get cache() {
    return cacheStatus(this.field('cache-status')) ?? new Map()
  }

  get hit() {
    return this.cache.has('hit')
  }

  /** The whole answer, for a failure message. */
  toString() {
    const head = this.fields.map(([name, value]) => `${name}: ${value}`)
    const start = this.body.toString('latin1', 0, 600)
    const binary = /[^\t\n\r\x20-\x7e]/.test(start) && this.text.includes('\ufffd')
    const body = binary ? `(${this.body.length} bytes, not text)` : this.body.length > 600 ? `${start}… (${this.body.length} bytes)` : this.text
    return [this.status, ...head, '', body, ...(this.complete ? [] : ['(the connection broke here)'])].join('\n')
  }
}

/**
 * Sends one request on a connection of its own. Fields beside the given ones: Host, and `Connection: close` unless a
 * Connection field is given, which ends at the worker.
 *
 * @param {string} base address of the socket, `http://127.0.0.1:port`
 * @param {object} request
 * @param {string} request.host what the Host field says; the socket is always `base`
 * @param {string} [request.path] the request target, sent as it is
 * @param {[string, string][]} [request.fields]
 * @param {Buffer|string} [request.body] sent with a Content-Length
 * @param {(Buffer|string)[]} [request.chunks] sent without one
 * @param {number} [request.leaveAfter] breaks the connection after so many bytes of the body
 * @returns {Promise<Answer>} rejected when there is no head within the time
 */
export function send(base, { host, method = 'GET', path = '/', fields = [], body, chunks, leaveAfter, timeout = 20_000 }) {
  const address = new URL(base)
  const lines = [['Host', host], ...fields]
  const bodiless = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE'].includes(method)
  const named = fields.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name))
  if (chunks) lines.push(['Transfer-Encoding', 'chunked'])
  else if (!named && (body !== undefined || !bodiless)) lines.push(['Content-Length', String(Buffer.byteLength(body ?? ''))])

  return new Promise((resolve, reject) => {
    const request = http.request({
      host: address.hostname, port: address.port, method, path, headers: lines, agent: false, setHost: false, maxHeaderSize: 131_072,
    })
    const timer = setTimeout(() => request.destroy(new Error(`no whole answer to ${method} ${path} in ${timeout} ms`)), timeout)
    let head
    const received = []
    const done = (complete) => {
      clearTimeout(timer)
      resolve(new Answer(head.statusCode, pairs(head.rawHeaders), Buffer.concat(received), complete))
    }
    request.on('error', (error) => {
      clearTimeout(timer)
      // An answer may come, and the connection break, while we are still sending.
      if (head) done(false)
      else reject(new Error(`${method} http://${host}${path}: ${error.message}`, { cause: error }))
    })
    request.on('response', (response) => {
      head = response
      let bytes = 0
      response.on('data', (chunk) => {
        received.push(chunk)
        bytes += chunk.length
        if (leaveAfter !== undefined && bytes >= leaveAfter) request.destroy()
      })
      response.on('end', () => done(response.complete))
      response.on('error', () => done(false))
    })
    // As bytes: before a text Node writes the head in the text's encoding, and fields are Latin-1.
    for (const chunk of chunks ?? []) request.write(Buffer.from(chunk))
    request.end(body === undefined ? undefined : Buffer.from(body))
  })
}

/** Node's flat list of names and values as pairs. */
export function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]])
}

/** Waits until `condition` holds; says whether it came to hold in time. */
export async function until(condition, milliseconds, every = 10) {
  const end = Date.now() + milliseconds
  for (;;) {
    if (await condition()) return true
    if (Date.now() >= end) return false
    await sleep(every)
  }
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
