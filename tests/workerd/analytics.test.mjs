// Data points of Analytics Engine. Miniflare drops what is written to a dataset, so a double with the same method keeps it.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'
import { until } from './wire.mjs'

const LIMIT = { timeout: 120_000 }
const DOUBLE = `
import worker, * as exported from './index.js'

const EDGEKEEP_ANALYTICS = { writeDataPoint: (point) => {
  if (point.blobs[6] === '/throws') throw new Error('the dataset is full')
  console.log(JSON.stringify({ event: 'data-point', point }))
} }

export default {
  fetch: (request, env, context) => worker.fetch(request, { ...env, EDGEKEEP_ANALYTICS }, context),
}
export class Ledger extends exported.Ledger {}`

function withDouble(options) {
  const workers = options.workers.map(({ config, ...rest }) => {
    const { modules } = config.manifest
    const manifest = { ...config.manifest, mainModule: 'double.js', modules: { ...modules, 'double.js': { type: 'esm', contents: DOUBLE } } }
    return { ...rest, config: { ...config, manifest } }
  })
  return { ...options, workers }
}

describe('a dataset', LIMIT, () => {
  let stand
  before(async () => { stand = await Stand.start({ adapt: withDouble }) })
  after(() => stand?.stop())

  const host = 'points.test'
  const points = () => stand.log.filter(({ event }) => event === 'data-point').map(({ point }) => point)

  it('gets one data point for each request', async () => {
    stand.origin.on(host, '/page?q=1', { status: 200, fields: [['Cache-Control', 'max-age=600']], body: 'page' })
    await stand.get(host, '/page?q=1')
    assert.ok(await until(async () => (await stand.get(host, '/page?q=1')).hit, 5_000, 50))
    assert.ok(await until(() => points().some(({ blobs }) => blobs[2] === 'hit'), 5_000))
    const [miss, hit] = [points()[0], points().at(-1)]
    assert.deepEqual([miss.indexes, miss.blobs], [[host], [host, 'defaults', 'miss', 'uri-miss', '', 'GET', '/page']])
    assert.deepEqual(hit.blobs.slice(0, 4), [host, 'defaults', 'hit', ''])
    const [sample, status, ms, bytes, requests, originMs] = miss.doubles
    assert.deepEqual([miss.doubles.length, sample, status, bytes, requests], [6, 1, 200, 4, 1])
    assert.ok(ms >= originMs && originMs >= 0, `${miss.doubles}`)
  })

  it('that fails harms no request, and the log says so', async () => {
    stand.origin.on(host, '/throws', { status: 200, fields: [['Cache-Control', 'max-age=600']], body: 'whole' })
    const answer = await stand.get(host, '/throws')
    assert.deepEqual([answer.status, answer.text], [200, 'whole'])
    const told = ({ event, part, problem }) => event === 'problem' && part === 'analytics' && problem === 'the dataset is full'
    assert.ok(await until(() => stand.log.some(told), 5_000), JSON.stringify(stand.log))
  })
})

describe('without a dataset', LIMIT, () => {
  it('requests are served as ever', async () => {
    const stand = await Stand.start()
    try {
      stand.origin.on('points.test', '/page', { status: 200, fields: [['Cache-Control', 'max-age=600']], body: 'page' })
      assert.equal((await stand.get('points.test', '/page')).status, 200)
      assert.ok(!stand.log.some(({ event }) => event === 'problem'), JSON.stringify(stand.log))
    } finally {
      await stand.stop()
    }
  })
})
