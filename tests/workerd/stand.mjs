// What a test stands on: the built worker in workerd, an origin behind it, and the worker's log.

import { startWorker } from '../../scripts/workerd.mjs'
import { Origin } from './origin.mjs'
import { webhookFields } from './secrets.mjs'
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
  #ownsOrigin = true

  /**
   * @param {object} [options]
   * @param {object} [options.rules]    [vars.EDGEKEEP] beside the origin and short times
   * @param {string} [options.secrets]  null: none
   * @param {string[]} [options.workers]
   * @param {object} [options.vars]     see startWorker
   * @param {string} [options.persist]  see startWorker
   * @param {(options: object) => object} [options.adapt] see startWorker
   * @param {Origin} [options.origin]   an origin that outlives this stand
   * @param {boolean} [options.backup]  whether there is a second origin for when that one fails
   */
  static async start({ rules = {}, secrets = SECRET, workers = ['a'], vars, persist, origin, backup, adapt } = {}) {
    const stand = new Stand()
    stand.#ownsOrigin = origin === undefined
    stand.origin = origin ?? await Origin.start()
    if (backup) stand.backup = await Origin.start()
    try {
      stand.worker = await startWorker({
        rules: { origin: stand.origin.url, ...(backup && { backup_origin: stand.backup.url }), max_purge_lag: LAG_SECONDS, origin_timeout: 2, ...rules },
        secrets: secrets ?? undefined,
        workers,
        vars,
        persist,
        adapt,
        onLog: (line) => stand.#read(line),
      })
    } catch (error) {
      if (stand.#ownsOrigin) await stand.origin.stop()
      await stand.backup?.stop()
      throw error
    }
    return stand
  }

  async stop() {
    await this.worker?.stop()
    if (this.#ownsOrigin) await this.origin?.stop()
    await this.backup?.stop()
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

  /** What a tier holds of this host is an entry no longer: its text is `garbage`, of an `old-format`, or `cut`. */
  async spoil(host, tier, how) {
    await sleep(250) // stores behind the last answers, which would mend it otherwise
    const spoilt = {
      garbage: () => '%&/( no entry',
      'old-format': (text) => text.replace(/^E\d+/, 'E1'),
      cut: (text) => text.slice(0, text.length / 2),
    }[how]
    return tier === 'kv' ? this.#spoilKv(host, spoilt) : this.#spoilCache(host, spoilt)
  }

  async #spoilKv(host, spoilt) {
    const entries = await this.inKv(host)
    for (const { kv, key, text, body } of entries) {
      const now = Buffer.from(spoilt(text))
      await kv.put(key, bare(now, body), { metadata: { text: now.length } })
    }
    return entries.length
  }

  async #spoilCache(host, spoilt) {
    const caches = await this.worker.mf.getCaches()
    const urls = new Set(this.log.filter((line) => line.host === host && line.entry).map((line) => line.entry))
    let count = 0
    for (const url of urls) {
      const held = await caches.default.match(url)
      if (!held) continue
      const headers = { 'Cache-Control': 'max-age=600', 'edgekeep-entry': spoilt(held.headers.get('edgekeep-entry')) }
      await caches.default.put(url, new this.worker.Response(await held.arrayBuffer(), { headers }))
      count += 1
    }
    return count
  }

  /** What KV holds of this host: `{ kv, key, text, body, metadata }`. */
  async inKv(host) {
    const kv = await this.worker.mf.getKVNamespace('EDGEKEEP_KV', this.worker.names[0])
    const { keys } = await kv.list()
    const held = await Promise.all(keys.map(async ({ name }) => {
      const { value, metadata } = await kv.getWithMetadata(name, 'arrayBuffer')
      const bytes = Buffer.from(value ?? [])
      const length = metadata?.text ?? 0
      return { kv, key: name, text: bytes.toString('latin1', 0, length), body: bytes.subarray(length), metadata }
    }))
    return held.filter(({ text }) => text.includes(`|http://${host}/`) || text.includes(`|https://${host}/`))
  }

  /** Orders a purge as an origin would. `body` is text, or an object that becomes JSON. */
  purge(host, body, { secret = SECRET, id = this.newId(), at, time = new Date(), method = 'POST' } = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return this.send({ at, host, method, path: PURGE_PATH, fields: signed(text, { secret, id, time }), body: text })
  }

  /** What the ledger remembers of an order, asked behind the front door: `{ receipt, fast_lane, refresh }`. */
  async told(id) {
    const ledgers = await this.worker.mf.getDurableObjectNamespace('EDGEKEEP_LEDGER', this.worker.names[0])
    const ledger = ledgers.get(ledgers.idFromName('ledger'))
    const answer = await ledger.fetch('https://ledger/history', { method: 'POST', body: JSON.stringify({ Id: id }) })
    return (await answer.json())[0]
  }

  /** The same, when nothing of its work is left to do. */
  async worked(id, milliseconds = 10_000) {
    let told
    const done = await until(async () => {
      told = await this.told(id)
      return told !== undefined && told.fast_lane.pending === 0 && told.refresh.pending === 0
    }, milliseconds, 50)
    if (!done) throw new Error(`the work of ${id} is not done in ${milliseconds} ms: ${JSON.stringify(told)}\n${this.raw.slice(-12).join('\n')}`)
    return told
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

/** Bytes as Miniflare's KV takes them. */
export function bare(...parts) {
  return Uint8Array.from(Buffer.concat(parts)).buffer
}

/** The fields of a signed order, made by the public library. */
export function signed(text, { secret = SECRET, id, time = new Date() }) {
  return [['Content-Type', 'application/json'], ...webhookFields(secret, id, time, text)]
}
