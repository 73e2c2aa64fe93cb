// The command `edgekeep` as a user runs it: a process with arguments, an environment and standard input.

import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const cargo = (...args) => execFileSync('cargo', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })

/** Builds the command as `cargo test` does, so that the native tests' build is used, and returns its path. */
export function buildCommand() {
  cargo('test', '--quiet', '--no-run', '--features', 'cli', '--test', 'cli')
  const { target_directory: target } = JSON.parse(cargo('metadata', '--format-version=1', '--no-deps'))
  return join(target, 'debug', process.platform === 'win32' ? 'edgekeep.exe' : 'edgekeep')
}

/** The crates from which the worker is built. */
export function cratesOfWorker() {
  const lines = cargo('tree', '--target', 'wasm32-unknown-unknown', '--edges', 'normal,build', '--prefix', 'none', '--format', '{p}')
  return new Set(lines.split('\n').map((line) => line.split(' ')[0]).filter(Boolean))
}

/** Starts the command. `env` is all of its environment but PATH; `onLine` gets each line of standard output at once. */
export function startCommand(path, args, { env = {}, input = '', cwd = ROOT, onLine } = {}) {
  const child = spawn(path, args, { cwd, env: { PATH: process.env.PATH, ...env }, timeout: 60_000 })
  let [stdout, stderr, read] = ['', '', 0]
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
    for (let end; onLine && (end = stdout.indexOf('\n', read)) >= 0; read = end + 1) onLine(stdout.slice(read, end))
  })
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text })
  child.stdin.on('error', () => {}) // it may end without reading
  child.stdin.end(input)
  const done = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr, lines: stdout.split('\n').filter(Boolean) }))
  })
  return { child, done }
}

export const runCommand = (path, args, options) => startCommand(path, args, options).done
