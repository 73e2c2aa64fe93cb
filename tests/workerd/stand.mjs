// What a test stands on: the built worker in workerd, an origin behind it, and the worker's log.

import { Webhook } from 'standardwebhooks'
import { startWorker } from '../../scripts/workerd.mjs'
import { Origin } from './origin.mjs'
import { send, sleep, until } from './wire.mjs'

/** The secret of the published Standard Webhooks vector, a second one, and one the worker does not know. */
export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
export const SECOND_SECRET = `whsec_${Buffer.from('a second secret, during rotation').toString('base64')}`
export const FOREIGN_SECRET = `whsec_${Buffer.from('a secret the worker does not know').toString('base64')}`

export const PURGE_PATH = '/.edgekeep/purge'
export const LAG_SECONDS = 1

export class Stand {
  /** Lines of the log that are JSON, as objects; `raw` holds every line. */
  log = []
  raw = []
  #nextId = 1

  /**
   * @param {object} [options]
   * @param {object} [options.rules]    [vars.EDGEKEEP] beside the origin and short times
   * @param {string} [options.secrets]  null: none
   * @param {string[]} [options.workers]
   */
  static async start({ rules = {}, secrets = SECRET, workers = ['a'] } = {}) {
    const stand = new Stand()
    stand.origin = await Origin.start()
    try {
      stand.worker = await startWorker({
        rules: { origin: stand.origin.url, max_purge_lag: LAG_SECONDS, origin_timeout: 2, ...rules },
        secrets: secrets ?? undefined,
        workers,
        onLog: (line) => stand.#read(line),
      })
    } catch (error) {
      await stand.origin.stop()
      throw error
    }
    return stand
  }

  async stop() {
    await this.worker?.stop()
    await this.origin?.stop()
  }

  #read(line) {
    this.raw.push(line)
    try {
      const entry = JSON.parse(line)
      if (entry !== null && typeof entry === 'object') this.log.push(entry)
    } catch {
      // A message of the runtime, kept in `raw`.
    }
  }

  /** Sends a request; `at` names the isolate. */
  send({ at, ...request }) {
    return send(this.worker.url(at), request)
  }

  get(host, path, fields = [], more = {}) {
    return this.send({ host, path, fields, ...more })
  }

  /** Asks until the page is a hit: stores happen behind the response. Throws when it never becomes one. */
  async getHit(host, path, fields = [], more = {}) {
    let answer
    const hit = await until(async () => {
      answer = await this.get(host, path, fields, more)
      return answer.hit
    }, 3_000, 30)
    if (!hit) throw new Error(`no hit for ${host}${path} in 3 s; the last answer:\n${answer}\n${this.about(host)}`)
    return answer
  }

  /** The data centre forgets what it stored for this host, as it may at any time; KV still knows. */
  async evict(host) {
    await sleep(250) // stores behind the last answers, which would come after the eviction otherwise
    const caches = await this.worker.mf.getCaches()
    const entries = new Set(this.log.filter((line) => line.host === host && line.entry).map((line) => line.entry))
    for (const entry of entries) await caches.default.delete(entry)
    return entries.size
  }

  /** Orders a purge as an origin would. `body` is text, or an object that becomes JSON. */
  purge(host, body, { secret = SECRET, id = this.newId(), at, time = new Date(), method = 'POST' } = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return this.send({ at, host, method, path: PURGE_PATH, fields: signed(text, { secret, id, time }), body: text })
  }

  newId() {
    return `msg_${process.pid}_${Date.now()}_${this.#nextId++}`
  }

  /** The log about one host, for a failure message. */
  about(host, count = 12) {
    const lines = this.log.filter((line) => line.host === host).slice(-count)
    return lines.length === 0 ? 'The log says nothing about it.' : `The log:\n${lines.map((line) => `  ${JSON.stringify(line)}`).join('\n')}`
  }
}

/** The fields of a signed order, made by the public library. */
export function signed(text, { secret = SECRET, id, time = new Date() }) {
  return [
    ['Content-Type', 'application/json'],
    ['webhook-id', id],
    ['webhook-timestamp', String(Math.floor(time.getTime() / 1000))],
    ['webhook-signature', new Webhook(secret).sign(id, time, text)],
  ]
}
