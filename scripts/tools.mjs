// Shared by the scripts: the project's folder, running commands, locks, and errors with a remedy.
// Imports only Node's own modules: this file must load before anything is installed.

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, resolve as resolvePath } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** A failure that the user can fix: shown without a stack trace. */
export class Problem extends Error {}

/** Writes progress and advice to standard error: standard output is for a command's own output. */
export const say = (...words) => console.error(...words)

/** Runs `body` if the module at `url` is the one Node was started with; turns what it throws into an exit code. */
export async function main(url, body) {
  if (!process.argv[1] || realpathSync(process.argv[1]) !== fileURLToPath(url)) return
  try {
    const code = await body(process.argv.slice(2))
    if (Number.isInteger(code)) process.exitCode = code
  } catch (error) {
    say(error instanceof Problem ? `\n${error.message}` : error)
    process.exitCode = 1
  }
}

/**
 * Runs a command in the project's folder, or in `cwd`, with its output shown, and returns its exit code.
 * `quiet` sends its standard output to standard error.
 */
export function run(command, args, { env = {}, quiet = false, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', quiet ? 2 : 'inherit', 'inherit'],
    })
    child.on('error', (error) => reject(new Problem(`${command} could not be started: ${error.message}`)))
    child.on('close', (code, signal) => resolve(signal ? 1 : code))
  })
}

/** Output of a command, or undefined if the command is missing or fails. */
export function output(command, args) {
  const result = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' })
  return result.status === 0 ? result.stdout.trim() : undefined
}

/** True if version `a` (such as "20.3.0") is `b` or newer. */
export function atLeast(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number))
  for (let i = 0; i < right.length; i++) {
    if ((left[i] ?? 0) !== right[i]) return (left[i] ?? 0) > right[i]
  }
  return true
}

/** Runs `body` under a lock, which excludes other processes of this project: a file with the owner's process id. */
export async function alone(name, minutes, body) {
  const lock = join(ROOT, '.tools', `${name}.lock`)
  mkdirSync(dirname(lock), { recursive: true })
  const deadline = Date.now() + minutes * 60_000
  for (let waited = false; !tryLock(lock); waited = true) {
    if (Date.now() > deadline) {
      throw new Problem(`Another ${name} has been running for over ${minutes} minutes.\nIf there is none, remove ${lock} and try again.`)
    }
    if (!waited) say(`Another ${name} is running: waiting for it.`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  const release = () => rmSync(lock, { force: true })
  process.once('exit', release)
  try {
    return await body()
  } finally {
    process.off('exit', release)
    release()
  }
}

function tryLock(lock) {
  if (isAbandoned(lock)) rmSync(lock, { force: true })
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    return false
  }
}

/** Whether the owner of a lock was killed: such a lock is removed. */
function isAbandoned(lock) {
  try {
    const owner = Number(readFileSync(lock, 'utf8'))
    if (owner > 0) {
      process.kill(owner, 0) // checks only whether the process exists
      return false
    }
    return Date.now() - statSync(lock).mtimeMs > 10_000
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/** True if nothing listens on this port of 127.0.0.1. */
export function isPortFree(port) {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** Reads a port number from the command line. */
export function portFrom(text) {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw new Problem(`--port ${text}: a port is a number from 1 to 65535.`)
  return port
}

/** Path of a file on the command line: npm changes to the project's folder; INIT_CWD is the user's folder. */
export const userPath = (file) => resolvePath(process.env.INIT_CWD ?? process.cwd(), file)

/**
 * Resolves on the first SIGINT or SIGTERM; a second one ends the process at once. The caller cleans up, so this removes the
 * handlers of Miniflare, which would exit at once with a failure code.
 *
 * Under npm it also resolves when npm has ended: npm's shell does not forward some signals, and a remaining server would
 * occupy the port.
 */
export function untilStopped() {
  const parent = process.ppid
  return new Promise((resolve) => {
    const stop = () => {
      clearInterval(watch)
      resolve()
    }
    const isOrphan = () => process.env.npm_lifecycle_event !== undefined && process.ppid !== parent
    const watch = setInterval(() => isOrphan() && stop(), 500)
    for (const signal of ['SIGINT', 'SIGTERM']) {
      process.removeAllListeners(signal)
      process.once(signal, () => {
        process.once(signal, () => process.exit(130))
        stop()
      })
    }
  })
}
