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
}

// ---- Requests and their answers ----

const waiting = new Map()
let last = 0
let ready

export const expect = () => ++last

/** The method, the URL, whether there is a body (`1`), and the fields of a request. */
export function requestHead(request) {
  let text = `${request.method}\n${request.url}\n${request.body === null ? '' : '1'}`
  for (const [name, value] of request.headers) text += `\n${name}\n${value}`
  return text
}

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
 * A response from one of the Cache API: its body, and its fields but for the changes. Copying fields costs nearly nothing
 * where the runtime does it, and setting them one by one is half of what a hit costs.
 */
export function respondFrom(id, status, changes, cached) {
  const response = new Response(cached.body, { status, headers: cached.headers, encodeBody: changes.includes('content-encoding\n') ? 'manual' : 'automatic' })
  const fields = response.headers
  for (const name of OWN) fields.delete(name)
  const lines = changes.split('\n')
  for (let n = 0; n + 1 < lines.length; n += 2) {
    if (lines[n + 1] === '\0') fields.delete(lines[n])
    else fields.append(lines[n], lines[n + 1])
  }
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
 * and its head, before which its status stands on a line.
 */
export function ask(op, method, url, head, body, headMs, bodyMs) {
  const controller = new AbortController()
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
  const timer = headMs > 0 ? setTimeout(() => controller.abort(LATE), headMs) : undefined
  const response = fetch(url, init).finally(() => clearTimeout(timer))
  land(op, response, (response) => {
    let text = String(response.status)
    for (const [name, value] of response.headers) text += `\n${name}\n${value}`
    if (bodyMs > 0 && response.body !== null) setTimeout(() => controller.abort(), bodyMs)
    landed(op, response, send(text))
  })
}

/** What an abort for lateness is known by. */
const LATE = 'edgekeep: late'

/** Lands after some time, unless it is called off before. */
export function sleep(op, milliseconds) {
  return setTimeout(
    call(() => landed(op, undefined, 0)),
    milliseconds,
  )
}

export const callOff = (timer) => clearTimeout(timer)

export const log = (line) => console.log(line)
