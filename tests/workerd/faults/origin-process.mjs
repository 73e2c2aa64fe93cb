// The origin, as a process of its own, so that it can really be killed and stopped. Steered by its parent over IPC (see
// origin.mjs beside it), and ends with it. Each request is written to a file at once: what it was asked survives its death.
//
//   node origin-process.mjs PORT FILE

import { openSync, writeSync } from 'node:fs'
import http from 'node:http'
import { NOBODY, RETRY_AFTER_SECONDS, bytesOf, etagOf, pageOf, shortLength, versionAt } from './pages.mjs'

const [port, file] = process.argv.slice(2)
const asked = openSync(file, 'a')

/**
 * @typedef {object} Mode
 * @property {'well'|'cut'|'lie'|'busy'|'slow'|'swapped'} fault
 * @property {number} [share]   of the requests, 0 to 1, that it happens to
 * @property {number[]} [pauses] of `slow`: seconds before the head, in turn
 */

/** @type {Mode} */
let mode = { fault: 'well' }
let number = 0

process.on('message', (message) => {
  mode = message.mode ?? mode
  process.send({ done: message.id })
})
process.on('disconnect', () => process.exit())

// No limits of time: a connection closed while the worker reuses it would look like a fault of its own.
const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
  response.on('error', () => {})
  request.resume()
  answer(request, response)
})
server.on('clientError', (_, socket) => socket.destroy())
listen(Date.now() + 5_000)

/** The port may be held for a moment by what was killed. */
function listen(until) {
  server.once('error', (error) => {
    if (error.code !== 'EADDRINUSE' || Date.now() > until || process.argv[4] === 'once') {
      process.send({ failed: error.code })
      return process.exit(1)
    }
    setTimeout(() => listen(until), 20)
  })
  server.listen(Number(port), '127.0.0.1', () => {
    server.removeAllListeners('error')
    process.send({ ready: true })
  })
}

/** Who a request is from, by whatever tells it: `visitor` should never arrive with what is shared. */
function whoAsks(request) {
  const cookies = request.headers.cookie ?? ''
  const authorization = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')
  return /(?:^|;\s*)(?:sessionid|visitor)=([^;]+)/.exec(cookies)?.[1] ?? authorization?.[1] ?? NOBODY
}

function answer(request, response) {
  number += 1
  const share = mode.share ?? 1
  // The golden ratio's multiples spread evenly whatever the share is.
  const struck = mode.fault !== 'well' && (number * 0.618034) % 1 < share
  const fault = struck ? mode.fault : 'well'
  writeSync(asked, `${request.url} ${fault}\n`)
  if (fault === 'slow') {
    const pause = mode.pauses[number % mode.pauses.length]
    return setTimeout(() => send(request, response, 'well'), pause * 1000)
  }
  send(request, response, fault)
}

function send(request, response, fault) {
  const page = pageOf(request.url)
  if (page === undefined) {
    return response.writeHead(404, { 'Cache-Control': 'no-store' }).end(`no such page: ${request.url}\n`)
  }
  const who = whoAsks(request)
  const gzip = page.gzip && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  const made = Date.now()
  const version = versionAt(page, made)
  const body = bytesOf(fault === 'swapped' ? another(page) : page, version, who, gzip)
  const etag = who === NOBODY ? etagOf(page, version, gzip) : undefined
  const fields = {
    'Cache-Control': who === NOBODY ? page.says : page.saysOfPersons,
    'Content-Type': 'application/octet-stream',
    'X-Made': made,
    ...(etag ? { ETag: etag } : {}),
    ...(page.gzip ? { Vary: 'Accept-Encoding' } : {}),
    ...(who !== NOBODY && page.personal === 'cookie' ? { 'Set-Cookie': `sessionid=${who}; HttpOnly` } : {}),
  }
  if (fault === 'busy') {
    const says = number % 2 ? { 'Cache-Control': 'no-store' } : { 'Retry-After': String(RETRY_AFTER_SECONDS) }
    return response.writeHead(503, { 'X-Made': made, 'X-Told': 'busy', ...says }).end(`busy: ${request.url}\n`)
  }
  if (etag && request.headers['if-none-match'] === etag) return response.writeHead(304, fields).end()
  if (gzip) fields['Content-Encoding'] = 'gzip'
  const part = wantedPart(request, page, etag, body.length)
  if (part) fields['Content-Range'] = `bytes ${part.first}-${part.last}/${body.length}`
  const status = part ? 206 : page.status
  const bytes = part ? body.subarray(part.first, part.last + 1) : body
  if (!page.chunked || part) fields['Content-Length'] = bytes.length
  if (request.method === 'HEAD') return response.writeHead(status, fields).end()
  if (fault === 'cut') return cut(response, status, fields, bytes)
  if (fault === 'lie' && !page.chunked && !part) return lie(response, status, fields, bytes)
  response.writeHead(status, fields).end(bytes)
}

/** The one part that a Range asks for, of pages that say which version it is a part of. */
function wantedPart(request, page, etag, length) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const ours = [undefined, etag].includes(request.headers['if-range'])
  if (first === undefined || !etag || !ours || request.method !== 'GET' || page.status !== 200) return undefined
  const end = last === '' ? length - 1 : Math.min(Number(last), length - 1)
  return Number(first) <= end ? { first: Number(first), last: end } : undefined
}

/** Half of the body, and the connection breaks: by a FIN, or by a reset, which may overtake what was sent. */
function cut(response, status, fields, body) {
  response.writeHead(status, { ...fields, 'X-Told': 'cut' })
  response.flushHeaders()
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => {
    // The half must have left before, or the head is lost with it.
    setTimeout(() => (number % 3 ? response.socket?.destroy() : response.socket?.resetAndDestroy()), 30)
  })
}

/** A length that is not the body's: too long, and the connection ends; or too short, and the rest comes all the same. */
function lie(response, status, fields, body) {
  // The response has none yet if the lie before it, which Node knows nothing of, left the connection open.
  const { socket } = response.req
  const tooLong = number % 2 === 0
  const length = tooLong ? body.length + 1_000 : shortLength(body)
  const told = tooLong ? 'long-length' : 'short-length'
  // Written by hand: Node would not send a wrong length.
  const lines = Object.entries({ ...fields, 'Content-Length': length, 'X-Told': told, Date: new Date().toUTCString() })
  socket.write(`HTTP/1.1 ${status} OK\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
  socket.write(body, () => setTimeout(() => socket.destroy(), 30))
}

function another(page) {
  return pageOf(page.target === '/news/0' ? '/news/4' : '/news/0')
}
