// The test bed: the built worker in workerd, an origin, and the worker's log.

import { startWorker } from '../../scripts/workerd.mjs'
import { Origin } from './origin.mjs'
import { webhookFields } from './secrets.mjs'
import { send, sleep, until } from './wire.mjs'

/** The secret of the published Standard Webhooks vector, a second one, and one that is not in the worker's settings. */
export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
export const SECOND_SECRET = `whsec_${Buffer.from('a second secret, during rotation').toString('base64')}`
export const FOREIGN_SECRET = `whsec_${Buffer.from('a secret the worker does not know').toString('base64')}`

export const PURGE_PATH = '/.edgekeep/purge'
export const LAG_SECONDS = 1

export class Stand {
  /** Log lines that are JSON, as objects; `raw` has every line. */
  log = []
  raw = []
  #nextId = 1
  #ownsOrigin = true

  /**
   * @param {object} [options]
   * @param {object} [options.rules]    [vars.EDGEKEEP], besides the origin and short times
   * @param {string} [options.secrets]  null: none
   * @param {string[]} [options.workers]
   * @param {object} [options.vars]     see startWorker
   * @param {string} [options.persist]  see startWorker
   * @param {(options: object) => object} [options.adapt] see startWorker
   * @param {Origin} [options.origin]   an origin that outlives this stand
   * @param {boolean} [options.backup]  whether there is a backup origin
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
      // A message of the runtime, only in `raw`.
    }
  }

  /** Sends a request; `at` names the isolate. */
  send({ at, ...request }) {
    return send(this.worker.url(at), request)
  }

  get(host, path, fields = [], more = {}) {
    return this.send({ host, path, fields, ...more })
  }

  /** Repeats the request until it is a hit: responses are stored after they are sent. Throws after 3 s. */
  async getHit(host, path, fields = [], more = {}) {
    let answer
    const hit = await until(async () => {
      answer = await this.get(host, path, fields, more)
      return answer.hit
    }, 3_000, 30)
    if (!hit) throw new Error(`no hit for ${host}${path} in 3 s; the last response:\n${answer}\n${this.about(host)}`)
    return answer
  }

  /** Deletes this host's entries from the Cache API, as a data centre may at any time. KV keeps its entries. */
  async evict(host) {
    await sleep(250) // for the stores after the last responses, which would follow the eviction otherwise
    const caches = await this.worker.mf.getCaches()
    const entries = new Set(this.log.filter((line) => line.host === host && line.entry).map((line) => line.entry))
    for (const entry of entries) await caches.default.delete(entry)
    return entries.size
  }

  /** Makes this host's entries in a tier invalid: their text becomes `garbage`, gets an `old-format`, or is `cut`. */
  async spoil(host, tier, how) {
    await sleep(250) // for the stores after the last responses, which would replace it otherwise
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

  /** This host's entries in KV: `{ kv, key, text, body, metadata }`. */
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

  /** Sends a signed purge order. `body` is text, or an object that becomes JSON. */
  purge(host, body, { secret = SECRET, id = this.newId(), at, time = new Date(), method = 'POST' } = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return this.send({ at, host, method, path: PURGE_PATH, fields: signed(text, { secret, id, time }), body: text })
  }

  /** The state of an order in the ledger, queried directly: `{ receipt, fast_lane, refresh }`. */
  async orderStatus(id) {
    const ledgers = await this.worker.mf.getDurableObjectNamespace('EDGEKEEP_LEDGER', this.worker.names[0])
    const ledger = ledgers.get(ledgers.idFromName('ledger'))
    const answer = await ledger.fetch('https://ledger/history', { method: 'POST', body: JSON.stringify({ Id: id }) })
    return (await answer.json())[0]
  }

  /** Waits until the fast lane and the refreshes of an order are done; returns the order's state. */
  async whenWorkDone(id, milliseconds = 10_000) {
    let status
    const done = await until(async () => {
      status = await this.orderStatus(id)
      return status !== undefined && status.fast_lane.pending === 0 && status.refresh.pending === 0
    }, milliseconds, 50)
    if (!done) throw new Error(`the work of ${id} is not done in ${milliseconds} ms: ${JSON.stringify(status)}\n${this.raw.slice(-12).join('\n')}`)
    return status
  }

  newId() {
    return `msg_${process.pid}_${Date.now()}_${this.#nextId++}`
  }

  /** The last log lines of one host, for a failure message. */
  about(host, count = 12) {
    const lines = this.log.filter((line) => line.host === host).slice(-count)
    return lines.length === 0 ? 'The log has no line of this host.' : `The log:\n${lines.map((line) => `  ${JSON.stringify(line)}`).join('\n')}`
  }
}

/** Bytes as Miniflare's KV accepts them. */
export function bare(...parts) {
  return Uint8Array.from(Buffer.concat(parts)).buffer
}

/** The fields of a signed order, made by the public library. */
export function signed(text, { secret = SECRET, id, time = new Date() }) {
  return [['Content-Type', 'application/json'], ...webhookFields(secret, id, time, text)]
}
