// A double of Cloudflare's purge API. Accepts calls as documented, and refuses another token or zone, a body that is not
// JSON, several kinds in one call, more than 100 names, and calls beyond the plan's token bucket.
//
// Source: Cloudflare API, "Purge Cached Content" and "Rate limits"; Cloudflare Cache, "Purge cache".

import http from 'node:http'

export const ZONE = '023e105f4ecef8ad9ca31a8372d0c353'
export const TOKEN = 'a-token-that-must-not-be-printed'

/** Names in one call, on every plan. */
const NAMES_MAX = 100
/** A call has one of these. Edgekeep does not use `files`. */
const KINDS = ['tags', 'hosts', 'prefixes', 'files', 'purge_everything']

export class ZoneApi {
  /** Accepted calls: `{ at, body }`, `at` in milliseconds since the start. */
  purges = []
  /** All calls, with the status of the response. */
  calls = []
  #faults = []
  #started = Date.now()
  #server
  #rate
  #bucket
  #tokens
  #filled = Date.now()

  /** `perMinute` and `bucket` are the plan's limits, by default those of the Free plan. */
  static async start({ perMinute = 5, bucket = 25 } = {}) {
    const api = new ZoneApi()
    api.#rate = perMinute / 60_000
    api.#bucket = api.#tokens = bucket
    api.#server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
      api.#serve(request, response).catch(() => response.destroy())
    })
    await new Promise((resolve, reject) => api.#server.once('error', reject).listen(0, '127.0.0.1', resolve))
    return api
  }

  /** The variables of a Worker that calls this API. */
  get vars() {
    const url = `http://127.0.0.1:${this.#server.address().port}`
    return { CLOUDFLARE_API_URL: url, CLOUDFLARE_ZONE_ID: ZONE, CLOUDFLARE_API_TOKEN: TOKEN }
  }

  /** Sets the faults of the next calls: a status, `hang`, or `down`. */
  fail(...faults) {
    this.#faults.push(...faults)
  }

  async stop() {
    await new Promise((resolve) => {
      this.#server.close(resolve)
      this.#server.closeAllConnections()
    })
  }

  async #serve(request, response) {
    const at = Date.now() - this.#started
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    const fault = this.#faults.shift()
    const respond = (status, fields, body) => {
      this.calls.push({ at, status, text })
      response.writeHead(status, { 'Content-Type': 'application/json', ...fields }).end(JSON.stringify(body))
    }
    const refuse = (status, code, message, fields = {}) =>
      respond(status, fields, { success: false, errors: [{ code, message }], messages: [], result: null })
    if (fault === 'hang' || fault === 'down') {
      this.calls.push({ at, status: fault, text })
      return fault === 'down' ? request.socket.destroy() : undefined
    }
    if (fault !== undefined) return refuse(fault, 1000, `a fault that the test ordered: ${fault}`)

    const [, zone] = /^\/client\/v4\/zones\/([0-9a-f]{32})\/purge_cache$/.exec(request.url) ?? []
    if (zone === undefined) return refuse(404, 7003, 'Could not route to this address, perhaps your object identifier is invalid?')
    if (request.method !== 'POST') return refuse(405, 10405, 'Method not allowed for this authentication scheme')
    if (request.headers.authorization !== `Bearer ${TOKEN}` || zone !== ZONE) return refuse(403, 10000, 'Authentication error')
    const wrong = errorOf(request.headers['content-type'], text)
    if (wrong) return refuse(400, ...wrong)
    const wait = this.#take()
    if (wait > 0) return refuse(429, 971, 'Please wait and consider throttling your request speed', { 'Retry-After': String(Math.ceil(wait / 1000)) })
    this.purges.push({ at, body: JSON.parse(text) })
    respond(200, {}, { success: true, errors: [], messages: [], result: { id: zone } })
  }

  /** Takes a token and returns 0, or returns the milliseconds until there is one. */
  #take() {
    const now = Date.now()
    this.#tokens = Math.min(this.#bucket, this.#tokens + (now - this.#filled) * this.#rate)
    this.#filled = now
    if (this.#tokens < 1) return (1 - this.#tokens) / this.#rate
    this.#tokens -= 1
    return 0
  }
}

/** The error of an invalid call: a code and a message; undefined if it is valid. */
function errorOf(type, text) {
  if (!/^application\/json(;|$)/.test(type ?? '')) return [6002, 'Content-Type must be application/json']
  let body
  try {
    body = JSON.parse(text)
  } catch {
    return [6007, 'Malformed JSON in request body']
  }
  const kinds = body !== null && typeof body === 'object' ? Object.keys(body) : []
  if (kinds.length !== 1 || !KINDS.includes(kinds[0])) {
    return [1012, 'Request must contain one of "purge_everything", "files", "tags", "hosts" or "prefixes"']
  }
  const [kind] = kinds
  const names = body[kind]
  if (kind === 'purge_everything') return names === true ? undefined : [1014, 'purge_everything must be true']
  if (!Array.isArray(names) || names.length === 0) return [1014, `"${kind}" must be an array`]
  if (names.length > NAMES_MAX) return [1094, `at most ${NAMES_MAX} ${kind} in one call`]
  const valid = (name) => typeof name === 'string' && /^[\x21-\x7e]{1,1024}$/.test(name) && !(kind === 'tags' && name.includes(','))
  return names.every(valid) ? undefined : [1014, `bad name in "${kind}"`]
}
