// When the worker turns the origin's 200 into a 304, it cancels the body instead of reading it to its end.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'
import { until } from './wire.mjs'

const HOST = 'conditions-bodies.test'

describe('body of a 200 that is sent to the client as 304', () => {
  let stand
  before(async () => {
    stand = await Stand.start({ rules: { rules: [{ path: '/off/*', cache: false }] } })
  })
  after(() => stand?.stop())

  /** A plan that sends a head, then 64 KB each 10 ms until the connection closes, at most 100 MB. `state` has the bytes sent. */
  function endless(fields) {
    const state = { bytes: 0, closed: false }
    const plan = (request, response) => {
      response.writeHead(200, { ETag: '"1"', ...fields })
      const timer = setInterval(() => {
        state.bytes += 65_536
        response.write(Buffer.alloc(65_536, 'x'))
        if (state.bytes > 100_000_000) response.end()
      }, 10)
      response.on('close', () => {
        clearInterval(timer)
        state.closed = true
      })
    }
    return { state, plan }
  }

  const cases = [
    ['on a miss that is not stored', '/private', { 'Cache-Control': 'private' }],
    ['on a bypass', '/off/a', {}],
    ['with Content-Length', '/long', { 'Cache-Control': 'no-store', 'Content-Length': '100000000' }],
  ]
  for (const [name, path, fields] of cases) {
    it(`is cancelled ${name}`, async () => {
      const { state, plan } = endless(fields)
      stand.origin.on(HOST, path, plan)
      // The tests' origin compares If-None-Match as a whole, and would not answer this with a 304.
      const answer = await stand.get(HOST, path, [['If-None-Match', '"0", W/"1"']])
      assert.deepEqual([answer.status, answer.body.length, answer.field('etag')], [304, 0, '"1"'], String(answer))
      assert.match(answer.field('cache-status'), /fwd-status=200/)
      assert.ok(await until(() => state.closed, 3_000), `the origin is still sending: ${state.bytes} bytes`)
      assert.ok(state.bytes < 50_000_000, `${state.bytes} bytes`)
    })
  }

  it('is read to its end when it is stored', async () => {
    stand.origin.on(HOST, '/stored', { status: 200, fields: [['ETag', '"1"'], ['Cache-Control', 'max-age=60']], body: 'x'.repeat(400_000) })
    const answer = await stand.get(HOST, '/stored', [['If-None-Match', '"1"']])
    assert.deepEqual([answer.status, answer.body.length], [304, 0])
    const hit = await stand.getHit(HOST, '/stored')
    assert.equal(hit.body.length, 400_000)
    assert.equal(stand.origin.requests(HOST, '/stored').length, 1)
  })
})
