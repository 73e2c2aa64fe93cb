// The test bed: the example blog under gunicorn, with its own database, behind the built worker in workerd; and readers with
// cookies.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { environment, manage, prepareBlog, readRequests, startBlog } from '../../scripts/django/blog.mjs'
import { BLOG, prepareVenv } from '../../scripts/django/venv.mjs'
import { readRules } from '../../scripts/rules.mjs'
import { startWorker } from '../../scripts/workerd.mjs'
import { PURGE_PATH, SECRET, signed } from '../workerd/stand.mjs'
import { send, sleep, until } from '../workerd/wire.mjs'

export { SECRET, sleep, until }

export const LAG_SECONDS = 1
export const PASSWORD = 'tideline-and-furrow'

export class Stand {
  /** The worker's log lines that are JSON, as objects. */
  log = []
  /** Output of gunicorn and Django. */
  output = []
  #orders = 0

  /**
   * @param {object} [options]
   * @param {object} [options.rules]     besides those of edgekeep.toml
   * @param {string[]} [options.workers] names of isolates
   * @param {number} [options.processes] of gunicorn
   * @param {object} [options.env]       besides Django's variables of `environment`
   */
  static async start({ rules = {}, workers = ['a'], processes = 2, env = {} } = {}) {
    const stand = new Stand()
    await prepareVenv()
    stand.data = mkdtempSync(join(tmpdir(), 'edgekeep-blog-'))
    stand.port = await freePort()
    stand.edgePort = await freePort()
    stand.host = `127.0.0.1:${stand.edgePort}`
    stand.processes = processes
    stand.requestLog = join(stand.data, 'requests.log')
    stand.env = environment({ data: stand.data, edge: `http://${stand.host}`, secret: SECRET, requestLog: stand.requestLog, countQueries: true })
    Object.assign(stand.env, env)
    try {
      await prepareBlog({ ...stand.env, EDGEKEEP_SECRET: '', BLOG_REQUEST_LOG: '' })
      await stand.startDjango()
      stand.worker = await stand.#startWorker({ rules, workers, port: stand.edgePort })
    } catch (error) {
      await stand.stop()
      throw error
    }
    return stand
  }

  async #startWorker({ rules, ...more }) {
    const own = await readRules(join(BLOG, 'edgekeep.toml'))
    return startWorker({
      rules: { ...own, origin: `http://127.0.0.1:${this.port}`, max_purge_lag: LAG_SECONDS, ...rules },
      secrets: SECRET,
      onLog: (line) => this.#read(line),
      ...more,
    })
  }

  /** The same Django behind another worker with these rules. `stop` ends only that worker. */
  async another(rules) {
    const other = Object.assign(new Stand(), { host: this.host, port: this.port })
    other.worker = await other.#startWorker({ rules, workers: ['other'] })
    return other
  }

  async startDjango() {
    this.django = await startBlog({ port: this.port, env: this.env, workers: this.processes, onLog: (line) => this.output.push(line) })
  }

  async stop() {
    await this.worker?.stop()
    await this.django?.stop()
    if (this.data) rmSync(this.data, { recursive: true, force: true })
  }

  #read(line) {
    try {
      this.log.push(JSON.parse(line))
    } catch {
      this.log.push({ event: 'runtime', line })
    }
  }

  /** Sends a request without cookies. */
  get(path, { at, fields = [], ...more } = {}) {
    return send(this.worker.url(at), { host: this.host, path, fields, ...more })
  }

  /** Repeats the request until it is a hit: responses are stored after they are sent. */
  async getHit(path, options) {
    let answer
    if (await until(async () => (answer = await this.get(path, options)).hit, 4_000, 25)) return answer
    throw new Error(`no hit for ${path}; the last response:\n${answer}\n${this.about()}`)
  }

  /** Sends a signed purge order. */
  async purge(order) {
    const body = JSON.stringify(order)
    const answer = await this.get(PURGE_PATH, { method: 'POST', body, fields: signed(body, { secret: SECRET, id: `msg_hand_${process.pid}_${++this.#orders}` }) })
    if (answer.status !== 200) throw new Error(`refused: ${answer}`)
    return JSON.parse(answer.text)
  }

  /** Runs Python in another process with the blog's models, outside of the web server. */
  async python(code) {
    if ((await manage(['shell', '--verbosity', '0', '-c', code], this.env)) !== 0) throw new Error(`manage.py shell failed:\n${code}`)
  }

  /** Requests at Django after the first `from`. */
  requests(from = 0) {
    return readRequests(this.requestLog).slice(from)
  }

  /** The last lines of the log and the output, for a failure message. */
  about() {
    return [...this.log.slice(-10).map((line) => JSON.stringify(line)), ...this.output.slice(-20)].join('\n')
  }
}

/** A reader with a browser: cookies, and forms with their tokens. */
export class Reader {
  #cookies = new Map()

  constructor(stand, { at } = {}) {
    this.stand = stand
    this.at = at
  }

  cookie(name) {
    const found = this.#cookies.get(name)
    return found && found.until > Date.now() ? found.value : undefined
  }

  forget(name) {
    this.#cookies.delete(name)
  }

  get #field() {
    const held = [...this.#cookies.keys()].filter((name) => this.cookie(name) !== undefined)
    return held.length > 0 ? [['Cookie', held.map((name) => `${name}=${this.cookie(name)}`).join('; ')]] : []
  }

  async get(path, { at = this.at, ...more } = {}) {
    return this.#keep(await this.stand.get(path, { ...more, at, fields: [...(more.fields ?? []), ...this.#field] }))
  }

  /** Sends a form, with the token of the form at `from` if given. */
  async post(path, form, { from, at = this.at } = {}) {
    const token = from ? tokenOf(await this.get(from, { at })) : undefined
    const pairs = [...Object.entries(form).flatMap(([name, value]) => [value].flat().map((each) => [name, each])), ...(token ? [['csrfmiddlewaretoken', token]] : [])]
    return this.send(path, new URLSearchParams(pairs).toString(), 'application/x-www-form-urlencoded', { at })
  }

  async send(path, body, type, { at = this.at } = {}) {
    const fields = [['Content-Type', type], ['Origin', `http://${this.stand.host}`], ...this.#field]
    return this.#keep(await this.stand.get(path, { at, method: 'POST', body, fields }))
  }

  async signIn(name) {
    const answer = await this.post('/accounts/login/', { username: name, password: PASSWORD }, { from: '/accounts/login/' })
    if (answer.status !== 302) throw new Error(`${name} could not sign in:\n${answer}`)
    return this
  }

  #keep(answer) {
    for (const line of answer.all('set-cookie')) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
      const [, seconds] = line.match(/max-age=(\d+)/i) ?? []
      const until = seconds === undefined ? Infinity : Date.now() + Number(seconds) * 1000
      this.#cookies.set(name, { value: value.replaceAll('"', ''), until })
    }
    return answer
  }
}

export function tokenOf(answer) {
  const [, token] = answer.text.match(/name="csrfmiddlewaretoken" value="(\w+)"/) ?? []
  if (token === undefined) throw new Error(`no form with a token:\n${answer}`)
  return token
}

/** The fields of a form as a browser sends it without changes. */
export function formOf(answer) {
  const unescape = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#x27;', "'").replaceAll('&amp;', '&')
  const fields = {}
  const attribute = (tag, name) => unescape(tag.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1] ?? '')
  for (const [tag] of answer.text.matchAll(/<input [^>]*>/g)) {
    if (!['file', 'submit', 'checkbox'].includes(attribute(tag, 'type'))) fields[attribute(tag, 'name')] = attribute(tag, 'value')
  }
  for (const [, tag, text] of answer.text.matchAll(/(<textarea [^>]*>)\n?([^<]*)<\/textarea>/g)) fields[attribute(tag, 'name')] = unescape(text)
  for (const [, tag, text] of answer.text.matchAll(/(<select [^>]*>)([\s\S]*?)<\/select>/g)) {
    fields[attribute(tag, 'name')] = [...text.matchAll(/<option value="([^"]*)" selected/g)].map(([, value]) => unescape(value))
  }
  return fields
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
