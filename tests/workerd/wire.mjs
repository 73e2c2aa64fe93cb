// A client that sends requests and returns responses unchanged. `fetch` would add fields, decode bodies and rewrite
// targets, which would hide what the worker does.

import http from 'node:http'
import { cacheStatus } from '../../scripts/replay/cache-status.mjs'

/** A response, or the part of it that came before the connection broke (`complete` is false then). */
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

  /** The whole response, for a failure message. */
  toString() {
    const head = this.fields.map(([name, value]) => `${name}: ${value}`)
    const start = this.body.toString('latin1', 0, 600)
    const binary = /[^\t\n\r\x20-\x7e]/.test(start) && this.text.includes('\ufffd')
    const body = binary ? `(${this.body.length} bytes, not text)` : this.body.length > 600 ? `${start}… (${this.body.length} bytes)` : this.text
    return [this.status, ...head, '', body, ...(this.complete ? [] : ['(the connection broke here)'])].join('\n')
  }
}

/**
 * Sends one request on a new connection. Adds Host, and `Connection: close` unless a Connection field is given; it ends at
 * the worker.
 *
 * @param {string} base address of the socket, `http://127.0.0.1:port`
 * @param {object} request
 * @param {string} request.host value of the Host field; the socket is always `base`
 * @param {string} [request.path] the request target, sent unchanged
 * @param {[string, string][]} [request.fields]
 * @param {Buffer|string} [request.body] sent with a Content-Length
 * @param {(Buffer|string)[]} [request.chunks] sent without one
 * @param {number} [request.leaveAfter] disconnects after so many bytes of the body
 * @returns {Promise<Answer>} rejected when there is no head within the timeout
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
    const timer = setTimeout(() => request.destroy(new Error(`no complete response to ${method} ${path} in ${timeout} ms`)), timeout)
    let head
    const received = []
    const done = (complete) => {
      clearTimeout(timer)
      resolve(new Answer(head.statusCode, pairs(head.rawHeaders), Buffer.concat(received), complete))
    }
    request.on('error', (error) => {
      clearTimeout(timer)
      // A response may arrive, and the connection break, before the request is sent completely.
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
    // As bytes: with a string body Node writes the head in the string's encoding, but fields are Latin-1.
    for (const chunk of chunks ?? []) request.write(Buffer.from(chunk))
    request.end(body === undefined ? undefined : Buffer.from(body))
  })
}

/** Converts Node's flat list of names and values to pairs. */
export function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]])
}

/** Waits until `condition` holds; returns whether it did in time. */
export async function until(condition, milliseconds, every = 10) {
  const end = Date.now() + milliseconds
  for (;;) {
    if (await condition()) return true
    if (Date.now() >= end) return false
    await sleep(every)
  }
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
