// A ledger full of live purges: 100,000 selectors and one more order, with real SQLite in a Durable Object.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { LAG_SECONDS, Stand } from './stand.mjs'
import { sleep } from './wire.mjs'

const ORDERS = 100
const SELECTORS = 1_000
const HOST = 'large.test'

describe('100,000 live selectors', { timeout: 180_000 }, () => {
  let stand
  before(async () => {
    stand = await Stand.start({ workers: ['a', 'b', 'c'] })
    const page = (tag) => ({ status: 200, fields: [['Cache-Control', 'max-age=600'], ['Cache-Tag', tag]], body: tag })
    for (const [path, tag] of [['/before', 'other'], ['/named', 'tag-7-7'], ['/other', 'other']]) stand.origin.on(HOST, path, page(tag))
    await stand.getHit(HOST, '/before', [], { at: 'a' })
    for (let order = 0; order < ORDERS; order++) {
      const tags = Array.from({ length: SELECTORS }, (_, at) => `tag-${order}-${at}`)
      const answer = await stand.purge(HOST, { tags }, { at: 'a' })
      assert.equal(answer.status, 200, String(answer))
    }
  })
  after(() => stand?.stop())

  it('do not affect entries that they do not select', async () => {
    const answer = await stand.get(HOST, '/before', [], { at: 'a' })
    assert.ok(answer.hit, `${answer}\n${stand.about(HOST)}`)
  })

  it('reach a new isolate from the ledger, and the next isolate by the snapshot', async () => {
    for (const at of ['b', 'c']) {
      const answer = await stand.get(HOST, '/before', [], { at })
      assert.ok(answer.hit, `${at}: ${answer}\n${stand.about(HOST)}`)
    }
  })

  it('do not delay the next order, which is in force in other isolates within max_purge_lag', async () => {
    for (const path of ['/named', '/other']) for (const at of ['a', 'b', 'c']) await stand.getHit(HOST, path, [], { at })
    const answer = await stand.purge(HOST, { tags: ['tag-7-7'] }, { at: 'a' })
    assert.equal(answer.status, 200, String(answer))
    await sleep(LAG_SECONDS * 1000)
    assert.ok(!(await stand.get(HOST, '/named', [], { at: 'b' })).hit)
    assert.ok((await stand.get(HOST, '/other', [], { at: 'b' })).hit)
  })

  it('move into the floor with the next order: older entries are fetched again, newer ones stay usable', async () => {
    const tags = Array.from({ length: SELECTORS }, (_, at) => `more-${at}`)
    const answer = await stand.purge(HOST, { tags }, { at: 'a' })
    assert.equal(answer.status, 200, String(answer))
    await sleep(LAG_SECONDS * 1000)
    for (const at of ['b', 'c']) {
      const later = await stand.get(HOST, '/other', [], { at })
      assert.ok(later.hit, `${at}: ${later}\n${stand.about(HOST)}`)
    }
    const before = await stand.get(HOST, '/before', [], { at: 'b' })
    assert.ok(!before.hit && before.text === 'other', `${before}\n${stand.about(HOST)}`)
  })
})
