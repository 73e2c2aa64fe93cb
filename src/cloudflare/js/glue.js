// The JavaScript that wasm calls besides `worker` and `wasm-bindgen`. README.md beside this file says why each piece
// exists. `glue.rs` is the Rust side, with `operation.rs`, `promise.rs` and `disconnect.rs`.
//
// A head is a text of lines: a name, its value, the next name, its value. A field cannot contain a line feed.

import { completed, disconnected, failed, linear, room } from 'edgekeep-wasm'

// ---- Instances ----

/** The number of the wasm instance. What an earlier instance began must not complete in a later one. */
let number = 0
let broken = false
export const instance = () => number
export const isBroken = () => broken
export function renew() {
  number++
  broken = false
  inbox = new Uint8Array(0)
  read = undefined
}

/** For each request or event whose call of wasm has not settled: the function that makes the call fail. */
const unsettled = new Map()

/**
 * Returns the result of a call of wasm that returns a promise. If the call throws, or the instance traps before the
 * promise has settled (it would never settle then), the result is that of `instead`, or the error if `instead` is not
 * given.
 */
export function untilTrap(event, call, instead) {
  return new Promise((resolve, reject) => {
    const fail = (error) => {
      unsettled.delete(event)
      if (instead === undefined) reject(error)
      else resolve(instead())
    }
    unsettled.set(event, fail)
    try {
      call().then((value) => {
        unsettled.delete(event)
        resolve(value)
      }, fail)
    } catch (error) {
      fail(error)
    }
  })
}

/** Removes a request that has ended: the runtime runs none of its callbacks any more. */
export const forget = (request) => unsettled.delete(request)

/**
 * Records an exception that came out of wasm: a trap (a panic and memory running out end in one), a stack overflow, or
 * what an import threw. Wasm's stack frames were not cleaned up, so the instance cannot continue.
 */
export function noteTrap(error) {
  if (broken) return
  broken = true
  console.error(`Edgekeep's wasm has trapped: ${error.stack ?? error}`)
  for (const fail of unsettled.values()) fail(error)
}

/**
 * Wraps a function that JavaScript calls later. It does nothing if the instance has trapped or was replaced by then. It
 * records a trap.
 */
function later(call) {
  const began = number
  return (value) => {
    if (began !== number || broken) return
    try {
      call(value)
    } catch (error) {
      noteTrap(error)
      throw error
    }
  }
}

/**
 * Polls wasm's futures that are ready. Records an exception, which would be lost otherwise: nothing awaits this
 * promise.
 */
const poll = (pollReady) => {
  try {
    pollReady()
  } catch (error) {
    noteTrap(error)
  }
}

// wasm-bindgen wakes futures by this function. The runtime's own wraps each callback in an object that only a major
// garbage collection frees. A minor one frees what a promise takes.
globalThis.queueMicrotask = (pollReady) => void Promise.resolve(pollReady).then(poll)

// ---- Texts into wasm ----

const encoder = new TextEncoder()
let inbox = new Uint8Array(0)

/** Writes a text into wasm's memory, and returns its length there in bytes. */
export function send(text) {
  // A UTF-16 unit becomes at most 3 bytes. When wasm's memory grows, the old view of it has length 0.
  const most = text.length * 3
  if (inbox.byteLength < most) {
    const bytes = Math.max(most, 16_384)
    const at = room(bytes)
    inbox = new Uint8Array(linear().buffer, at, bytes)
  }
  return encoder.encodeInto(text, inbox).written
}

// ---- Requests and their responses ----

/**
 * The names of the fields that wasm reads from requests which it looks up; undefined (all fields) until wasm sets them.
 */
let read

export const readOnly = (names) => (read = names.split('\n'))

/**
 * Returns the method, the URL, the marks `b` (the request has a body) and `m` (it may have more fields), and the fields
 * of a request. If it may be looked up and `whole` is false, these are only the fields that wasm reads.
 */
function requestHead(request, whole) {
  const { method, headers } = request
  const hasBody = request.body !== null
  const names = whole || hasBody || (method !== 'GET' && method !== 'HEAD') ? undefined : read
  let text = `${method}\n${request.url}\n${hasBody ? 'b' : ''}${names === undefined ? '' : 'm'}`
  if (names === undefined) {
    // A `for … of` loop would make an array of each field: 17 µs more of a hit's 340.
    headers.forEach((value, name) => (text += `\n${name}\n${value}`))
    return text
  }
  for (let n = 0; n < names.length; n++) {
    const value = headers.get(names[n])
    if (value !== null) text += `\n${names[n]}\n${value}`
  }
  return text
}

export const sendHead = (request, whole) => send(requestHead(request, whole))

/** Writes a field of a request into wasm's memory and returns its length; -1 if the request does not have it. */
export function sendField(request, name) {
  const value = request.headers.get(name)
  return value === null ? -1 : send(value)
}

/** Calls wasm when the client of a request disconnects. Without `enable_request_signal` the signal never fires. */
export function watch(request, id) {
  const gone = later(() => disconnected(id))
  // A listener that is added after the event is not called.
  if (request.signal.aborted) queueMicrotask(gone)
  else request.signal.addEventListener('abort', gone)
}

/**
 * Returns the Headers of a head. Values that are not UTF-8 are copied from one of `sources` (Headers, the best first)
 * that has a field of the same name and the same text. If none has it, the text itself is used; if `whole`, that is an
 * error.
 */
function headers(head, sources = [], whole = false) {
  if (head === '') return new Headers()
  const lines = head.split('\n')
  const copied = head.includes(LOST) ? copyOf(lines, sources, whole) : undefined
  const fields = copied ?? new Headers()
  const names = copied && new Set(copied.keys())
  for (let n = 0; n + 1 < lines.length; n += 2) if (!names?.has(lines[n])) fields.append(lines[n], lines[n + 1])
  return fields
}

// ---- Watchers of events: WebSockets of the ledger's object ----

/**
 * Sends a message to a watcher. Returns false if its socket is closed. The socket is closed if more than `most` characters
 * would have been sent since its last ping: the runtime does not say how much waits in a socket, and keeps all of it.
 */
export function tell(state, socket, message, most) {
  try {
    const pinged = state.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0
    const kept = socket.deserializeAttachment()
    const sent = (kept?.pinged === pinged ? kept.sent : 0) + message.length
    if (sent > most && sent > message.length) {
      socket.close(1013, 'too much waits: connect again')
      return false
    }
    socket.send(message)
    socket.serializeAttachment({ pinged, sent })
    return true
  } catch {
    // It was closed meanwhile.
    return false
  }
}

// ---- Values that are not UTF-8 ----

/**
 * The runtime shows bytes that are not UTF-8 as this character. Only a Headers that is copied whole keeps the bytes.
 */
const LOST = '\ufffd'

/** For each request: the Headers with such values that its origins and the Cache API returned, the newest first. */
const sources = new WeakMap()

/** Records such a Headers, if the request that it is for is known. */
function note(request, fields) {
  if (request === undefined) return
  if (!sources.has(request)) sources.set(request, [])
  sources.get(request).unshift(fields)
}

/**
 * The fields of wrappers with such values that this isolate has written, by URL. The runtime writes the bytes
 * unchanged, but Miniflare's Cache API reads them as text. A Headers belongs to no request.
 */
const written = new Map()

/** A wrapper has at most 120 KiB of fields (cache::entry, ENTRY_BYTES_MAX): 6 MB in all. */
const WRITTEN_MAX = 50

function remember(url, fields) {
  written.delete(url)
  written.set(url, fields)
  if (written.size > WRITTEN_MAX) written.delete(written.keys().next().value)
}

/**
 * Returns a Headers with such values only. They are copied from the first source that has the most of them: the runtime
 * cannot combine values of several Headers.
 */
function copyOf(lines, sources, whole) {
  const texts = new Map()
  for (let n = 0; n + 1 < lines.length; n += 2) {
    const [name, value] = [lines[n], lines[n + 1]]
    texts.set(name, texts.has(name) ? `${texts.get(name)}, ${value}` : value)
  }
  const lost = [...texts].filter(([, text]) => text.includes(LOST))
  let [best, names] = [undefined, []]
  for (const source of sources) {
    const has = lost.filter(([name, text]) => source.get(name) === text)
    if (has.length > names.length) [best, names] = [source, has]
  }
  if (whole && names.length < lost.length) throw new Error('the bytes of a field are lost')
  const fields = new Headers(best)
  const kept = new Set(names.map(([name]) => name))
  for (const name of [...fields.keys()]) if (!kept.has(name)) fields.delete(name)
  return fields
}

/** Bodies are bytes as the origin coded them: the runtime must not code them again. */
const coded = (fields) => (fields.has('content-encoding') ? 'manual' : 'automatic')

/** Returns a response to a request, made of these parts. */
export function respond(status, head, body, request) {
  const fields = headers(head, sources.get(request))
  return new Response(body, { status, headers: fields, encodeBody: coded(fields) })
}

/**
 * Returns a response made from one of the Cache API or a held one: its body, and its fields with the changes applied.
 */
export function respondFrom(status, changes, from) {
  const response = new Response(from.body, { status, headers: from.headers, encodeBody: changes.includes('content-encoding\n') ? 'manual' : 'automatic' })
  const fields = response.headers
  const lines = changes.split('\n')
  // A held response has no fields of its wrapper any more. For other responses, delete those that are not set anyway.
  const left = from instanceof Response ? new Set(OWN) : undefined
  for (let n = 0; n + 1 < lines.length; n += 2) {
    const [name, value] = [lines[n], lines[n + 1]]
    if (value === '\0') fields.delete(name)
    else if (left?.delete(name)) fields.set(name, value)
    else fields.append(name, value)
  }
  left?.forEach((name) => fields.delete(name))
  return response
}

/** Completes the operation with a file of the dashboard. Its module is evaluated when it is first asked for. */
export function dashboardFile(op, name) {
  reportOutcome(op, import('./dashboard.js'), ({ files }) => completed(op, undefined, send(files[name])))
}

/**
 * Copies the body of a response of the Cache API into memory. The outcome can be passed to respondFrom any number of
 * times, because a Headers and an ArrayBuffer belong to no request.
 */
export function copyResponse(op, cached) {
  const fields = new Headers(cached.headers)
  for (const name of OWN) fields.delete(name)
  const read = async () => cached.clone().arrayBuffer()
  reportOutcome(op, read(), (body) => completed(op, { body, headers: fields }, send(String(body.byteLength))))
}

/** Returns the body of a held response, or bytes, as a stream. */
export const streamOf = (bytes) => new Response('body' in bytes ? bytes.body : bytes).body

/**
 * Completes the operation with the number of bytes of a stream, and their SHA-256: of the decoded bytes if they are gzip.
 * Fails with LARGE if there are more than `most` bytes before or after that. Returns what cancels the operation, and the
 * stream with it.
 */
export function digestBody(op, stream, gzip, most) {
  const controller = new AbortController()
  const digest = new crypto.DigestStream('SHA-256')
  // It fails with the stream, which is reported below.
  ignore(digest.digest)
  const read = async () => {
    const decoder = gzip ? new DecompressionStream('gzip') : undefined
    const pumps = [pump(stream, decoder?.writable ?? digest, most, controller.signal)]
    if (gzip) pumps.push(pump(decoder.readable, digest, most, controller.signal))
    const [bytes] = await Promise.all(pumps)
    return { bytes, hash: new Uint8Array(await digest.digest) }
  }
  const reading = read()
  // Each pump ends with the other one: what neither reads any more would be kept for the client's own reader.
  reading.catch(() => controller.abort())
  const hex = (hash) => Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
  reportOutcome(op, reading, ({ bytes, hash }) => completed(op, undefined, send(`${bytes} ${hex(hash)}`)))
  return controller
}

/** Writes a stream of at most `most` bytes to another one, and returns how many bytes there were. */
async function pump(from, to, most, signal) {
  const reader = from.getReader()
  const writer = to.getWriter()
  const stop = (error) => (ignore(reader.cancel(error)), ignore(writer.abort(error)))
  signal.addEventListener('abort', () => stop(GONE))
  try {
    for (let bytes = 0; ; ) {
      const { done, value } = await reader.read()
      if (done) return await writer.close(), bytes
      bytes += value.byteLength
      if (bytes > most) throw LARGE
      await writer.write(value)
    }
  } catch (error) {
    stop(error)
    throw error
  }
}

/** Fields of an entry's wrapper that the stored response does not have, and fields that the Cache API may add. */
const OWN = ['edgekeep-entry', 'cache-control', 'cache-tag', 'cf-cache-status', 'age', 'date', 'expires']

// ---- Asynchronous operations: wasm receives the outcome under the number of the operation ----

function reportOutcome(op, promise, report) {
  promise.then(
    later(report),
    later((error) => failed(op, error)),
  )
}

/** Completes the operation when a promise settles. */
export const settle = (op, promise) => reportOutcome(op, promise, (value) => completed(op, value, 0))

export function match(op, url, request) {
  reportOutcome(op, caches.default.match(url), (response) => {
    const text = response?.headers.get('edgekeep-entry') ?? ''
    // The entry's text has U+FFFD in this form (src/cache/policy/entry.rs).
    if (text.includes('\\fffd;')) {
      const own = written.get(url)
      note(request, own?.get('edgekeep-entry') === text ? own : response.headers)
    }
    completed(op, response, send(text))
  })
}

/** Stores a response. Fails if bytes of its fields were lost. */
export function put(op, url, head, body, request) {
  const fields = headers(head, sources.get(request), true)
  const response = new Response(body, { headers: fields })
  reportOutcome(op, caches.default.put(url, response), () => {
    if (head.includes(LOST)) remember(url, fields)
    completed(op, undefined, 0)
  })
}

/**
 * Returns the body of a request to an origin, and whether all of it was sent. If the client stops sending or breaks
 * off, the runtime reports a lost connection to the origin: only a pipe shows whether all was sent. A body of unknown
 * length (negative) does not go through a pipe, because a pipe that breaks would end it at the origin as if it were
 * complete.
 */
function upload(body, length) {
  // All of it has been received: the runtime sends its length by itself.
  if (ArrayBuffer.isView(body)) return { readable: body, isSent: true }
  if (length < 0) return { readable: body, isSent: false }
  const { readable, writable } = new FixedLengthStream(length)
  const sending = { readable, isSent: false }
  body.pipeTo(writable).then(
    () => (sending.isSent = true),
    () => {},
  )
  return sending
}

/**
 * Sends a request to an origin. The response head must arrive within `headMs`, and the body within `bodyMs` after that;
 * 0 means no timeout. The outcome is the response and a text: its status, marks, and its fields. A response body whose
 * Content-Length is at most `shortBytes` is read whole; the outcome is then its bytes instead of the response, with the
 * mark `1`. The mark `u` means that the response came before the request's body was sent.
 */
export function sendToOrigin(op, method, url, head, body, length, headMs, bodyMs, shortBytes, request) {
  const controller = new AbortController()
  const abortAfter = (milliseconds) => (milliseconds > 0 ? setTimeout(() => controller.abort(LATE), milliseconds) : undefined)
  const init = {
    method,
    headers: headers(head, request === undefined ? [] : [request.headers]),
    redirect: 'manual',
    // Bodies stay as the origin coded them, so that they can be stored and passed on byte for byte.
    encodeResponseBody: 'manual',
    signal: controller.signal,
  }
  // Do not use the zone's own cache: our purges do not reach it.
  if (method === 'GET' || method === 'HEAD') init.cache = 'no-store'
  const sending = body === undefined ? undefined : upload(body, length)
  if (sending !== undefined) init.body = sending.readable
  const timers = [abortAfter(headMs)]
  let response
  const exchange = async () => {
    response = await fetch(url, init)
    const length = response.body !== null && shortBytes > 0 ? Number(response.headers.get('content-length') ?? NaN) : NaN
    if (!(length <= shortBytes)) {
      if (bodyMs > 0 && response.body !== null) setTimeout(() => controller.abort(LATE), bodyMs)
      return response
    }
    // The timer of the head continues.
    if (headMs === 0 || bodyMs < headMs) timers.push(abortAfter(bodyMs))
    return new Uint8Array(await response.arrayBuffer())
  }
  const isUnsent = () => sending?.isSent === false
  const failed = (error) => {
    // A body that breaks off is a different failure from a head that never came.
    if (response === undefined) throw isUnsent() ? UNSENT + (error?.message ?? error) : error
    throw controller.signal.aborted ? LATE : CUT
  }
  const answer = exchange().catch(failed).finally(() => timers.forEach((timer) => clearTimeout(timer)))
  reportOutcome(op, answer, (answer) => {
    const isWhole = answer !== response
    let text = `${response.status}\n${isWhole ? '1' : ''}${isUnsent() ? 'u' : ''}`
    response.headers.forEach((value, name) => {
      // The runtime fails a truncated body. If the length differs nevertheless, the body was changed on its way.
      if (isWhole && name === 'content-length' && Number(value) !== answer.byteLength) return
      text += `\n${name}\n${value}`
    })
    if (text.includes(LOST)) note(request, response.headers)
    completed(op, answer, send(text))
  })
  return controller
}

/**
 * The reasons of an abort for a timeout, and of one because the operation was dropped; the failures of a short body that
 * broke off and of a body too long for a digest; and the prefix of a failure when the request's own body was not sent to its end. Without a reason an abort
 * makes an exception with a stack trace: 1.3 KB that only a major garbage collection frees.
 */
const LATE = 'edgekeep: late'
const GONE = 'edgekeep: gone'
const CUT = 'edgekeep: cut'
const LARGE = 'edgekeep: large'
const UNSENT = 'edgekeep: unsent: '

/** Completes after this time. If it is cancelled before, it never completes. */
export function sleep(op, milliseconds) {
  return setTimeout(
    later(() => completed(op, undefined, 0)),
    milliseconds,
  )
}

/** Cancels what `sendToOrigin` or `sleep` began. */
export function cancel(handle) {
  if (handle instanceof AbortController) handle.abort(GONE)
  else clearTimeout(handle)
}

/** Handles the rejection of a promise that is not awaited: the runtime would report it. */
export function ignore(promise) {
  promise.catch(() => {})
}

export const log = (line) => console.log(line)
export const logError = (line) => console.error(line)
