// Statistics of the built worker: two isolates count, the ledger adds up, and a real Prometheus scrapes the sums.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { buildCommand, runCommand } from './command.mjs'
import { Prometheus, findPrometheus } from './prometheus.mjs'
import { SECRET, Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const TOKEN = `token_${'0123456789abcdef'.repeat(2)}`
const SCRAPER = `token_${'fedcba9876543210'.repeat(2)}`
const LIMIT = { timeout: 120_000 }
const FIELDS = [['Cache-Control', 'max-age=600']]

const rules = {
  stats_interval: 1,
  keys: [{ name: 'scraper', secret: 'SCRAPER_SECRETS', may: { hosts: ['127.0.0.1'] }, stats: true }],
  rules: [{ path: '/private/*', cache: false }],
}

let stand, host
before(async () => {
  stand = await Stand.start({ rules, vars: { SCRAPER_SECRETS: SCRAPER }, secrets: `${SECRET} ${TOKEN}`, workers: ['a', 'b'] })
  host = new URL(stand.worker.url()).hostname // as scrapers ask, without the port
})
after(() => stand?.stop())

const bearer = (token) => ['Authorization', `Bearer ${token}`]

async function stats(query = '') {
  const answer = await stand.send({ host: 'ask.test', path: `/.edgekeep/stats${query}`, fields: [bearer(TOKEN)] })
  assert.equal(answer.status, 200, String(answer))
  return JSON.parse(answer.text)
}

/** The requests of a host by outcome, when there are so many. */
async function counted(of, least) {
  let sums
  const done = await until(async () => {
    for (const at of ['a', 'b']) await stand.send({ at, host: 'reporter.test', path: '/' })
    const { rows } = await stats(`?host=${of}`)
    sums = {}
    for (const { outcome, requests } of rows) sums[outcome] = (sums[outcome] ?? 0) + requests
    return Object.values(sums).reduce((sum, n) => sum + n, 0) >= least
  }, 20_000, 300)
  assert.ok(done, JSON.stringify(sums))
  return sums
}

describe('statistics', LIMIT, () => {
  it('counts the requests of two isolates once each', async () => {
    const page = 'sums.test'
    stand.origin.on(page, '/page', { status: 200, fields: FIELDS, body: 'page' })
    await stand.getHit(page, '/page')
    const before = await counted(page, 2)
    for (let n = 0; n < 10; n++) for (const at of ['a', 'b']) assert.ok((await stand.send({ at, host: page, path: '/page' })).hit)
    await stand.get(page, '/private/x')
    const sums = await counted(page, 21 + before.hit + before.miss)
    assert.deepEqual(sums, { hit: before.hit + 20, miss: before.miss, bypass: 1 })
    await sleep(2_500)
    assert.deepEqual(await counted(page, 1), sums, 'no report is added twice')
  })

  it('edgekeep stats prints a table and the reasons', async () => {
    const path = buildCommand()
    const page = 'table.test'
    stand.origin.on(page, '/page', { status: 200, fields: FIELDS, body: '0123456789' })
    stand.origin.on(page, '/none', { status: 200, fields: [['Cache-Control', 'private']], body: 'x' })
    await stand.getHit(page, '/page')
    await stand.get(page, '/none')
    await counted(page, 3)
    const env = { EDGEKEEP_SITE: stand.worker.url(), EDGEKEEP_SECRET: TOKEN }
    const { code, stdout, stderr } = await runCommand(path, ['stats', '--host', page], { env })
    assert.deepEqual([code, stderr], [0, ''], stdout)
    assert.match(stdout, /^the last 1h until \d{4}-[^]*\n *HOST +RULE +REQUESTS +HITS +STALE +ERRORS +MB +ORIGIN +MEDIAN +95 %\n *table\.test +defaults +\d+ +\d+\.\d % +0 +0 +0\.0 +2 +<= \d+ ms +<= \d+ ms\n/)
    assert.match(stdout, /\n *NO HIT +REASON +REQUESTS\n[^]* miss +private +1\b/)
    const json = await runCommand(path, ['stats', '--host', page, '--since', '7d', '--json'], { env })
    assert.equal(JSON.parse(json.lines[0]).step, 3600)
    const bad = await runCommand(path, ['stats', '--since', 'long'], { env })
    assert.deepEqual([bad.code, bad.stdout], [2, ''])
    assert.match(bad.stderr, /--since long: write it as 30m, 24h or 7d/)
  })

  it('a Prometheus scrapes the metrics', async (t) => {
    const program = await findPrometheus()
    if (!program) return t.skip('no Prometheus here: apt install prometheus')
    stand.origin.on(host, '/page', { status: 200, fields: FIELDS, body: 'page' })
    const get = () => stand.get(host, '/page')
    assert.ok(await until(async () => (await get()).hit, 3_000, 30))
    for (let n = 0; n < 5; n++) await get()
    const sums = await counted(host, 7)
    const prometheus = await Prometheus.start(program, { target: new URL(stand.worker.url()).host, path: '/.edgekeep/metrics', token: SCRAPER })
    try {
      let found = []
      await until(async () => {
        found = await prometheus.query(`sum by (outcome) (edgekeep_requests_total{host="${host}",outcome=~"hit|miss"})`)
        return found.length === 2
      }, 20_000, 500)
      const [target] = await prometheus.targets()
      assert.equal(target.health, 'up', target.lastError)
      assert.deepEqual(Object.fromEntries(found.map(({ outcome, value }) => [outcome, value])), { hit: sums.hit, miss: sums.miss })
      const [times] = await prometheus.query(`edgekeep_origin_duration_seconds_count{host="${host}"}`)
      assert.equal(times.value, sums.miss)
      // The scraper's key sees one host, on any port.
      const hosts = await prometheus.query('count by (host) (edgekeep_requests_total)')
      assert.ok(hosts.every((row) => row.host.replace(/:\d+$/, '') === host), JSON.stringify(hosts))
    } finally {
      await prometheus.stop()
    }
  })
})
