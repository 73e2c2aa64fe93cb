// One worker in plain workerd with its own backends, and its cost: instructions, CPU time, memory.

import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, readSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Backends } from './backends.mjs'

/** The request fields of a browser. */
const BROWSER = [
  'Host: www.example.com',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Accept-Language: en-GB,en;q=0.9',
  'Accept-Encoding: gzip, deflate, br',
  'Cookie: _ga=GA1.2.1234567890.1700000000; theme=dark; consent=yes',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: none',
  'Upgrade-Insecure-Requests: 1',
  'CF-Connecting-IP: 203.0.113.7',
  'X-Forwarded-Proto: https',
]

/** Path of the runtime itself, not of the script in node_modules/.bin that starts it. */
export function workerdPath() {
  const require = createRequire(import.meta.url)
  return require('workerd').default
}

export class Worker {
  #folder
  #process
  #idle = []
  log = ''

  /**
   * @param {object} options
   * @param {string} options.name
   * @param {string[]} options.modules  files, the main one first
   * @param {object} options.compatibility  { date, flags }
   * @param {object} [options.settings] [vars.EDGEKEEP]; adds the ledger and the other bindings
   * @param {string} [options.secrets]  PURGE_SECRETS
   * @param {string[]} [options.v8Flags] for a profiler
   * @param {string} [options.counter]  the plugin for qemu that counts instructions
   */
  static async start({ name, modules, compatibility, settings, secrets, counter, v8Flags = [] }) {
    const worker = new Worker()
    worker.name = name
    worker.#folder = mkdtempSync(join(tmpdir(), 'edgekeep-bench-'))
    worker.counted = counter !== undefined
    for (const path of modules) copyFileSync(path, join(worker.#folder, basename(path)))
    mkdirSync(join(worker.#folder, 'ledger'))
    worker.port = await freePort()
    worker.backends = await Backends.start()
    const { ports } = worker.backends
    const config = configuration({ modules: modules.map((path) => basename(path)), port: worker.port, ports, compatibility, settings, secrets, v8Flags })
    writeFileSync(join(worker.#folder, 'config.capnp'), config)
    const command = [workerdPath(), 'serve', '--experimental', 'config.capnp']
    if (counter) command.unshift('qemu-x86_64', '-plugin', `${counter},out=${worker.#counterFile}`)
    worker.#process = spawn(command[0], command.slice(1), { cwd: worker.#folder, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [worker.#process.stdout, worker.#process.stderr]) {
      stream.on('data', (bytes) => (worker.log = (worker.log + bytes).slice(-20_000)))
    }
    await worker.#ready()
    return worker
  }

  get pid() {
    return this.#process.pid
  }

  get #counterFile() {
    return join(this.#folder, 'instructions')
  }

  async #ready() {
    const deadline = Date.now() + 180_000
    while (Date.now() < deadline && this.#process.exitCode === null) {
      try {
        this.#idle.push(await Connection.to(this.port))
        return
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const { log } = this
    await this.stop()
    throw new Error(`workerd did not start with ${this.name}:\n${log}`)
  }

  async stop() {
    for (const connection of this.#idle) connection.close()
    if (this.#process.exitCode === null) {
      const exited = new Promise((resolve) => this.#process.once('exit', resolve))
      this.#process.kill('SIGKILL')
      await exited
    }
    await this.backends.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Requests a path, by default with GET. */
  async send(path, { method = 'GET', fields = [], body = '' } = {}) {
    const length = method === 'GET' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
    const head = [`${method} ${path} HTTP/1.1`, ...BROWSER, ...fields, ...length, '', ''].join('\r\n')
    for (let again = false; ; again = true) {
      let connection = this.#idle.pop()
      try {
        // workerd closes a connection that was idle for 5 seconds.
        if (again || connection?.isOld() !== false) {
          connection?.close()
          connection = await Connection.to(this.port)
        }
        const answer = await connection.exchange(Buffer.from(head + body))
        this.#idle.push(connection)
        return answer
      } catch (error) {
        if (!again && method === 'GET' && error.isEarly) continue
        const { exitCode, signalCode } = this.#process
        throw new Error(`${this.name}: ${error.message} (exit ${exitCode ?? signalCode ?? 'not yet'})\n${this.log}`)
      }
    }
  }

  /** Cost of the process so far: instructions if they are counted, else nanoseconds of CPU time. */
  used() {
    return this.counted ? readCounter(this.#counterFile) : cpuTime(this.pid)
  }

  /** A line of /proc/PID/status, such as VmHWM, in KiB. */
  memory(name) {
    const [, kib] = readFileSync(`/proc/${this.pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))
    return Number(kib)
  }

  /** Resets VmHWM, which is the peak since then. */
  resetPeak() {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5')
  }
}

function readCounter(path) {
  const file = openSync(path, 'r')
  const slots = Buffer.alloc(65_536)
  const length = readSync(file, slots, 0, slots.length, 0)
  closeSync(file)
  let sum = 0n
  for (let at = 0; at + 8 <= length; at += 64) sum += slots.readBigUInt64LE(at)
  return Number(sum)
}

/** Nanoseconds that the threads of a process have run. */
export function cpuTime(pid) {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).reduce((sum, task) => {
    try {
      return sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0])
    } catch {
      return sum // a thread that has just ended
    }
  }, 0)
}

export const hasCpuTime = () => existsSync('/proc/self/schedstat')

function configuration({ modules, port, ports, compatibility, settings, secrets, v8Flags }) {
  const embedded = modules.map((name) => `(name = "${name}", ${name.endsWith('.wasm') ? 'wasm' : 'esModule'} = embed "${name}")`)
  const text = (value) => JSON.stringify(value) // Cap'n Proto escapes ASCII text like JSON
  const bindings = ['(name = "EDGEKEEP_KV", kvNamespace = "kv")']
  if (settings) {
    bindings.push(`(name = "EDGEKEEP", json = ${text(JSON.stringify(settings))})`)
    bindings.push('(name = "EDGEKEEP_LEDGER", durableObjectNamespace = "Ledger")')
  }
  if (secrets) bindings.push(`(name = "PURGE_SECRETS", text = ${text(secrets)})`)
  const ledger = `durableObjectNamespaces = [(className = "Ledger", uniqueKey = "ledger", enableSql = true)],
      durableObjectStorage = (localDisk = "disk"),`
  const outside = (name) => `(name = "${name}", external = (address = "127.0.0.1:${ports[name]}", http = ()))`
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [${embedded.join(', ')}],
      compatibilityDate = "${compatibility.date}",
      compatibilityFlags = [${compatibility.flags.map(text).join(', ')}],
      bindings = [${bindings.join(', ')}],
      ${settings ? ledger : ''}
      cacheApiOutbound = "cache",
      globalOutbound = "origin",
    )),
    (name = "disk", disk = (path = "ledger", writable = true)),
    ${['cache', 'kv', 'origin'].map(outside).join(',\n    ')},
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
  v8Flags = [${v8Flags.map(text).join(', ')}],
);
`
}

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** A persistent connection for sequential requests. */
class Connection {
  #socket
  #pending
  #chunks = []
  #bytes = 0
  #expected
  #used = Date.now()

  static to(port) {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Connection(socket))
      })
    })
  }

  constructor(socket) {
    this.#socket = socket
    socket.on('data', (bytes) => this.#take(bytes))
    const broken = () => {
      const isEarly = this.#bytes === 0 // closed before any byte of the response
      this.#pending?.reject(Object.assign(new Error('the connection broke'), { isEarly }))
    }
    socket.on('error', broken)
    socket.on('close', broken)
  }

  isOld() {
    return this.#socket.destroyed || Date.now() - this.#used > 2_000
  }

  close() {
    this.#pending = undefined
    this.#socket.destroy()
  }

  exchange(request) {
    if (this.#pending) throw new Error('the connection has a pending request')
    this.#chunks = []
    this.#bytes = 0
    this.#expected = undefined
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('no response in 120 s')), 120_000)
      const end = (settle) => (value) => {
        clearTimeout(late)
        settle(value)
      }
      this.#pending = { resolve: end(resolve), reject: end(reject) }
      this.#socket.write(request)
    })
  }

  #take(bytes) {
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
    if (this.#expected === undefined) {
      const start = this.#chunks.length === 1 ? bytes : Buffer.concat(this.#chunks)
      const end = start.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = start.toString('latin1', 0, end)
      const [, length] = head.match(/\r\ncontent-length: *(\d+)/i) ?? []
      const chunked = length === undefined && /\r\ntransfer-encoding: *chunked/i.test(head)
      this.#expected = { head, start: end + 4, end: chunked ? undefined : end + 4 + Number(length ?? 0) }
    }
    if (this.#expected.end === undefined ? !this.#endsChunks() : this.#bytes < this.#expected.end) return
    const { head, start } = this.#expected
    const { resolve } = this.#pending
    const [chunks, size] = [this.#chunks, this.#bytes - start]
    this.#pending = undefined
    this.#used = Date.now()
    resolve({
      status: Number(head.slice(9, 12)),
      head,
      size,
      field: (name) => head.match(new RegExp(`^${name}: *(.*)$`, 'im'))?.[1].trim(),
      text: () => Buffer.concat(chunks).toString('utf8', start),
    })
  }

  #endsChunks() {
    const tail = Buffer.concat(this.#chunks.slice(-5))
    return tail.toString('latin1', tail.length - 5) === '0\r\n\r\n'
  }
}
