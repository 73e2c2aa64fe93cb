// A hold on the origin's process: kill it, stop it, start it again on the same port, and tell it how to fail. It notes
// when what was wrong, so that the judge can ask whether an answer may show it.

import { fork } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('origin-process.mjs', import.meta.url))

/** Below what systems give to clients and to servers that ask for any: while the origin is dead nobody takes its port. */
const PORTS = [20_000, 32_000]

const ANSWER_MS = 15_000

export class OriginProcess {
  /** What was wrong, and when: `{ what, from, until }`, milliseconds since 1970; Infinity while it is. */
  troubles = []
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

  /** Every request that it got, in all its lives: target and what befell it. */
  requests() {
    const lines = readFileSync(this.#file, 'utf8').split('\n').filter((line) => line !== '')
    return lines.map((line) => ({ target: line.split(' ')[0], fault: line.split(' ')[1] }))
  }

  /** How it answers from now on; see Mode in origin-process.mjs. */
  async tell(mode) {
    if (mode.fault !== 'well') this.#begin(mode.fault)
    await this.#ask({ mode })
    if (mode.fault === 'well') this.#end()
  }

  /** SIGKILL: every connection breaks, and nobody listens. */
  async kill() {
    this.#begin('killed')
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }

  /** The same origin again, on the same port. */
  async restart() {
    const failed = await this.#spawn('again')
    if (failed) throw new Error(`the origin cannot listen again: ${failed}`)
    this.#end()
  }

  /** SIGSTOP: connections stay, and are still accepted by the system, but nobody answers. */
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
    this.troubles.push({ what, from: Date.now(), until: Infinity })
  }

  #end() {
    for (const trouble of this.troubles) trouble.until = Math.min(trouble.until, Date.now())
  }

  /** Undefined when it listens, else why not. */
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

  /** Sends it a message and waits until it has obeyed. */
  #ask(message) {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the origin did not hear ${JSON.stringify(message)}`)), ANSWER_MS)
      this.#waiting.set(id, () => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve()
      })
      this.#child.send({ ...message, id })
    })
  }
}
