// Plays a story against the built worker in workerd, in real time.

import { isDeepStrictEqual } from 'node:util'
import { relative } from 'node:path'
import { details } from '../../scripts/replay/cache-status.mjs'
import { basic, ed25519Fields, fullName, hmacSecret, hubFields, token, webhookFields } from './secrets.mjs'
import { PURGE_PATH } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const LATE_MS = 600_000 // twice the tolerance of Standard Webhooks
const MISSES = ['uri-miss', 'vary-miss', 'miss']

/** The failed expectation, its line, and the whole response. */
export class StoryFailure extends Error {
  constructor(story, step, message) {
    super(`${relative('.', story.file)}:${step.line}: ${step.text}\n${message}`)
    this.stack = this.message // the position in this file is of no use for the story
  }
}

export async function runStory(story, stand) {
  const run = new StoryRun(story, stand)
  try {
    for (const step of story.steps) await run.step(step)
  } finally {
    await run.end()
  }
}

class StoryRun {
  #isolate = 'a'
  #answered = 0
  #running = new Map()
  #entries = new Map()
  #receipt
  #order = 0
  #sequences = new Map()

  constructor(story, stand) {
    this.story = story
    this.stand = stand
    this.host = story.host
  }

  async step(step) {
    await this[step.kind](step)
  }

  /** Waits for requests that a failing story leaves in flight. */
  async end() {
    await Promise.allSettled(this.#running.values())
  }

  fail(step, message, answer) {
    const whole = answer ? `\nThe whole response:\n${indent(answer)}` : ''
    throw new StoryFailure(this.story, step, `${message}${whole}\n${this.stand.about(this.host)}`)
  }

  // ---- the origin ----

  origin({ at, target, next, plan }) {
    const origin = at === 'backup' ? this.stand.backup : this.stand.origin
    if (next) origin.next(this.host, target, plan, next)
    else origin.on(this.host, target, plan)
  }

  async asked(step) {
    const origin = step.at === 'backup' ? this.stand.backup : this.stand.origin
    const times = () => origin.requests(this.host, step.target).length
    if (!(await until(() => times() === step.times, 1_000))) {
      this.fail(step, `  expected: ${step.times} requests at the origin\n  got:      ${times()}; all: ${this.#requestList()}`)
    }
    await this.#awaitRefreshStores()
  }

  #requestList() {
    return this.#requests().map((r) => `${r.method} ${r.target}`).join(', ') || 'none'
  }

  /** Requests at the origin and its backup, in order. */
  #requests() {
    const all = [this.stand.origin, this.stand.backup].flatMap((origin) => origin?.requests(this.host) ?? [])
    return all.sort((one, other) => one.at - other.at)
  }

  // ---- requests ----

  async request(step) {
    const answer = await this.#send(step, step.request)
    await this.#check(step, answer)
  }

  async start(step) {
    if (this.#running.has(step.name)) this.fail(step, `  \`${step.name}\` is in flight already`)
    const before = this.#requests().length
    const { target } = step.request
    const shared = [...this.#running.values()].some((other) => other.target === target)
    let over = false
    const running = this.#send(step, step.request).finally(() => (over = true))
    running.catch(() => {}) // `finish` reports it
    this.#running.set(step.name, Object.assign(running, { target }))
    // The next instruction finds this request at the origin. A collapsed request never gets there.
    await until(() => over || this.#requests().length > before, shared ? 100 : 1_500)
  }

  async finish(step) {
    const running = this.#running.get(step.name)
    if (!running) this.fail(step, `  nothing named \`${step.name}\` is in flight`)
    this.#running.delete(step.name)
    await this.#check(step, await running)
  }

  async #send(step, { method, target, fields, body }) {
    try {
      const filled = fields.map(([name, value]) => [name, this.#fill(value)])
      return await this.stand.send({ at: this.#isolate, host: this.host, method, path: this.#fill(target), fields: filled, body: body && this.#fill(body) })
    } catch (error) {
      return this.fail(step, `  ${error.message}`)
    }
  }

  /** Replaces the story's variables. */
  #fill(text) {
    const full = (name) => fullName(this.story.name, name)
    return text.replace(/\$host|\$(token|basic|id|before)(?::([\w-]+))?/g, (word, kind, name) => {
      if (word === '$host') return this.host
      if (kind === 'id') return this.#id(name)
      if (kind === 'before') return String(this.#sequences.get(name) - 1)
      return kind === 'token' ? token(full(name)) : basic(full(name))
    })
  }

  /** Each run has its own ids, because the ledger may be kept. */
  #id(name) {
    return `${this.story.name}-${process.pid}-${name}`
  }

  async #check(step, answer) {
    if (answer.cache.size > 0) this.#answered += 1 // responses under /.edgekeep/ have no Cache-Status
    const { status, body, words } = step.expected
    if (answer.status !== status) this.fail(step, `  expected: status ${status}\n  got:      ${answer.status}`, answer)
    if (body !== undefined && answer.text !== body) {
      this.fail(step, `  expected: body ${JSON.stringify(body)}\n  got:      ${JSON.stringify(answer.text)}`, answer)
    }
    for (const word of words) {
      const wanted = !word.startsWith('!')
      if (holds(answer, wanted ? word : word.slice(1)) !== wanted) {
        this.fail(step, `  expected: ${word}\n  got:      Cache-Status: ${answer.field('cache-status')}`, answer)
      }
    }
    for (const check of step.checks) this.#checkField(check, answer)
    await this.#awaitStores(answer)
  }

  #checkJson(check, answer) {
    const parts = check.pointer.split('/').slice(1)
    const got = parts.reduce((value, part) => value?.[part], JSON.parse(answer.text))
    const wanted = check.verb === 'nojson' ? undefined : JSON.parse(this.#fill(check.value))
    if (!isDeepStrictEqual(got, wanted)) this.fail(check, `  got:      ${JSON.stringify(got)}`, answer)
  }

  #checkField(check, answer) {
    if (check.pointer !== undefined) return this.#checkJson(check, answer)
    if (check.verb === 'has' || check.verb === 'lacks') {
      const got = answer.field(check.name)
      if (matches(check, got)) return
      this.fail(check, `  got:      ${got === undefined ? 'no such field' : `${check.name}: ${got}`}`, answer)
    }
    const request = this.#requests().at(-1)
    if (!request) this.fail(check, `  the origin got no request`, answer)
    if (matches(check, request.field(check.name))) return
    const fields = request.fields.map(([name, value]) => `    ${name}: ${value}`).join('\n')
    this.fail(check, `  the origin got: ${request.method} ${request.target}\n${fields}`, answer)
  }

  // ---- purges ----

  async purge(step) {
    const text = this.#fill(step.json)
    const fields = [['Content-Type', 'application/json'], ...this.#proof(step, text)]
    const answer = await this.#send(step, { method: 'POST', target: PURGE_PATH, fields, body: text })
    const { status, receipt } = step.expected
    if (answer.status !== status) this.fail(step, `  expected: status ${status}\n  got:      ${answer.status}`, answer)
    for (const check of step.checks) this.#checkField(check, answer)
    if (receipt && (answer.text === this.#receipt) !== (receipt === 'same')) {
      this.fail(step, `  expected: ${receipt === 'same' ? 'the same receipt as before' : 'another receipt than before'}\n  before:   ${this.#receipt}`, answer)
    }
    if (status !== 200) return
    this.#receipt = answer.text
    if (step.id) this.#sequences.set(step.id, JSON.parse(answer.text).sequence)
  }

  /** The fields that authenticate an order, or fail to. */
  #proof({ id, by, how }, text) {
    const name = fullName(this.story.name, by)
    const given = id && this.#id(id)
    if (how === 'unsigned') return []
    if (how === 'token') return [['Authorization', `Bearer ${token(name)}`], ...(id ? [['webhook-id', given]] : [])]
    if (how === 'hub') return hubFields(hmacSecret(name), given, text)
    const used = given ?? this.#id(`order-${(this.#order += 1)}`)
    const time = new Date(Date.now() + ({ late: -LATE_MS, early: LATE_MS }[how] ?? 0))
    if (how === 'ed25519') return ed25519Fields(name, used, time, text)
    return webhookFields(hmacSecret(how === 'forged' ? 'nobody' : name), used, time, text)
  }

  // ---- the world ----

  async wait({ seconds }) {
    await sleep(seconds * 1000)
  }

  at({ name }) {
    this.#isolate = name
  }

  async evict(step) {
    const entries = await this.stand.evict(this.host)
    if (entries === 0) this.fail(step, '  the log has no entry of this host yet, so there is nothing to evict')
    this.#entries.clear()
  }

  async spoil(step) {
    const spoilt = await this.stand.spoil(this.host, step.tier, step.how)
    if (spoilt === 0) this.fail(step, '  this tier has no entry of this host yet, so there is nothing to spoil')
    this.#entries.clear()
  }

  // ---- stores after a response ----

  /** Responses are stored after they are sent; the next instruction must find them stored. */
  async #awaitStores(answer) {
    if (!answer.cache.has('stored')) return
    const lines = () => this.#log('request')
    await until(() => lines().length >= this.#answered, 500)
    const line = lines().at(-1)
    if (line?.stores?.includes('cache-api')) await this.#stored(line.entry)
  }

  async #awaitRefreshStores() {
    const counted = () => this.stand.log.filter((l) => l.host === this.host).reduce((sum, l) => sum + (l.origin ?? 0), 0)
    await until(() => counted() >= this.#requests().length, 300)
    const line = this.#log('refresh').at(-1)
    if (line?.stores?.includes('cache-api')) await this.#stored(line.entry)
  }

  #log(event) {
    return this.stand.log.filter((line) => line.event === event && line.host === this.host && line.cache !== 'admin')
  }

  /** Waits until the entry of this URL in the Cache API has changed since the last call. */
  async #stored(entry) {
    const caches = await this.stand.worker.mf.getCaches()
    const before = this.#entries.get(entry)
    await until(async () => {
      const found = await caches.default.match(entry)
      if (!found) return false
      const now = JSON.stringify([...found.headers]) + Buffer.from(await found.arrayBuffer()).toString('latin1')
      if (now === before) return false
      this.#entries.set(entry, now)
      return true
    }, 700, 20)
  }
}

/** Whether a word of a story holds for the response's Cache-Status. */
function holds(answer, word) {
  const status = answer.cache
  if (word === 'miss') return MISSES.includes(status.get('fwd'))
  const [name, value] = word.split(/=(.*)/s)
  if (value === undefined) return status.has(name)
  if (name === 'detail') return details(status).includes(value)
  const got = status.get(name)
  // Real time passes between two instructions, so one second more than in the story may have passed.
  if (name === 'ttl') return Number(got) === Number(value) || Number(got) === Number(value) - 1
  return got === value
}

function matches({ verb, name, value }, got) {
  if (verb === 'lacks' || verb === 'unsent') return got === undefined
  if (value === undefined) return got !== undefined
  if (name.toLowerCase() === 'age' && verb === 'has') return got === value || got === String(Number(value) + 1)
  return got === value
}

function indent(answer) {
  return String(answer).split('\n').map((line) => `  ${line}`).join('\n')
}
