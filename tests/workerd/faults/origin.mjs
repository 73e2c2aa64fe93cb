// Controls the origin's process: kills it, stops it, starts it again on the same port, and sets its fault. It records the
// times of each fault for the judge.

import { fork } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('origin-process.mjs', import.meta.url))

/** Below the ephemeral ports, so that no other socket takes the port while the origin is down. */
const PORTS = [20_000, 32_000]

const ANSWER_MS = 15_000

export class OriginProcess {
  /** Faults and their times: `{ what, from, until }`, milliseconds since 1970; `until` is Infinity while the fault lasts. */
  faults = []
  #folder = mkdtempSync(join(tmpdir(), 'edgekeep-faults-'))
  #child
  #port
  #nextId = 1
  #waiting = new Map()
  #onExit = () => this.#child?.kill('SIGKILL')

  static async start() {
    const origin = new OriginProcess()
    process.on('exit', origin.#onExit)
    for (let attempt = 0; attempt < 20; attempt++) {
      origin.#port = PORTS[0] + Math.floor(Math.random() * (PORTS[1] - PORTS[0]))
      const failed = await origin.#spawn('once')
      if (!failed) return origin
      if (failed !== 'EADDRINUSE') throw new Error(`the origin cannot listen: ${failed}`)
    }
    throw new Error('no free port for the origin in 20 attempts')
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`
  }

  /** All requests, across restarts: target and fault. */
  requests() {
    const lines = readFileSync(this.#file, 'utf8').split('\n').filter((line) => line !== '')
    return lines.map((line) => ({ target: line.split(' ')[0], fault: line.split(' ')[1] }))
  }

  /** Sets how it responds from now on; see Mode in origin-process.mjs. */
  async setMode(mode) {
    if (mode.fault !== 'none') this.#begin(mode.fault)
    await this.#ask({ mode })
    if (mode.fault === 'none') this.#end()
  }

  /** SIGKILL: every connection breaks, and new ones are refused. */
  async kill() {
    this.#begin('killed')
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await exited
  }

  /** Starts the origin again on the same port. */
  async restart() {
    const failed = await this.#spawn('again')
    if (failed) throw new Error(`the origin cannot listen again: ${failed}`)
    this.#end()
  }

  /** SIGSTOP: connections stay open, and the system still accepts new ones, but there are no responses. */
  pause() {
    this.#begin('stopped')
    this.#child.kill('SIGSTOP')
  }

  /** SIGCONT. */
  async resume() {
    this.#child.kill('SIGCONT')
    await this.#ask({})
    this.#end()
  }

  async stop() {
    process.off('exit', this.#onExit)
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  get #file() {
    return join(this.#folder, 'requests')
  }

  #begin(what) {
    this.faults.push({ what, from: Date.now(), until: Infinity })
  }

  #end() {
    for (const fault of this.faults) fault.until = Math.min(fault.until, Date.now())
  }

  /** Returns undefined when the process listens, else the error. */
  #spawn(how) {
    const child = fork(PROGRAM, [String(this.#port), this.#file, how], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child = child
    return new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message))
      child.on('exit', (code) => resolve(`it ended with code ${code}`))
      child.on('message', (message) => {
        if (message.ready) resolve(undefined)
        if (message.failed) resolve(message.failed)
        this.#waiting.get(message.done)?.()
      })
    })
  }

  /** Sends the process a message and waits until it has been applied. */
  #ask(message) {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the origin did not confirm ${JSON.stringify(message)}`)), ANSWER_MS)
      this.#waiting.set(id, () => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve()
      })
      this.#child.send({ ...message, id })
    })
  }
}
