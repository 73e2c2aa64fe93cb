// A ledger that hangs costs readers a second once in a while and writers half of one; what it was not told of is obeyed all
// the same, and it is told when it is back. A ledger that does not start is tried again.

import { after, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { questions, setLedger, withLedgerDouble } from './ledger-double.mjs'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const LIMIT = { timeout: 120_000 }
const page = (body) => ({ status: 200, fields: [['Cache-Control', 'max-age=600']], body })
const details = (answer) => (answer.cache.get('detail') ?? '').split('/')

/** How much later than it may an answer comes on a busy computer. */
const SLACK_MS = 400

describe('a ledger that hangs', { concurrency: false }, () => {
  let stand
  after(() => stand?.stop())

  async function timed(ask) {
    const began = Date.now()
    const answer = await ask()
    return { answer, took: Date.now() - began }
  }

  it('holds up no reader for more than a second, and few at all', LIMIT, async () => {
    stand = await Stand.start({ workers: ['a', 'b'], adapt: withLedgerDouble() })
    const host = 'hangs.test'
    stand.origin.on(host, '*', page('old'))
    for (const at of ['a', 'b']) for (const path of ['/read', '/here', '/there']) await stand.getHit(host, path, [], { at })
    await setLedger(stand, 'hang')
    await sleep(1_500) // the index grows old
    const before = questions(stand)
    const readers = []
    for (let n = 0; n < 60; n += 1) {
      readers.push(timed(() => stand.get(host, '/read')))
      await sleep(100)
    }
    const all = await Promise.all(readers)
    assert.ok(all.every(({ answer }) => answer.hit && answer.text === 'old'), String(all[0].answer))
    const took = all.map(({ took }) => took)
    assert.ok(Math.max(...took) < 1_000 + SLACK_MS, took.join(' '))
    // Those of its first second, and one a trial.
    assert.ok(took.filter((ms) => ms > 500).length <= 12, took.join(' '))
    assert.ok(details(all.at(-1).answer).includes('old-purge-index'), String(all.at(-1).answer))
    // Of two isolates, for one of which there was no reader.
    assert.ok(questions(stand) - before <= 3, `${questions(stand) - before} questions`)
  })

  it('holds up no writer, and this isolate obeys', LIMIT, async () => {
    const host = 'hangs.test'
    stand.origin.on(host, '*', page('new'))
    for (let n = 0; n < 5; n += 1) {
      const { answer, took } = await timed(() => stand.send({ host, method: 'POST', path: '/here', body: 'x' }))
      assert.equal(answer.status, 200, String(answer))
      assert.ok(took < 500 + SLACK_MS, `${took} ms`)
    }
    const first = await stand.get(host, '/here')
    assert.ok(first.text === 'new' && !first.hit, `${first}\n${stand.about(host)}`)
    // And what it has fetched since is a hit.
    const second = await stand.getHit(host, '/here')
    assert.equal(second.text, 'new')
    await stand.send({ host, method: 'POST', path: '/there', body: 'x' })
    const other = await stand.get(host, '/there', [], { at: 'b' })
    assert.equal(other.text, 'old', 'the other isolate has not heard of it')
  })

  it('makes an order wait and fail', LIMIT, async () => {
    const { answer, took } = await timed(() => stand.purge('hangs.test', { tags: ['t'] }))
    assert.equal(answer.status, 503, String(answer))
    assert.ok(answer.field('retry-after') && took > 4_500 && took < 5_000 + 2 * SLACK_MS, `${took} ms`)
  })

  it('is told of the write when it is back', LIMIT, async () => {
    await setLedger(stand, 'answer')
    const host = 'hangs.test'
    const heard = await until(async () => (await stand.get(host, '/there', [], { at: 'b' })).text === 'new', 30_000, 300)
    assert.ok(heard, stand.about(host))
    const order = await stand.purge(host, { tags: ['t'] })
    assert.equal(order.status, 200, String(order))
    const answer = await stand.get(host, '/read')
    assert.ok(!details(answer).includes('old-purge-index'), String(answer))
  })
})

it('a ledger that fails to start is started anew', LIMIT, async () => {
  const stand = await Stand.start({ adapt: withLedgerDouble(2) })
  try {
    const host = 'starts.test'
    stand.origin.on(host, '*', page('page'))
    const first = await stand.get(host, '/a')
    assert.ok(first.text === 'page' && details(first).includes('no-purge-index'), String(first))
    const known = await until(async () => !details(await stand.get(host, '/a')).includes('no-purge-index'), 10_000, 300)
    assert.ok(known, stand.raw.join('\n'))
    assert.ok((await stand.getHit(host, '/a')).hit)
    assert.equal((await stand.purge(host, { tags: ['t'] })).status, 200)
  } finally {
    await stand.stop()
  }
})
