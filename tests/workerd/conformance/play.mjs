// The functions of the conformance tables, and the player of a case: exchanges of a client with the built worker and a
// programmable origin. Each response of the origin has a different body, which distinguishes a stored response from a new
// one. The number of requests at the origin shows the rest.

import { sleep } from '../wire.mjs'

const HOST = 'conformance.test'
/** Time for the stores after a response. */
const SETTLE_MS = 120

/** A case that the platform makes impossible. It is played, and expected to fail. */
export const beyond = (why, row) => ({ ...row, beyond: why })
/** A case that Edgekeep omits on purpose. It counts as not passed, and does not fail the run. */
export const leftOut = (why, row) => ({ ...row, leftOut: why })
/** What an RFC requires. */
export const must = (section, title, ...steps) => ({ level: 'MUST', section, title, steps })
/** What an RFC allows and a matches cache does, because it saves work; or what it encourages (SHOULD). */
export const optimal = (section, title, ...steps) => ({ level: 'OPTIMAL', section, title, steps })

/**
 * Responses of the origin from now on: `fields` as an object (a list of values is several lines; a function gets the
 * time in ms; `cc` is Cache-Control, `cdn` CDN-Cache-Control, `lm` Last-Modified) and
 *   status, body (text or bytes; unset: a different body for each response), chunked, cut, down, early (fields of a 103),
 *   confirms: false (never 304), fields304 (fields of a 304, instead of these), ranges: true (206 for Range; 'always': regardless of If-Range),
 *   date: false (no Date)
 */
export const res = (fields = {}, more = {}) => ({ status: 200, confirms: true, ...more, fields })

/**
 * Exchanges. Options: method, at (suffix of the path: another resource), host, fields, body, plan; expectations:
 * status, text, nth (the body of the origin's nth response), has, lacks, sent, unsent, sentMethod, ifCached ({ lacks }), check.
 */
const step = (want) => (options = {}) => ({ want, ...options })
export const hit = step('cache') // no request at the origin
export const miss = step('origin') // the origin's newest response
export const asked = step('asked') // a request at the origin, with any result
export const valid = step('validated') // 304 from the origin, and the stored body for the client
export const any = step('any')
export const fill = (plan, options = {}) => miss({ plan, ...options })
export const wait = (seconds) => ({ seconds })

export const date = (ms) => new Date(ms).toUTCString()
/** The date so many seconds after the time of the response. */
export const at = (seconds) => (now) => date(now + seconds * 1000)
export const asctime = (seconds) => (now) => {
  const d = date(now + seconds * 1000) // Sun, 06 Nov 1994 08:49:37 GMT
  return `${d.slice(0, 3)} ${d.slice(8, 11)} ${d.slice(5, 7).replace(/^0/, ' ')} ${d.slice(17, 25)} ${d.slice(12, 16)}`
}
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
export const rfc850 = (seconds) => (now) => {
  const time = new Date(now + seconds * 1000)
  const d = date(time.getTime())
  return `${DAYS[time.getUTCDay()]}, ${d.slice(5, 7)}-${d.slice(8, 11)}-${d.slice(14, 16)} ${d.slice(17, 25)} GMT`
}
export const OLD = 'Mon, 06 Nov 2023 08:49:37 GMT'

const ALIASES = { cc: 'Cache-Control', cdn: 'CDN-Cache-Control', lm: 'Last-Modified' }

function lines(fields, now = Date.now()) {
  return Object.entries(fields).flatMap(([name, values]) =>
    [values].flat().map((value) => [ALIASES[name] ?? name, String(typeof value === 'function' ? value(now) : value)]))
}

const find = (fields, name) => fields.find(([n]) => n.toLowerCase() === name)?.[1]
const opaque = (etag) => etag.trim().replace(/^W\//, '')

class Resource {
  asked = []
  bodies = []

  constructor(path) {
    this.path = path
  }

  serve(request, response) {
    const { plan } = this
    const fields = lines(plan.fields)
    if (plan.date !== false && !find(fields, 'date')) fields.unshift(['Date', date(Date.now())])
    const exchange = { request, status: plan.status }
    this.asked.push(exchange)
    if (plan.down) return request.drop()
    if (plan.early) response.writeEarlyHints(plan.early)
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (reads && plan.confirms && unchanged(request, fields)) {
      exchange.status = 304
      const of304 = plan.fields304 ? lines(plan.fields304) : fields
      if (!find(of304, 'date')) of304.push(['Date', date(Date.now())])
      return response.writeHead(304, of304.flat()).end()
    }
    let body = Buffer.from(plan.body ?? `${this.path} answer ${this.asked.length}`)
    const range = plan.ranges && reads && part(plan, request, fields, body.length)
    if (range) {
      exchange.status = 206
      fields.push(['Content-Range', `bytes ${range[0]}-${range[1]}/${body.length}`])
      body = body.subarray(range[0], range[1] + 1)
    }
    const bodiless = [204, 205, 304].includes(plan.status)
    if (!bodiless) this.bodies.push([this.asked.length, body])
    if (!plan.chunked && !bodiless) fields.push(['Content-Length', String(body.length)])
    response.writeHead(exchange.status, fields.flat())
    if (bodiless || request.method === 'HEAD') return response.end()
    if (!plan.cut) return response.end(body)
    response.flushHeaders()
    response.write(body.subarray(0, body.length >> 1), () => setTimeout(() => response.socket?.destroy(), 30))
  }
}

function unchanged(request, fields) {
  const etag = find(fields, 'etag')
  const wanted = request.field('if-none-match')
  if (wanted !== undefined) return etag !== undefined && (wanted.match(/(W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(etag))
  const since = Date.parse(request.field('if-modified-since'))
  return Date.parse(find(fields, 'last-modified')) <= since
}

function part(plan, request, fields, length) {
  const found = /^bytes=(\d*)-(\d*)$/.exec(request.field('range') ?? '')
  if (!found) return undefined
  const only = request.field('if-range')
  if (plan.ranges !== 'always' && only && only !== find(fields, 'etag') && only !== find(fields, 'last-modified')) return undefined
  const [, from, to] = found
  if (from === '') return [Math.max(0, length - Number(to)), length - 1]
  return Number(from) < length ? [Number(from), to === '' ? length - 1 : Math.min(Number(to), length - 1)] : undefined
}

/** Plays one case under its own path; throws with all exchanges when an expectation fails. */
export async function play(stand, path, steps) {
  const resources = new Map()
  const transcript = []
  for (const step of steps) {
    if (step.seconds) {
      transcript.push(`wait ${step.seconds}`)
      await sleep(step.seconds * 1000)
      continue
    }
    const wrong = await exchange(stand, path, resources, step, transcript)
    if (wrong.length > 0) throw new Error(`${wrong.join('; ')}\n${transcript.join('\n')}`)
  }
}

async function exchange(stand, path, resources, step, transcript) {
  const target = `${path}${step.at ?? ''}`
  const host = step.host ?? HOST
  if (!resources.has(host + target)) {
    const made = new Resource(target)
    stand.origin.on(host, target, (request, response) => made.serve({ ...request, drop: () => response.socket.destroy() }, response))
    resources.set(host + target, made)
  }
  const resource = resources.get(host + target)
  if (step.plan) resource.plan = step.plan
  const before = resource.asked.length
  const fields = lines(step.fields ?? {})
  const answer = await stand.send({ host, path: target, method: step.method ?? 'GET', fields, body: step.body })
  const received = resource.asked.slice(before)
  const count = received.length
  transcript.push(describeExchange(step, target, fields, answer, received))
  const wrong = judge(step, resource, answer, received)
  // Requests and stores after the response must not count for the next step.
  if (count > 0 || step.settle) await sleep(SETTLE_MS + (step.settle ?? 0))
  return wrong
}

function judge(step, resource, answer, received) {
  const wrong = []
  const { want } = step
  const fail = (text) => wrong.push(text)
  const last = received.at(-1)
  if (want === 'cache' && received.length > 0) fail('the origin got a request; a hit was expected')
  if (want !== 'cache' && want !== 'any' && received.length === 0) fail(`the origin got no request; expected ${want}`)
  if (want === 'validated' && last && last.status !== 304) fail(`the origin got no condition that holds`)
  const status = step.status ?? (want === 'validated' ? 200 : resource.plan?.status)
  if (want !== 'any' && want !== 'asked' && answer.status !== status) fail(`status ${answer.status}, not ${status}`)
  if (want === 'any' || want === 'asked') if (step.status && answer.status !== step.status) fail(`status ${answer.status}, not ${step.status}`)

  const bodiless = [204, 205, 304].includes(answer.status) || step.method === 'HEAD'
  const expected = step.text !== undefined ? Buffer.from(step.text)
    : step.nth !== undefined ? resource.bodies.find(([n]) => n === step.nth)?.[1]
    : want === 'any' || want === 'asked' || bodiless || answer.status === 206 || answer.status === 416 ? undefined
    : resource.bodies.at(-1)?.[1]
  if (expected && !expected.equals(answer.body)) fail(`body ${show(answer.body)}, not ${show(expected)}`)
  if (bodiless && answer.body.length > 0) fail('a body where none is allowed')
  if (!answer.complete && !resource.plan?.cut) fail('the response is truncated')

  const fits = (value, wanted) => wanted === true ? value !== undefined
    : typeof wanted === 'function' ? wanted(value)
    : wanted instanceof RegExp ? wanted.test(value ?? '')
    : Array.isArray(wanted) ? undefined : value === wanted
  for (const [name, wanted] of Object.entries(step.has ?? {})) {
    const matches = Array.isArray(wanted) ? same(name, answer.all(name), wanted) : fits(answer.field(name), wanted)
    if (!matches) fail(`response's ${name}: ${JSON.stringify(answer.all(name))}, not ${wanted}`)
  }
  for (const name of step.lacks ?? []) if (answer.field(name) !== undefined) fail(`response has ${name}: ${answer.field(name)}`)
  if (step.ifCached && received.length === 0) {
    for (const name of step.ifCached.lacks) if (answer.field(name) !== undefined) fail(`stored response has ${name}: ${answer.field(name)}`)
  }
  for (const [name, wanted] of Object.entries(step.sent ?? {})) {
    const value = last?.request.field(name)
    if (!fits(value, wanted)) fail(`origin got ${name}: ${value}, not ${wanted}`)
  }
  for (const name of step.unsent ?? []) if (last?.request.field(name) !== undefined) fail(`origin got ${name}: ${last.request.field(name)}`)
  if (step.sentMethod && last?.request.method !== step.sentMethod) fail(`origin got ${last?.request.method}`)
  const more = want !== 'any' && want !== 'cache' && !last ? undefined : step.check?.(answer, last?.request, resource)
  if (more) fail(more)
  return wrong
}

/** Lines of a field may be joined (RFC 9110 §5.3), but for Set-Cookie. */
const same = (name, lines, wanted) => name === 'set-cookie' ? JSON.stringify(lines) === JSON.stringify(wanted) : lines.join(', ') === wanted.join(', ')

const show = (body) => body.length > 80 ? `${body.length} bytes` : JSON.stringify(body.toString('latin1'))

function describeExchange(step, target, fields, answer, received) {
  const sent = fields.map(([name, value]) => `${name}: ${value.slice(0, 80)}`).join(' | ')
  const plan = step.plan ? `origin ${step.plan.status} ${lines(step.plan.fields).map(([n, v]) => `${n}: ${v.slice(0, 80)}`).join(' | ')}\n` : ''
  const conditions = received.map(({ request, status }) => {
    const seen = request.fields.filter(([n]) => /^(if-|range)/i.test(n)).map(([n, v]) => `${n}: ${v}`).join(' | ')
    return `${request.method} ${seen} -> ${status}`
  })
  return `${plan}${step.method ?? 'GET'} ${target} ${sent}\n  -> ${answer.status} ${show(answer.body)} ${answer.field('cache-status') ?? ''}` +
    `${answer.field('age') ? ` age ${answer.field('age')}` : ''}\n  at the origin: ${conditions.join('; ') || 'nothing'}`
}
