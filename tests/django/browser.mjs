// A headless Chromium, controlled by its DevTools protocol over a pipe: opens pages, runs scripts in them and takes screenshots.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, until } from './stand.mjs'

const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--force-color-profile=srgb', '--remote-debugging-pipe',
]

export class Browser {
  /** Console messages of pages, and exceptions of their scripts. */
  messages = []
  #next = 1
  #waiting = new Map()

  static async start({ program, env }) {
    const browser = new Browser()
    browser.folder = mkdtempSync(join(tmpdir(), 'edgekeep-chromium-'))
    // Chromium reads commands from descriptor 3 and writes responses to 4; each message ends with a zero.
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']
    browser.process = spawn(program, [...FLAGS, `--user-data-dir=${browser.folder}`, 'about:blank'], { stdio, env: { ...process.env, ...env } })
    browser.process.stdio[3].on('error', () => {}) // Chromium has ended; pending calls are rejected below
    browser.process.once('close', () => browser.#fail(new Error(`${program} has ended`)))
    browser.#listen(browser.process.stdio[4])
    try {
      const { targetInfos } = await browser.call('Target.getTargets')
      const { targetId } = targetInfos.find(({ type }) => type === 'page')
      const { sessionId } = await browser.call('Target.attachToTarget', { targetId, flatten: true })
      browser.session = sessionId
      for (const domain of ['Page', 'Runtime']) await browser.call(`${domain}.enable`)
    } catch (error) {
      await browser.stop()
      throw error
    }
    return browser
  }

  async stop() {
    if (this.process.exitCode === null) {
      const end = new Promise((resolve) => this.process.once('close', resolve))
      this.process.kill()
      await Promise.race([end, sleep(10_000)])
      this.process.kill('SIGKILL')
    }
    await this.#clear(20)
  }

  /** Removes the folder. Chromium's helpers may still write to it for a moment. (`maxRetries` ignores new files in a folder.) */
  async #clear(tries) {
    try {
      rmSync(this.folder, { recursive: true, force: true })
    } catch (error) {
      if (error.code !== 'ENOTEMPTY' || tries === 0) throw error
      await sleep(250)
      await this.#clear(tries - 1)
    }
  }

  #listen(stream) {
    let rest = ''
    stream.setEncoding('utf8').on('data', (text) => {
      const messages = `${rest}${text}`.split('\0')
      rest = messages.pop()
      for (const message of messages) this.#receive(JSON.parse(message))
    })
  }

  #receive({ id, method, params, result, error }) {
    if (method === 'Runtime.exceptionThrown') this.messages.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text)
    if (method === 'Runtime.consoleAPICalled') this.messages.push(params.args.map(({ value }) => value).join(' '))
    if (method === 'Page.loadEventFired') this.loaded = true
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error) waiting?.reject(new Error(error.message))
    else waiting?.resolve(result)
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  call(method, params = {}) {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.session })}\0`)
    })
  }

  async go(url) {
    this.loaded = false
    const { errorText } = await this.call('Page.navigate', { url })
    if (errorText) throw new Error(`${url}: ${errorText}`)
    await this.whenLoaded(url)
  }

  /** Waits until a page that has started to load is loaded. */
  async whenLoaded(what = 'the page') {
    if (!(await until(() => this.loaded, 30_000, 20))) throw new Error(`${what} did not load`)
  }

  /** The value of an expression in the page; promises are awaited. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  /** Runs an expression that opens another page (a click), and waits until it is loaded. */
  async follow(expression) {
    this.loaded = false
    await this.evaluate(expression)
    await this.whenLoaded(expression)
  }

  /** Waits until an expression is true in the page. */
  async waitFor(expression, milliseconds = 15_000) {
    if (!(await until(() => this.evaluate(expression).catch(() => false), milliseconds, 50))) {
      throw new Error(`timeout: ${expression}\n${await this.evaluate('document.body.innerText')}`)
    }
  }

  async screenshot({ width, height, scale = 1, dark = false, mobile = false }) {
    await this.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile })
    await this.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] })
    await this.evaluate(`document.querySelectorAll('img').forEach((img) => (img.loading = 'eager'))`)
    await this.waitFor('[...document.images].every((img) => img.complete && img.naturalWidth > 0)', 30_000)
    await sleep(300) // transitions
    const { data } = await this.call('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(data, 'base64')
  }
}
