// A fetched response is a hit for the next request, although it is stored after the response is sent.

import { after, before, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'
import { sleep } from './wire.mjs'

const HOST = 'at-once.test'
const ROUNDS = 60
const LIMIT = { timeout: 60_000 }

let stand
before(async () => {
  stand = await Stand.start({ rules: { defaults: { stale_if_error: 0 } } })
})
after(() => stand?.stop())

const plan = (fields, body) => ({ status: 200, slow: 0, cut: false, fields: Object.entries(fields), body })

it('next request after a miss is a hit or collapsed, under load', LIMIT, async () => {
  const round = async (round) => {
    const path = `/miss/${round}`
    stand.origin.on(HOST, path, plan({ 'Cache-Control': 'max-age=60' }, 'x'.repeat(1 + round * 1_000)))
    await stand.get(HOST, path)
    const next = await stand.get(HOST, path)
    // Collapsed: the first request's flight was still in progress.
    assert.ok(next.hit || next.cache.has('collapsed'), `round ${round}:\n${next}`)
    assert.equal(stand.origin.requests(HOST, path).length, 1)
  }
  await Promise.all(Array.from({ length: ROUNDS }, (_, index) => round(index)))
})

it('next request after a revalidation by 304 is a hit', LIMIT, async () => {
  const paths = Array.from({ length: 20 }, (_, round) => `/304/${round}`)
  const answer = (seconds) => plan({ 'Cache-Control': `max-age=${seconds}`, ETag: '"1"' }, 'body')
  for (const path of paths) {
    stand.origin.on(HOST, path, answer(1))
    await stand.get(HOST, path)
    stand.origin.on(HOST, path, answer(60))
  }
  await sleep(2_200)
  for (const path of paths) {
    const revalidated = await stand.get(HOST, path)
    assert.match(revalidated.field('cache-status'), /fwd-status=304/)
    const next = await stand.get(HOST, path)
    assert.ok(next.hit, `${path}:\n${next}`)
    assert.equal(stand.origin.requests(HOST, path).length, 2)
  }
})

it('40 concurrent requests after a miss are served without the origin', LIMIT, async () => {
  stand.origin.on(HOST, '/many', plan({ 'Cache-Control': 'max-age=60' }, 'one for all'))
  await stand.get(HOST, '/many')
  const answers = await Promise.all(Array.from({ length: 40 }, () => stand.get(HOST, '/many')))
  for (const answer of answers) assert.equal(answer.text, 'one for all')
  assert.equal(stand.origin.requests(HOST, '/many').length, 1)
})
