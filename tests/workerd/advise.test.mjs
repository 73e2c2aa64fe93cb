// What `edgekeep advise` proposes for a log brings the hits that it names: the log is replayed through the worker, without
// the proposed rules and with them.

import { before, it } from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { buildCommand, runCommand } from './command.mjs'

const SCRIPT = fileURLToPath(new URL('../../scripts/replay.mjs', import.meta.url))
const HEAD = 'seconds\tclient\tmethod\ttarget\tstatus\tbytes\tuser_agent'
let command

before(() => { command = buildCommand() }, { timeout: 600_000 })

/** Replays a log, whose bodies must all be right, and returns the hits. */
async function hitsOf(log, ...options) {
  const run = promisify(execFile)(process.execPath, [SCRIPT, log, ...options])
  const { stdout } = await run.catch((error) => assert.fail(`${error.message}\n${error.stdout}\n${error.stderr}`))
  assert.match(stdout, /^wrong bodies: +0$/m, stdout)
  assert.match(stdout, /agree\.$/m, stdout)
  return Number(/^hits: +([\d,]+) of/m.exec(stdout)[1].replaceAll(',', ''))
}

/** The advice for a log of these rows: `[seconds, target, bytes]`. */
async function adviceFor(t, rows, ...options) {
  const folder = mkdtempSync(join(tmpdir(), 'edgekeep-advise-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [log, rules] = [join(folder, 'access.tsv'), join(folder, 'rules.toml')]
  const lines = rows.map(([seconds, target, bytes]) => [seconds, 1, 'GET', target, 200, bytes, 'test'].join('\t'))
  writeFileSync(log, `${[HEAD, ...lines].join('\n')}\n`)
  const { code, stdout, stderr } = await runCommand(command, ['advise', log, '--access', '--json', ...options])
  const advice = JSON.parse(stdout || assert.fail(stderr))
  writeFileSync(rules, advice.toml)
  assert.equal(code, advice.proposals.length > 0 ? 1 : 0, stderr)
  return { advice, log, rules }
}

it('proposed lifetimes bring the hits in the worker', { timeout: 120_000 }, async (t) => {
  const rows = Array.from({ length: 120 }, (_, n) => (n % 3 === 0 ? [n * 10, '/about', 500] : [n * 10, `/shop/${n % 3}?ref=${n}`, 900 + (n % 3)]))
  const { advice, log, rules } = await adviceFor(t, rows)
  const settings = advice.proposals.map(({ rule, setting }) => `${rule} ${setting}`)
  assert.deepEqual(settings.toSorted(), ['/about edge_ttl'], advice.toml)
  assert.equal(await hitsOf(log, '--lifetime', 'none'), advice.hits_before)
  const hits = await hitsOf(log, '--lifetime', 'none', '--rules', rules)
  // As fast as it goes, no lifetime ends: there may be more.
  assert.ok(hits >= advice.hits_after && advice.hits_after > 30, `${hits} hits, ${advice.hits_after} proposed`)
})

it('a parameter that splits pages brings exactly the hits', { timeout: 120_000 }, async (t) => {
  const rows = Array.from({ length: 120 }, (_, n) => [n, `/shop/${n % 3}?ref=${n}&id=${n % 2}`, 900 + (n % 3)])
  const { advice, log, rules } = await adviceFor(t, rows, '--origin-ttl', '86400')
  assert.deepEqual(advice.proposals.map(({ setting, value }) => [setting, value]), [['query', { deny: ['ref'] }]])
  assert.equal(await hitsOf(log), advice.hits_before)
  assert.equal(await hitsOf(log, '--rules', rules), advice.hits_after)
  assert.deepEqual([advice.hits_before, advice.hits_after], [0, 114])
})
