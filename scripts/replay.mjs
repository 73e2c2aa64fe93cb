// npm run replay -- [FILE] [--rules FILE] [--lifetime SECONDS|none] [--limit ROWS] [--speed FACTOR] [--concurrency N] [--kv true|false|earned]
//
// Replays an access log through the built worker in workerd, in front of an origin that responds as in the log. Checks every
// body, and prints the hits of the cache and the upper bound of any cache.

import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readRules } from './rules.mjs'
import { startWorker } from './workerd.mjs'
import { bounds, dropperOf, parseLog } from './replay/log.mjs'
import { FRESH_SECONDS, ReplayOrigin, mapping } from './replay/origin.mjs'
import { LogTally, contradictions, report } from './replay/report.mjs'
import { replay } from './replay/run.mjs'

const SAMPLE = fileURLToPath(new URL('../tests/data/blog-access-sample.tsv', import.meta.url))
const MAX_CONCURRENCY = 64
const KV = { true: true, false: false, earned: 'earned' }
const USAGE = `usage: npm run replay -- [FILE] [--rules FILE] [--lifetime SECONDS|none] [--limit ROWS] [--speed FACTOR] [--concurrency N] [--kv true|false|earned]

  FILE           a log with the columns of tests/data/blog-access-sample.tsv (which is the default)
  --rules        a file with a table [vars.EDGEKEEP]: its rules and defaults hold
  --lifetime     what the origin names: seconds (default ${FRESH_SECONDS}: no page expires), or none
  --limit        only the first ROWS rows
  --speed        so many seconds of the log in one second (default: as fast as it goes)
  --concurrency  requests at a time, 1 to ${MAX_CONCURRENCY} (default 8); requests for one page keep their order
  --kv           the rule's \`kv\` (default: earned)`

function settings() {
  const options = { rules: { type: 'string' }, lifetime: { type: 'string' }, limit: { type: 'string' }, speed: { type: 'string' }, concurrency: { type: 'string' }, kv: { type: 'string', default: 'earned' }, help: { type: 'boolean', short: 'h' } }
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  if (values.help) {
    console.log(USAGE)
    process.exit(0)
  }
  if (positionals.length > 1) throw new Error(`one FILE at a time; got ${positionals.join(' ')}`)
  const positive = (name, fallback, most = Infinity) => {
    const value = values[name] === undefined || values[name] === 'max' ? fallback : Number(values[name])
    if (!(value > 0 && value <= most)) throw new Error(`--${name} takes a number above 0${most === Infinity ? '' : ` up to ${most}`}`)
    return value
  }
  if (!(values.kv in KV)) throw new Error('--kv takes true, false or earned')
  return {
    kv: KV[values.kv],
    rules: values.rules,
    lifetime: values.lifetime === 'none' ? undefined : positive('lifetime', FRESH_SECONDS),
    file: positionals[0] ?? SAMPLE,
    limit: positive('limit', Infinity),
    speed: positive('speed', Infinity),
    concurrency: Math.ceil(positive('concurrency', 8, MAX_CONCURRENCY)),
  }
}

/** Shows a bar on a terminal, elsewhere a line at every tenth. */
function progress(total) {
  const tty = process.stderr.isTTY
  let shown = -1
  return (done) => {
    const part = Math.floor((done * (tty ? 100 : 10)) / total)
    if (part === shown) return
    shown = part
    if (!tty) return void console.error(`${part * 10} %  ${done} of ${total} requests`)
    const width = Math.floor(part * 0.4)
    process.stderr.write(`\r[${'#'.repeat(width)}${'.'.repeat(40 - width)}] ${part} %  ${done} of ${total} requests${done === total ? '\n' : ''}`)
  }
}

async function main() {
  const { file, limit, speed, concurrency, kv, rules: rulesFile, lifetime } = settings()
  const rules = rulesFile ? await readRules(rulesFile) : {}
  const rows = parseLog(readFileSync(file, 'utf8'), relative('.', file), limit, dropperOf(rules.rules))
  if (rows.length === 0) throw new Error(`${file} holds no rows`)
  console.log(`Replaying ${rows.length.toLocaleString('en')} rows of ${relative('.', file)}. How the log is read:`)
  for (const line of mapping(lifetime)) console.log(`  - ${line}`)

  const log = new LogTally()
  const origin = await ReplayOrigin.start(lifetime)
  let worker
  try {
    worker = await startWorker({ rules: { ...rules, origin: origin.url, defaults: { kv, ...rules.defaults } }, onLog: (line) => log.add(line) })
    const tally = await replay(rows, { url: worker.url(), origin, concurrency, speed, onProgress: progress(rows.length) })
    await waitForLog(log, tally.answers)
    return judge(tally, log, origin, bounds(rows))
  } finally {
    await worker?.stop()
    await origin.stop()
  }
}

/** Waits for the log lines, which come after the responses. */
async function waitForLog(log, answers) {
  for (let i = 0; i < 30 && log.requests < answers; i++) await new Promise((resolve) => setTimeout(resolve, 100))
}

/** Prints the result; returns whether it is correct. */
function judge(tally, log, origin, bound) {
  console.log(`\n${report(tally, log, origin, bound)}`)
  const faults = [
    ['Wrong answers', tally.wrong],
    ['Asked of the origin though no row does', origin.strays],
    ['The answers, the worker\'s log and the origin do not agree', contradictions(tally, log, origin)],
    ['Problems in the worker\'s log', log.problems],
  ].filter(([, list]) => list.length > 0)
  for (const [title, list] of faults) {
    console.log(`\n${title}:`)
    for (const line of list.slice(0, 20)) console.log(`  ${line}`)
    if (list.length > 20) console.log(`  and ${list.length - 20} more`)
  }
  if (faults.length === 0) console.log('\nThe answers, the worker\'s log and the origin agree.')
  return faults.length === 0
}

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  console.error(`replay: ${error.message}`)
  if (error.code?.startsWith?.('ERR_PARSE_ARGS')) console.error(USAGE)
  process.exitCode = 1
}
