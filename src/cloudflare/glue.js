// What wasm asks of JavaScript. A call between the two costs about as much as reading a header field, and each text that
// goes with it again; so a head travels as one text, and one call does what a promise with its two closures, or a list
// of pairs, would take a dozen for. `src/cloudflare/glue.rs` is the other side.
//
// A head is a text of lines: a name, its value, the next name, its value. No field can hold a line feed.

import { failed, landed, linear, room } from 'edgekeep-wasm'

/** Which instance of the wasm this is: what an earlier one had begun must not land in a later one. */
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

// ---- Texts into wasm ----

const encoder = new TextEncoder()
let inbox = new Uint8Array(0)

/**
 * Puts a text where wasm finds it, and gives back how many bytes it has there. (Generated code allocates memory for each
 * text, and writes it letter by letter.)
 */
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

/** A panic traps, by which it is told from an exception of another kind. What it held up will never be answered. */
export function note(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return
  broken = true
  for (const { reject } of waiting.values()) reject(error)
  waiting.clear()
  for (const close of open.values()) close()
  open.clear()
}

// ---- Requests and their answers ----

const waiting = new Map()
let last = 0
let ready

export const expect = () => ++last

/** The fields that wasm reads of a request which it looks up; until it has said so, all. */
let read

export const readOnly = (names) => (read = names.split('\n'))

/**
 * The method, the URL, whether there is a body (`b`) and whether there may be more fields (`m`), and the fields of a
 * request: if it may be looked up and `whole` is not said, those that wasm reads.
 */
export function requestHead(request, whole) {
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

/** Sends the head of a request with all its fields. */
export const sendWhole = (request) => send(requestHead(request, true))

/** The response to a request, or a promise of it if wasm waits for something. */
export function answer(id) {
  if (ready !== undefined && ready.id === id) {
    const { response } = ready
    ready = undefined
    return response
  }
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
}

/** Gives a request its response. */
export function deliver(id, response) {
  const waiter = waiting.get(id)
  if (waiter === undefined) {
    ready = { id, response }
  } else {
    waiting.delete(id)
    waiter.resolve(response)
  }
}

/** What keeps requests open behind their responses: how each of them ends. */
const open = new Map()

export function keepOpen(context) {
  const number = ++last
  context.waitUntil(new Promise((resolve) => open.set(number, resolve)))
  return number
}

export function letClose(number) {
  open.get(number)?.()
  open.delete(number)
}

/** There is no request of this number any more. */
export function forget(number) {
  waiting.delete(number)
  open.delete(number)
}

function headers(head) {
  const fields = new Headers()
  if (head !== '') {
    const lines = head.split('\n')
    for (let n = 0; n + 1 < lines.length; n += 2) fields.append(lines[n], lines[n + 1])
  }
  return fields
}

/** Bodies are bytes as the origin coded them: the runtime must not code them again. */
const coded = (fields) => (fields.has('content-encoding') ? 'manual' : 'automatic')

/** A response of these parts. */
export function respond(id, status, head, body) {
  const fields = headers(head)
  deliver(id, new Response(body, { status, headers: fields, encodeBody: coded(fields) }))
}

/**
 * A response from one of the Cache API, or from what is held of one: its body, and its fields but for the changes. Copying
 * fields costs nearly nothing where the runtime does it, and setting them one by one is half of what a hit costs.
 */
export function respondFrom(id, status, changes, from) {
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
  deliver(id, response)
}

/**
 * Copies the body of a response of the Cache API into memory: what is then given to respondFrom any number of times. A
 * Headers and an ArrayBuffer belong to no request.
 */
export function hold(op, cached) {
  const fields = new Headers(cached.headers)
  for (const name of OWN) fields.delete(name)
  land(op, cached.clone().arrayBuffer(), (body) => landed(op, { body, headers: fields }, send(String(body.byteLength))))
}

/** The body of what is held, as a stream. */
export const streamOf = (held) => new Response(held.body).body

/** Fields of an entry's wrapper that are none of the answer's, and what the Cache API may add. */
const OWN = ['edgekeep-entry', 'cache-control', 'cache-tag', 'cf-cache-status', 'age', 'date', 'expires']

// ---- Work that takes time: it lands in wasm under the number of its operation ----

/** What calls wasm later: not if that has begun anew since, and a panic of it is noted. */
function call(tell) {
  const began = number
  return (value) => {
    if (began !== number || broken) return
    try {
      tell(value)
    } catch (error) {
      note(error)
      throw error
    }
  }
}

function land(op, promise, tell) {
  promise.then(
    call(tell),
    call((error) => failed(op, error)),
  )
}

export function match(op, url) {
  land(op, caches.default.match(url), (response) => landed(op, response, send(response?.headers.get('edgekeep-entry') ?? '')))
}

/** Stores a response. */
export function put(op, url, head, body) {
  const response = new Response(body, { headers: headers(head) })
  land(op, caches.default.put(url, response), () => landed(op, undefined, 0))
}

/**
 * Asks an origin: for a head within `headMs` and a body within `bodyMs` more, if these are not 0. Lands with the response
 * and a text: its status, what body there is, and its fields. A body whose length is told, and not more than `shortBytes`,
 * is waited for: where it is (`1`), it lands instead of the response.
 */
export function ask(op, method, url, head, body, headMs, bodyMs, shortBytes) {
  const controller = new AbortController()
  const late = (milliseconds) => (milliseconds > 0 ? setTimeout(() => controller.abort(LATE), milliseconds) : undefined)
  const init = {
    method,
    headers: headers(head),
    redirect: 'manual',
    // Bodies stay as the origin coded them, so that they can be stored and given on byte for byte.
    encodeResponseBody: 'manual',
    signal: controller.signal,
  }
  // Not through the zone's own cache, which our purges do not reach.
  if (method === 'GET' || method === 'HEAD') init.cache = 'no-store'
  if (body !== undefined) init.body = body
  const timers = [late(headMs)]
  let response
  const asked = async () => {
    response = await fetch(url, init)
    const length = response.body !== null && shortBytes > 0 ? Number(response.headers.get('content-length') ?? NaN) : NaN
    if (!(length <= shortBytes)) {
      if (bodyMs > 0 && response.body !== null) setTimeout(() => controller.abort(), bodyMs)
      return response
    }
    timers.push(late(bodyMs))
    return new Uint8Array(await response.arrayBuffer())
  }
  const failed = (error) => {
    // What breaks off after its head is another failure than one that never came.
    if (response === undefined) throw error
    throw controller.signal.aborted ? LATE : CUT
  }
  const answer = asked().catch(failed).finally(() => timers.forEach((timer) => clearTimeout(timer)))
  land(op, answer, (answer) => {
    const isWhole = answer !== response
    let text = `${response.status}\n${isWhole ? '1' : ''}`
    response.headers.forEach((value, name) => {
      // The runtime fails a body that is cut; one of another length all the same was changed on its way.
      if (isWhole && name === 'content-length' && Number(value) !== answer.byteLength) return
      text += `\n${name}\n${value}`
    })
    landed(op, answer, send(text))
  })
}

/** What an abort for lateness is known by, and a short body that did not come whole. */
const LATE = 'edgekeep: late'
const CUT = 'edgekeep: cut'

/** Lands after some time, unless it is called off before. */
export function sleep(op, milliseconds) {
  return setTimeout(
    call(() => landed(op, undefined, 0)),
    milliseconds,
  )
}

export const callOff = (timer) => clearTimeout(timer)

export const log = (line) => console.log(line)
