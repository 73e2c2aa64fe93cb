// Runs the example blog: its database, and gunicorn on a port of 127.0.0.1.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problem, run } from '../tools.mjs'
import { BLOG, python } from './venv.mjs'

const START_MS = 60_000
const STOP_MS = 6_000

/** Migrates, fills an empty blog with articles, and collects the static files. Skips steps that are done. */
export async function prepareBlog(env) {
  for (const [args, what] of [
    [['migrate', '--verbosity', '0'], 'migrate'],
    [['seed_blog'], 'seed_blog'],
    [['collectstatic', '--noinput', '--verbosity', '0'], 'collectstatic'],
  ]) {
    if ((await manage(args, env)) === 0) continue
    throw new Problem(
      `manage.py ${what} failed (its messages are above).\nIf the database is of an older version of the blog, remove examples/django-blog/.data and try again.`,
    )
  }
}

/** Runs `manage.py` and returns its exit code. */
export const manage = (args, env = {}) => run(python, [join(BLOG, 'manage.py'), ...args], { env, quiet: true, cwd: BLOG })

/** Django's environment variables; see config/settings.py. */
export function environment({ data, edge, secret, hosts, requestLog, countQueries = false }) {
  return {
    BLOG_DATA: data,
    BLOG_SECRET_KEY: '',
    BLOG_HOSTS: hosts ?? 'localhost,127.0.0.1',
    BLOG_REQUEST_LOG: requestLog ?? '',
    BLOG_COUNT_QUERIES: countQueries ? '1' : '',
    BLOG_DEBUG: '',
    EDGEKEEP_SITE: edge,
    EDGEKEEP_SECRET: secret,
    PYTHONUNBUFFERED: '1',
  }
}

/**
 * Starts gunicorn.
 *
 * @param {object} options
 * @param {number} options.port
 * @param {object} options.env   see `environment`
 * @param {number} [options.workers]
 * @param {(line: string) => void} [options.onLog] gets the output of Django and gunicorn
 * @returns {Promise<{ url: string, pid: number, stop: (signal?: string) => Promise<void> }>} `stop('SIGKILL')` is a crash
 */
export async function startBlog({ port, env, workers = 2, onLog = (line) => console.error(line) }) {
  mkdirSync(env.BLOG_DATA, { recursive: true })
  const args = ['-m', 'gunicorn', 'config.wsgi', '--bind', `127.0.0.1:${port}`, '--workers', String(workers), '--threads', '12']
  args.push('--log-level', 'warning', '--graceful-timeout', '3', '--no-control-socket')
  // Longer than the client in front keeps a connection: a request that is sent while gunicorn closes the connection is lost.
  args.push('--keep-alive', '75')
  // A separate process group: Ctrl-C reaches only this script, which ends gunicorn with its workers.
  const child = spawn(python, args, { cwd: BLOG, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const output = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      for (const line of text.split('\n').filter(Boolean)) {
        output.push(line)
        onLog(line)
      }
    })
  }
  let gone = false
  const end = new Promise((resolve) => child.once('close', () => resolve((gone = true))))
  child.once('error', (error) => output.push(error.message))
  const signal = (name) => {
    try {
      process.kill(-child.pid, name)
    } catch {
      // It has ended already.
    }
  }
  const atExit = () => signal('SIGTERM')
  process.once('exit', atExit)
  const stop = async (name = 'SIGTERM') => {
    process.off('exit', atExit)
    if (gone) return
    signal(name)
    const timer = setTimeout(() => signal('SIGKILL'), STOP_MS)
    await end
    clearTimeout(timer)
  }
  const url = `http://127.0.0.1:${port}`
  for (const until = Date.now() + START_MS; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (!gone && (await answers(url, env.BLOG_HOSTS))) return { url, pid: child.pid, stop }
    if (gone || Date.now() > until) {
      await stop()
      throw new Problem(`Django did not start:\n${output.slice(-20).join('\n')}`)
    }
  }
}

async function answers(url, hosts) {
  try {
    const answer = await fetch(`${url}/search/`, { headers: { 'x-forwarded-host': hosts.split(',')[0] }, signal: AbortSignal.timeout(2_000) })
    await answer.arrayBuffer()
    return answer.status === 200
  } catch {
    return false
  }
}

/** The lines of a request log, as objects. */
export function readRequests(file) {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
}
