// What wasm asks of JavaScript beyond `worker` and `wasm-bindgen`. README.md beside this file says why each piece exists.
// `glue.rs` is the other side, with `operation.rs`, `promise.rs` and `disconnect.rs`.
//
// A head is a text of lines: a name, its value, the next name, its value. No field can hold a line feed.

import { disconnected, failed, landed, linear, room } from 'edgekeep-wasm'

// ---- Instances ----

/** Counts instances of the wasm: what an earlier one began must not land in a later one. */
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

/** How to end each call of wasm that has not settled, by the request or event that it is about. */
const unsettled = new Map()

/**
 * The result of a call of wasm that returns a promise. If it throws, or the instance traps before it has settled (nothing
 * would settle it then), the result is what `instead` makes, or else the error.
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

/** Forgets a request that has ended: the runtime runs none of its callbacks any more. */
export const forget = (request) => unsettled.delete(request)

/**
 * Notes an exception that came out of wasm: a trap (a panic ends in one, as memory that runs out does), a stack overflow, or
 * what an import threw. Wasm's frames were left without cleaning up, so the instance cannot go on.
 */
export function noteTrap(error) {
  if (broken) return
  broken = true
  console.error(`Edgekeep's wasm has trapped: ${error.stack ?? error}`)
  for (const fail of unsettled.values()) fail(error)
}

/** A function that JavaScript calls later: not if wasm has a new instance since, and a trap in it is noted. */
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

/** Polls what is ready of wasm's futures. An exception in it would be lost otherwise: nobody awaits its promise. */
const poll = (pollReady) => {
  try {
    pollReady()
  } catch (error) {
    noteTrap(error)
  }
}

// wasm-bindgen wakes futures by this function. The runtime's own wraps each callback in an object that only a major
// garbage collection frees; what a promise takes is freed by a minor one.
globalThis.queueMicrotask = (pollReady) => void Promise.resolve(pollReady).then(poll)

// ---- Texts into wasm ----

const encoder = new TextEncoder()
let inbox = new Uint8Array(0)

/** Puts a text where wasm finds it, and returns its length there in bytes. */
export function send(text) {
  // A unit of UTF-16 becomes 3 bytes at most. When wasm's memory grows, the old view of it has no bytes any more.
  const most = text.length * 3
  if (inbox.byteLength < most) {
    const bytes = Math.max(most, 16_384)
    const at = room(bytes)
    inbox = new Uint8Array(linear().buffer, at, bytes)
  }
  return encoder.encodeInto(text, inbox).written
}

// ---- Requests and their responses ----

/** The fields that wasm reads of a request which it looks up; all of them until wasm has named them. */
let read

export const readOnly = (names) => (read = names.split('\n'))

/**
 * The method, the URL, whether there is a body (`b`) and whether there may be more fields (`m`), and the fields of a
 * request: if it may be looked up and `whole` is false, those that wasm reads.
 */
function requestHead(request, whole) {
  const { method, headers } = request
  const names = whole || (method !== 'GET' && method !== 'HEAD') ? undefined : read
  let text = `${method}\n${request.url}\n${request.body === null ? '' : 'b'}${names === undefined ? '' : 'm'}`
  if (names === undefined) {
    // A loop by `for … of` would make an array of each field: 17 µs more of a hit's 340.
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

/** Sends a field of a request; gives -1 if it has none of that name. */
export function sendField(request, name) {
  const value = request.headers.get(name)
  return value === null ? -1 : send(value)
}

/** Calls wasm when the client of a request has gone. Without `enable_request_signal` the signal never fires. */
export function watch(request, id) {
  const gone = later(() => disconnected(id))
  // A listener that comes too late is not called.
  if (request.signal.aborted) queueMicrotask(gone)
  else request.signal.addEventListener('abort', gone)
}

/**
 * The fields of a head. Values that are not UTF-8 are taken from one of `sources` (Headers, the best first), which has them
 * under the same name, and shows them as the same text. If none has: the text, or an error where all must be `whole`.
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

// ---- Values that are not UTF-8 ----

/** The runtime shows bytes that are not UTF-8 as this character. Only a Headers that is copied whole has them still. */
const LOST = '\ufffd'

/** Of each request, the Headers of its origins and of the Cache API that have such values, the newest first. */
const sources = new WeakMap()

/** Notes such a Headers, unless no request is known that it is for. */
function note(request, fields) {
  if (request === undefined) return
  if (!sources.has(request)) sources.set(request, [])
  sources.get(request).unshift(fields)
}

/**
 * The fields of wrappers with such values that this isolate has written, by URL: the runtime writes them as they are, but
 * Miniflare's Cache API reads them as text. A Headers belongs to no request.
 */
const written = new Map()

/** A wrapper has at most 120 KiB of fields (cache::entry, ENTRY_BYTES_MAX): 6 MB in all. */
const WRITTEN_MAX = 50

function remember(url, fields) {
  written.delete(url)
  written.set(url, fields)
  if (written.size > WRITTEN_MAX) written.delete(written.keys().next().value)
}

/** A Headers with such values alone: of the first source that has all of them, or most; the runtime mixes none. */
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

/** A response of these parts to a request. */
export function respond(status, head, body, request) {
  const fields = headers(head, sources.get(request))
  return new Response(body, { status, headers: fields, encodeBody: coded(fields) })
}

/** A response made from one of the Cache API, or from what is held of one: its body, and its fields with the changes. */
export function respondFrom(status, changes, from) {
  const response = new Response(from.body, { status, headers: from.headers, encodeBody: changes.includes('content-encoding\n') ? 'manual' : 'automatic' })
  const fields = response.headers
  const lines = changes.split('\n')
  // What is held has none of its wrapper's fields any more. Of others, those are deleted that are not set anyway.
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

/**
 * Copies the body of a response of the Cache API into memory: what is then given to respondFrom any number of times. A
 * Headers and an ArrayBuffer belong to no request.
 */
export function hold(op, cached) {
  const fields = new Headers(cached.headers)
  for (const name of OWN) fields.delete(name)
  const read = async () => cached.clone().arrayBuffer()
  land(op, read(), (body) => landed(op, { body, headers: fields }, send(String(body.byteLength))))
}

/** The body of what is held, or bytes, as a stream. */
export const streamOf = (bytes) => new Response('body' in bytes ? bytes.body : bytes).body

/** Fields of an entry's wrapper that are not the stored response's, and what the Cache API may add. */
const OWN = ['edgekeep-entry', 'cache-control', 'cache-tag', 'cf-cache-status', 'age', 'date', 'expires']

// ---- Work that takes time: it lands in wasm under the number of its operation ----

function land(op, promise, tell) {
  promise.then(
    later(tell),
    later((error) => failed(op, error)),
  )
}

/** Lands when a promise settles. */
export const settle = (op, promise) => land(op, promise, (value) => landed(op, value, 0))

export function match(op, url, request) {
  land(op, caches.default.match(url), (response) => {
    const text = response?.headers.get('edgekeep-entry') ?? ''
    // As the entry's text has U+FFFD (src/cache/policy/entry.rs).
    if (text.includes('\\fffd;')) {
      const own = written.get(url)
      note(request, own?.get('edgekeep-entry') === text ? own : response.headers)
    }
    landed(op, response, send(text))
  })
}

/** Stores a response, unless bytes of its fields were lost. */
export function put(op, url, head, body, request) {
  const fields = headers(head, sources.get(request), true)
  const response = new Response(body, { headers: fields })
  land(op, caches.default.put(url, response), () => {
    if (head.includes(LOST)) remember(url, fields)
    landed(op, undefined, 0)
  })
}

/**
 * The body of a request on its way to an origin. Whatever fails while a client stops sending, or breaks off, the runtime
 * reports as a lost connection: only a pipe tells whether all was sent. Of a body of no known length (negative) nobody can
 * tell: a pipe that breaks would end it at the origin as if it were complete.
 */
function upload(body, length) {
  // All of it has come: the runtime sends its length by itself.
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
 * Sends a request to an origin: for a head within `headMs` and a body within `bodyMs` more, if these are not 0. Lands with
 * the response and a text: its status, marks, and its fields. A body with a Content-Length of at most `shortBytes` is waited
 * for: it lands instead of the response, marked by `1`. `u` marks a response that came before the request's body was sent.
 */
export function ask(op, method, url, head, body, length, headMs, bodyMs, shortBytes, request) {
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
  // Not through the zone's own cache, which our purges do not reach.
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
    // The timer of the head runs on.
    if (headMs === 0 || bodyMs < headMs) timers.push(abortAfter(bodyMs))
    return new Uint8Array(await response.arrayBuffer())
  }
  const isUnsent = () => sending?.isSent === false
  const failed = (error) => {
    // A body that breaks off is another failure than a head that never came.
    if (response === undefined) throw isUnsent() ? UNSENT + (error?.message ?? error) : error
    throw controller.signal.aborted ? LATE : CUT
  }
  const answer = exchange().catch(failed).finally(() => timers.forEach((timer) => clearTimeout(timer)))
  land(op, answer, (answer) => {
    const isWhole = answer !== response
    let text = `${response.status}\n${isWhole ? '1' : ''}${isUnsent() ? 'u' : ''}`
    response.headers.forEach((value, name) => {
      // The runtime fails a body that is cut; one of another length all the same was changed on its way.
      if (isWhole && name === 'content-length' && Number(value) !== answer.byteLength) return
      text += `\n${name}\n${value}`
    })
    if (text.includes(LOST)) note(request, response.headers)
    landed(op, answer, send(text))
  })
  return controller
}

/**
 * The reason of an abort for lateness, of one because nobody waits any more, and of a short body that did not come whole.
 * Without a reason an abort makes an exception with a trace of its stack: 1.3 KB that only a major garbage collection frees.
 */
const LATE = 'edgekeep: late'
const GONE = 'edgekeep: gone'
const CUT = 'edgekeep: cut'
const UNSENT = 'edgekeep: unsent: '

/** Lands after some time, unless it is cancelled before: then it never lands. */
export function sleep(op, milliseconds) {
  return setTimeout(
    later(() => landed(op, undefined, 0)),
    milliseconds,
  )
}

/** Ends what `ask` or `sleep` began. */
export function cancel(handle) {
  if (handle instanceof AbortController) handle.abort(GONE)
  else clearTimeout(handle)
}

/** Handles the failure of a promise that nobody waits for: the runtime would report it. */
export function ignore(promise) {
  promise.catch(() => {})
}

export const log = (line) => console.log(line)
export const logError = (line) => console.error(line)
