// Shared by the tests with real software: checks for missing programs and packages, servers on loopback that end with the
// test, and requests of readers to the edge or directly to the origin.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The first missing requirement, as a sentence with the package to install; undefined if nothing is missing. */
export function missing({ files = {}, programs = {}, php = [] }) {
  for (const [path, name] of Object.entries(files)) if (!existsSync(path)) return `${path} is missing: apt-get install ${name}`
  for (const [program, name] of Object.entries(programs)) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `${program} is missing: apt-get install ${name}`
  }
  for (const extension of php) {
    if (spawnSync('php', ['-r', `exit(extension_loaded('${extension}') ? 0 : 1);`]).status !== 0) {
      return `PHP's extension ${extension} is missing: apt-get install php-${extension === 'mysqli' ? 'mysql' : extension}`
    }
  }
  return undefined
}

export async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A folder and processes that end together. */
export class Ground {
  folder = mkdtempSync(join(tmpdir(), 'edgekeep-frameworks-'))
  #children = []

  constructor() {
    // Servers end with the test even if a signal ends it.
    process.once('SIGTERM', () => process.exit(143))
    process.once('SIGINT', () => process.exit(130))
    process.once('exit', () => {
      for (const child of this.#children) if (isRunning(child)) process.kill(-child.pid, 'SIGKILL')
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  /** Runs a command and returns its output; throws if it fails. */
  run(command, args, options = {}) {
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000, maxBuffer: 1 << 26, ...options })
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? ''} ${stdout?.slice(-2000)} ${stderr?.slice(-2000)}`)
    return stdout
  }

  /** Starts a server, and waits until `ready` returns true. */
  async start(command, args, { ready, ...options }) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options })
    const entry = { child, output: '' }
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { entry.output = (entry.output + chunk).slice(-20_000) })
    child.on('error', (error) => { entry.output += error })
    this.#children.push(child)
    for (let tries = 0; tries < 300; tries += 1) {
      if (await ready()) return entry
      if (child.exitCode !== null) break
      await sleep(100)
    }
    throw new Error(`${command} does not start: ${entry.output}`)
  }

  async stop() {
    for (const child of this.#children.reverse()) {
      if (!isRunning(child)) continue
      const ended = new Promise((resolve) => child.on('close', resolve))
      // The process group: PHP's server has workers.
      process.kill(-child.pid, 'SIGTERM')
      await Promise.race([ended, sleep(5000)])
      if (isRunning(child)) process.kill(-child.pid, 'SIGKILL')
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const isRunning = (child) => child.pid !== undefined && child.exitCode === null && child.signalCode === null

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Whether a server responds on this port. */
export const responds = (port) =>
  ask({ port, host: 'localhost', path: '/' }).then(
    () => true,
    () => false,
  )

/** Sends one request without following redirects. `host` is the Host field. */
export function ask({ port, host, path, method = 'GET', headers = {}, body }) {
  return new Promise((resolve, reject) => {
    const all = { host, 'accept-encoding': 'identity', ...headers }
    if (body !== undefined) all['content-length'] = Buffer.byteLength(body)
    const call = request({ host: '127.0.0.1', port, path, method, headers: all, agent: false, timeout: 60_000 }, (answer) => {
      const chunks = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(chunks).toString() }))
    })
    call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no response within a minute`)))
    call.on('error', reject)
    call.end(body)
  })
}

/** A reader with cookies. */
export class Reader {
  cookies = new Map()

  constructor(name) {
    this.name = name
  }

  /** Sends a request, and stores the cookies of the response. */
  async ask(options) {
    const own = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await ask({ ...options, headers: { ...(own ? { cookie: own } : {}), ...options.headers } })
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [name, value] = line.split(';')[0].split(/=(.*)/s)
      if (/expires=thu, 01[ -]jan[ -]1970|max-age=0|=deleted/i.test(line) || value.trim() === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }
}

export const form = (fields) => new URLSearchParams(fields).toString()
export const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

/** Counts of compared responses. */
export class Tally {
  compared = 0
  hits = 0
  countable = 0
  differences = []

  /** Compares the responses of the edge and the origin to the same reader. `counts`: the edge's could have been a hit. */
  compare(label, edge, origin, { clean, counts }) {
    this.compared += 1
    if (counts) this.countable += 1
    if (counts && /(^|; )hit(;|$)/.test(edge.headers['cache-status'] ?? '')) this.hits += 1
    const of = (answer) => `${answer.status} ${answer.headers.location ?? ''}\n${clean(answer.text)}`
    const [left, right] = [of(edge), of(origin)]
    if (left === right) return
    const at = [...left].findIndex((char, index) => char !== right[index])
    this.differences.push(`${label} (${edge.headers['cache-status']}): ${JSON.stringify(left.slice(Math.max(0, at - 60), at + 100))} is ${JSON.stringify(right.slice(Math.max(0, at - 60), at + 100))} at the origin`)
  }

  get text() {
    return `${this.compared} responses compared, ${this.differences.length} differ; ${this.hits} of ${this.countable} responses to anonymous readers were hits`
  }
}
