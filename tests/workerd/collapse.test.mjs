// Followers of a leader that reads slowly, whose response cannot be shared, or whose request the origin rejects.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createConnection } from 'node:net'
import { Stand } from './stand.mjs'
import { until } from './wire.mjs'

const HOST = 'collapse.test'
/** A follower may fetch after one second, and checks at least five times a second; the rest is for a slow computer. */
const BOUND_MS = 1_000 + 1_500

describe('collapsing', { timeout: 120_000 }, () => {
  let stand
  before(async () => {
    stand = await Stand.start({ rules: { origin_timeout: 30 } })
    stand.origin.on(HOST, '/first', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'first' })
    await stand.get(HOST, '/first')
  })
  after(() => stand?.stop())

  const requestCount = (path) => stand.origin.requests(HOST, path).length

  async function timed(path, fields = []) {
    const began = Date.now()
    const answer = await stand.get(HOST, path, fields)
    return { answer, ms: Date.now() - began }
  }

  it('leader that does not read a long page delays its followers for a bounded time', async () => {
    const body = Buffer.alloc(6_000_000, 'a long page ')
    stand.origin.on(HOST, '/long', { status: 200, fields: [['Cache-Control', 'max-age=60']], body })
    const socket = createConnection({ port: new URL(stand.worker.url()).port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.pause()
    socket.write(`GET /long HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    assert.ok(await until(() => requestCount('/long') === 1, 5_000))
    const responses = await Promise.all([timed('/long'), timed('/long'), timed('/long')])
    socket.destroy()
    for (const { answer, ms } of responses) {
      assert.ok(answer.status === 200 && answer.body.equals(body), String(answer))
      // The followers then fetch six megabytes each. Without the bound they would wait for ten seconds.
      assert.ok(ms < 3 * BOUND_MS, `${ms} ms`)
    }
  })

  it('followers of an uncacheable slow response do not wait for a second one', async () => {
    stand.origin.on(HOST, '/poll', { status: 200, fields: [['Cache-Control', 'no-store']], body: 'news', slow: 4 })
    const responses = await Promise.all([timed('/poll'), timed('/poll'), timed('/poll')])
    for (const { answer, ms } of responses) {
      assert.equal(answer.text, 'news', String(answer))
      assert.ok(ms < 4_000 + BOUND_MS, `${ms} ms`)
    }
  })

  it('followers fetch again after the leader gets a 406', async () => {
    stand.origin.on(HOST, '/odd', (request, response) => {
      const odd = request.field('accept') === 'application/x-odd'
      const [status, body] = odd ? [406, 'no'] : [200, 'page']
      setTimeout(() => response.writeHead(status, ['Cache-Control', 'max-age=60']).end(body), 500)
    })
    const odd = timed('/odd', [['Accept', 'application/x-odd']])
    assert.ok(await until(() => requestCount('/odd') === 1, 5_000))
    const responses = await Promise.all(Array.from({ length: 10 }, () => timed('/odd')))
    for (const { answer } of responses) assert.equal(answer.text, 'page', String(answer))
    assert.equal((await odd).answer.status, 406)
    assert.equal(requestCount('/odd'), 2)
  })
})
