// The origin in a process of its own, so that it can be killed and stopped. Its parent controls it over IPC (origin.mjs),
// and it ends with its parent. It writes each request to a file at once, so that the list survives a kill.
//
//   node origin-process.mjs PORT FILE

import { openSync, writeSync } from 'node:fs'
import http from 'node:http'
import { ANONYMOUS, RETRY_AFTER_SECONDS, bytesOf, etagOf, pageOf, shortLength, versionAt } from './pages.mjs'

const [port, file] = process.argv.slice(2)
const requestFile = openSync(file, 'a')

/**
 * @typedef {object} Mode
 * @property {'none'|'cut'|'false-length'|'busy'|'slow'|'swapped'} fault
 * @property {number} [share]   share of the requests that it affects, 0 to 1
 * @property {number[]} [pauses] for `slow`: seconds before the head, in turn
 */

/** @type {Mode} */
let mode = { fault: 'none' }
let number = 0

process.on('message', (message) => {
  mode = message.mode ?? mode
  process.send({ done: message.id })
})
process.on('disconnect', () => process.exit())

// No time limits: a connection closed while the worker reuses it would look like another fault.
const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
  response.on('error', () => {})
  request.resume()
  answer(request, response)
})
server.on('clientError', (_, socket) => socket.destroy())
listen(Date.now() + 5_000)

/** Retries while the killed process still holds the port. */
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

/** The client of a request, by any field that identifies it; `visitor` must never arrive with a shared request. */
function userOf(request) {
  const cookies = request.headers.cookie ?? ''
  const authorization = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')
  return /(?:^|;\s*)(?:sessionid|visitor)=([^;]+)/.exec(cookies)?.[1] ?? authorization?.[1] ?? ANONYMOUS
}

function answer(request, response) {
  number += 1
  const share = mode.share ?? 1
  // Multiples of the golden ratio are spread evenly for any share.
  const affected = mode.fault !== 'none' && (number * 0.618034) % 1 < share
  const fault = affected ? mode.fault : 'none'
  writeSync(requestFile, `${request.url} ${fault}\n`)
  if (fault === 'slow') {
    const pause = mode.pauses[number % mode.pauses.length]
    return setTimeout(() => send(request, response, 'none'), pause * 1000)
  }
  send(request, response, fault)
}

function send(request, response, fault) {
  const page = pageOf(request.url)
  if (page === undefined) {
    return response.writeHead(404, { 'Cache-Control': 'no-store' }).end(`no such page: ${request.url}\n`)
  }
  const user = userOf(request)
  const gzip = page.gzip && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  const made = Date.now()
  const version = versionAt(page, made)
  const body = bytesOf(fault === 'swapped' ? swapped(page) : page, version, user, gzip)
  const etag = user === ANONYMOUS ? etagOf(page, version, gzip) : undefined
  const fields = {
    'Cache-Control': user === ANONYMOUS ? page.cacheControl : page.personalCacheControl,
    'Content-Type': 'application/octet-stream',
    'X-Made': made,
    ...(etag ? { ETag: etag } : {}),
    ...(page.gzip ? { Vary: 'Accept-Encoding' } : {}),
    ...(user !== ANONYMOUS && page.personal === 'cookie' ? { 'Set-Cookie': `sessionid=${user}; HttpOnly` } : {}),
  }
  if (fault === 'busy') {
    const retry = number % 2 ? { 'Cache-Control': 'no-store' } : { 'Retry-After': String(RETRY_AFTER_SECONDS) }
    return response.writeHead(503, { 'X-Made': made, 'X-Fault': 'busy', ...retry }).end(`busy: ${request.url}\n`)
  }
  if (etag && request.headers['if-none-match'] === etag) return response.writeHead(304, fields).end()
  if (gzip) fields['Content-Encoding'] = 'gzip'
  const part = requestedRange(request, page, etag, body.length)
  if (part) fields['Content-Range'] = `bytes ${part.first}-${part.last}/${body.length}`
  const status = part ? 206 : page.status
  const bytes = part ? body.subarray(part.first, part.last + 1) : body
  if (!page.chunked || part) fields['Content-Length'] = bytes.length
  if (request.method === 'HEAD') return response.writeHead(status, fields).end()
  if (fault === 'cut') return cut(response, status, fields, bytes)
  if (fault === 'false-length' && !page.chunked && !part) return sendFalseLength(response, status, fields, bytes)
  response.writeHead(status, fields).end(bytes)
}

/** The requested single range, for pages with an ETag. */
function requestedRange(request, page, etag, length) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const matches = [undefined, etag].includes(request.headers['if-range'])
  if (first === undefined || !etag || !matches || request.method !== 'GET' || page.status !== 200) return undefined
  const end = last === '' ? length - 1 : Math.min(Number(last), length - 1)
  return Number(first) <= end ? { first: Number(first), last: end } : undefined
}

/** Sends half of the body and closes the connection: by a FIN, or by a reset, which may overtake the bytes sent. */
function cut(response, status, fields, body) {
  response.writeHead(status, { ...fields, 'X-Fault': 'cut' })
  response.flushHeaders()
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => {
    // The half must be sent before, or the head is lost with it.
    setTimeout(() => (number % 3 ? response.socket?.destroy() : response.socket?.resetAndDestroy()), 30)
  })
}

/** Sends a false Content-Length: too long, and closes the connection; or too short, and sends the rest too. */
function sendFalseLength(response, status, fields, body) {
  // `response.socket` is still unset if an earlier false length, written past Node, left the connection open.
  const { socket } = response.req
  const tooLong = number % 2 === 0
  const length = tooLong ? body.length + 1_000 : shortLength(body)
  const fault = tooLong ? 'long-length' : 'short-length'
  // Written to the socket, because Node does not send a false length.
  const lines = Object.entries({ ...fields, 'Content-Length': length, 'X-Fault': fault, Date: new Date().toUTCString() })
  socket.write(`HTTP/1.1 ${status} OK\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
  socket.write(body, () => setTimeout(() => socket.destroy(), 30))
}

function swapped(page) {
  return pageOf(page.target === '/news/0' ? '/news/4' : '/news/0')
}
