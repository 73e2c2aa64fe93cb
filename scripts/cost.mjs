// npm run cost: the cost of a month at given traffic, compared with alternatives, by a model that runs the real core in the
// simulated world (tests/cost/README.md). Prints a table, and writes target/cost/report.json and charts.

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { charts } from '../tests/cost/chart.mjs'
import { checkRust } from './setup.mjs'
import { ROOT, main, run, say } from './tools.mjs'

const OUT = join(ROOT, 'target', 'cost')
const PROGRAM = ['run', '--quiet', '--release', '-p', 'edgekeep-cost', '--bin', 'cost', '--']

function heading({ pops, isolates, purges_per_hour, traffic, ttl_seconds, lag_seconds }) {
  const ttl = `pages fresh for ${ttl_seconds} s, assets for a day`
  return `A month: ${pops} data centres with ${isolates} isolates each, traffic as in ${traffic === 'log' ? 'a real blog' : 'Zipf’s law'}, ${ttl},
${purges_per_hour} purges an hour, max_purge_lag = ${lag_seconds}`
}

function footing({ prices_of, cpu, seeds }) {
  const ms = (number) => `${number.toFixed(2)} ms`
  return `Prices of ${prices_of} (tests/cost/prices.json). CPU: hit ${ms(cpu.hit_ms)}, miss ${ms(cpu.miss_ms)}; recipe ${ms(cpu.recipe_hit_ms)}, ${ms(cpu.recipe_miss_ms)}
(${cpu.source}).
$/M: what a million requests cost where all that the plan includes is used up, ± one standard error (${seeds} worlds). bill: the whole
month of an account that does nothing else, with the fee of the plan and all that it includes.`
}

const COLUMNS = [
  ['requests', ({ requests }) => power(requests)],
  ['way', ({ way }) => way],
  ['ttl', ({ ttl_seconds }) => (ttl_seconds === undefined ? '' : String(ttl_seconds))],
  ['CPU s', ({ cpu_ms }) => short(cpu_ms / 1000)],
  ['Cache API', ({ cache_api_calls }) => short(cache_api_calls)],
  ['KV reads', ({ kv_reads }) => short(kv_reads)],
  ['KV writes', ({ kv_writes }) => short(kv_writes)],
  ['KV GB', ({ kv_gb }) => short(kv_gb)],
  ['ledger', ({ ledger_calls }) => short(ledger_calls)],
  ['origin', ({ origin_requests: n, requests }) => (n === 0 && requests > 0 ? '0' : `${short(n)} (${percent(n / requests)})`)],
  ['±', ({ origin_requests: n, origin_requests_error: error }) => (error > 0 ? percent(error / n) : '')],
  ['$/M', ({ dollars_a_million: dollars, dollars_a_million_error: error }) => `${dollars.toFixed(3)}${error > 0.0005 ? ` ± ${error.toFixed(3)}` : ''}`],
  ['bill $', ({ bill_dollars }) => bill_dollars.toFixed(2)],
]

function table(figures) {
  const used = COLUMNS.filter(([, cell]) => figures.some((figure) => !['', '0'].includes(cell(figure))))
  const lines = [used.map(([name]) => name)]
  for (const [at, figure] of figures.entries()) {
    if (at > 0 && figures[at - 1].requests !== figure.requests) lines.push(used.map(() => ''))
    lines.push(used.map(([, cell]) => cell(figure)))
  }
  const widths = used.map((_, column) => Math.max(...lines.map((line) => line[column].length)))
  const pad = (cell, column) => (used[column][0] === 'way' ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}

/** 1e7 as 10^7. */
function power(number) {
  const exponent = Math.log10(number)
  return Number.isInteger(exponent) ? `10^${exponent}` : short(number)
}

function short(number) {
  if (number === 0) return '0'
  for (const [unit, size] of [['G', 1e9], ['M', 1e6], ['k', 1e3]]) {
    if (number >= size) return `${(number / size).toPrecision(3)} ${unit}`
  }
  return number >= 100 ? number.toFixed(0) : number.toPrecision(2)
}

const percent = (part) => `${Number((100 * part).toPrecision(2))} %`

await main(import.meta.url, async (args) => {
  checkRust()
  // Builds first, so that the output of the build is visible.
  const built = await run('cargo', ['build', '--quiet', '--release', '-p', 'edgekeep-cost', '--bin', 'cost'], { quiet: true })
  if (built !== 0) return built
  say('Playing some worlds (a minute or two; fewer options take less) ...')
  const { status, stdout } = spawnSync('cargo', [...PROGRAM, ...args], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 })
  if (status !== 0) return status ?? 1
  const report = JSON.parse(stdout)
  console.log(`${heading(report)}\n\n${table(report.figures)}\n\n${footing(report)}`)
  mkdirSync(OUT, { recursive: true })
  const files = { 'report.json': `${JSON.stringify(report, null, 2)}\n`, ...charts(report) }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(OUT, name), text)
  say(`\nWritten: ${Object.keys(files).map((name) => `target/cost/${name}`).join(', ')}`)
})
