// A ledger that hangs delays few reads, by one second at most, and writes by half a second. A write is in force in its
// isolate meanwhile, and sent to the ledger when it recovers. A ledger that fails to start is started again.

import { after, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { queryCount, setLedger, withLedgerDouble } from './ledger-double.mjs'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const LIMIT = { timeout: 120_000 }
const page = (body) => ({ status: 200, fields: [['Cache-Control', 'max-age=600']], body })
const details = (answer) => (answer.cache.get('detail') ?? '').split('/')

/** Tolerance for a busy computer. */
const SLACK_MS = 400

describe('ledger that hangs', { concurrency: false }, () => {
  let stand
  after(() => stand?.stop())

  async function timed(ask) {
    const began = Date.now()
    const answer = await ask()
    return { answer, took: Date.now() - began }
  }

  it('delays at most 12 of 60 reads, by one second at most', LIMIT, async () => {
    stand = await Stand.start({ workers: ['a', 'b'], adapt: withLedgerDouble() })
    const host = 'hangs.test'
    stand.origin.on(host, '*', page('old'))
    for (const at of ['a', 'b']) for (const path of ['/read', '/here', '/there']) await stand.getHit(host, path, [], { at })
    await setLedger(stand, 'hang')
    await sleep(1_500) // until the purge index is older than max_purge_lag
    const before = queryCount(stand)
    const readers = []
    for (let n = 0; n < 60; n += 1) {
      readers.push(timed(() => stand.get(host, '/read')))
      await sleep(100)
    }
    const all = await Promise.all(readers)
    assert.ok(all.every(({ answer }) => answer.hit && answer.text === 'old'), String(all[0].answer))
    const took = all.map(({ took }) => took)
    assert.ok(Math.max(...took) < 1_000 + SLACK_MS, took.join(' '))
    // The reads of the first second, and one for each trial.
    assert.ok(took.filter((ms) => ms > 500).length <= 12, took.join(' '))
    assert.ok(details(all.at(-1).answer).includes('old-purge-index'), String(all.at(-1).answer))
    // From two isolates, one of which got no request.
    assert.ok(queryCount(stand) - before <= 3, `${queryCount(stand) - before} queries`)
  })

  it('delays a write by half a second at most, and the write purges its target in its isolate', LIMIT, async () => {
    const host = 'hangs.test'
    stand.origin.on(host, '*', page('new'))
    for (let n = 0; n < 5; n += 1) {
      const { answer, took } = await timed(() => stand.send({ host, method: 'POST', path: '/here', body: 'x' }))
      assert.equal(answer.status, 200, String(answer))
      assert.ok(took < 500 + SLACK_MS, `${took} ms`)
    }
    const first = await stand.get(host, '/here')
    assert.ok(first.text === 'new' && !first.hit, `${first}\n${stand.about(host)}`)
    // The response fetched after the write is a hit.
    const second = await stand.getHit(host, '/here')
    assert.equal(second.text, 'new')
    await stand.send({ host, method: 'POST', path: '/there', body: 'x' })
    const other = await stand.get(host, '/there', [], { at: 'b' })
    assert.equal(other.text, 'old', 'the other isolate has received the purge')
  })

  it('makes an order fail with 503 after five seconds', LIMIT, async () => {
    const { answer, took } = await timed(() => stand.purge('hangs.test', { tags: ['t'] }))
    assert.equal(answer.status, 503, String(answer))
    assert.ok(answer.field('retry-after') && took > 4_500 && took < 5_000 + 2 * SLACK_MS, `${took} ms`)
  })

  it('receives the write after it has recovered', LIMIT, async () => {
    await setLedger(stand, 'answer')
    const host = 'hangs.test'
    const received = await until(async () => (await stand.get(host, '/there', [], { at: 'b' })).text === 'new', 30_000, 300)
    assert.ok(received, stand.about(host))
    const order = await stand.purge(host, { tags: ['t'] })
    assert.equal(order.status, 200, String(order))
    const answer = await stand.get(host, '/read')
    assert.ok(!details(answer).includes('old-purge-index'), String(answer))
  })
})

it('ledger that fails to start is started again', LIMIT, async () => {
  const stand = await Stand.start({ adapt: withLedgerDouble(2) })
  try {
    const host = 'starts.test'
    stand.origin.on(host, '*', page('page'))
    const first = await stand.get(host, '/a')
    assert.ok(first.text === 'page' && details(first).includes('no-purge-index'), String(first))
    const hasIndex = await until(async () => !details(await stand.get(host, '/a')).includes('no-purge-index'), 10_000, 300)
    assert.ok(hasIndex, stand.raw.join('\n'))
    assert.ok((await stand.getHit(host, '/a')).hit)
    assert.equal((await stand.purge(host, { tags: ['t'] })).status, 200)
  } finally {
    await stand.stop()
  }
})
