// Runs jobs concurrently, by the number of cores. A job that measures time runs alone.
//
// A job is { part, name, slots, needs, run }: `run` returns { passed, failed, skipped, output }, where each of `failed` is
// { name, again }: a test, and the command to run it again.

import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, say } from '../tools.mjs'

/** Folder for the output of each job. */
const LOGS = join(ROOT, 'target', 'test')

/**
 * Runs all jobs in order, and returns their results in this order. A job starts when the jobs that it needs have passed and
 * enough slots are free. A job that waits for slots delays those after it.
 */
export async function runJobs(jobs, slots) {
  mkdirSync(LOGS, { recursive: true })
  const results = new Map()
  const running = new Map()
  const waiting = [...jobs]
  let free = slots
  const start = (job) => {
    const size = Math.min(job.slots ?? 1, slots)
    free -= size
    running.set(job, timed(job).then((result) => {
      free += size
      running.delete(job)
      results.set(job, result)
      tell(job, result)
      if (result.more) waiting.unshift(...result.more)
    }))
  }
  const resultOf = (name) => [...results].find(([job]) => job.name === name)?.[1]
  while (waiting.length > 0 || running.size > 0) {
    for (const job of [...waiting]) {
      const needed = (job.needs ?? []).map(resultOf)
      if (needed.includes(undefined)) continue
      if (needed.some(({ failed }) => failed.length > 0)) {
        results.set(job, { passed: 0, failed: [], skipped: 0, seconds: 0, omitted: `${job.name} (needs ${job.needs.join(', ')})` })
      } else if (Math.min(job.slots ?? 1, slots) <= free) {
        start(job)
      } else {
        break
      }
      waiting.splice(waiting.indexOf(job), 1)
    }
    if (running.size > 0) await Promise.race(running.values())
    else if (waiting.length > 0 && !waiting.some((job) => (job.needs ?? []).every(resultOf))) throw new Error(`nothing runs: ${waiting[0].name}`)
  }
  return [...results]
}

async function timed(job) {
  const from = performance.now()
  const result = await job.run().catch((error) => ({ passed: 0, failed: [{ name: job.name, again: job.again }], skipped: 0, output: `${error.stack ?? error}` }))
  return { ...result, seconds: (performance.now() - from) / 1000 }
}

function tell({ part, name }, { passed, failed, skipped, seconds, output }) {
  const log = join(LOGS, `${part} ${name}`.replace(/[^\w.-]+/g, '-') + '.log')
  writeFileSync(log, output)
  const counts = [passed > 0 && `${passed} passed`, failed.length > 0 && `${failed.length} FAILED`, skipped > 0 && `${skipped} skipped`]
  say(`${failed.length > 0 ? '✖' : '✔'} ${part}: ${name}: ${[...counts.filter(Boolean), `${seconds.toFixed(1)} s`].join(', ')}`)
  if (failed.length > 0) say(`${output.trimEnd()}\n`)
}

/** Runs a command; returns its exit code and its output. */
export function capture(command, args, { cwd = ROOT, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk))
    const end = (code, more = '') => resolve({ code, output: Buffer.concat(chunks).toString('utf8') + more })
    child.on('error', (error) => end(1, `${command} could not be started: ${error.message}`))
    child.on('close', (code) => end(code ?? 1))
  })
}
