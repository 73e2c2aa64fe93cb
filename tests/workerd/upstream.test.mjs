// Bodies that take too long: cut for the client, whatever way they go, and never stored. And what isolates know of an
// origin that requests end without a word to.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const FRESH = ['Cache-Control', 'max-age=600']
const LIMIT = { timeout: 60_000 }
const COOKIE = ['Cookie', 'sessionid=x']

/** Sends a head and `start`, then nothing until `milliseconds` have passed. */
const stalls = (start, rest, milliseconds, fields = []) => async (_, response) => {
  response.writeHead(200, [...FRESH, ...fields])
  response.write(start)
  await sleep(milliseconds)
  if (!response.destroyed) response.end(rest)
}

describe('a body has so long to come', LIMIT, () => {
  let stand
  before(async () => { stand = await Stand.start({ rules: { origin_body_timeout: 1 } }) })
  after(() => stand?.stop())

  const rows = [
    // name, fields of the request, fields of the answer, start of the body
    ['passed by', [COOKIE], ['Content-Length', '10'], 'half-'],
    ['passed by, of no known length', [COOKIE], [], 'half-'],
    ['short', [], ['Content-Length', '10'], 'half-'],
    ['on its way to the tiers', [], ['Content-Length', '15005'], 'x'.repeat(15_000)],
    ['on its way to the tiers, of no known length', [], [], 'half-'],
    ['long', [], ['Content-Length', '400005'], 'x'.repeat(400_000)],
  ]
  for (const [name, fields, head, start] of rows) {
    it(`${name}, and it does not`, async () => {
      const host = `${name.replace(/\W+/g, '-')}.test`
      stand.origin.on(host, '/page', stalls(start, 'whole', 8_000, head))
      const began = performance.now()
      const answer = await stand.get(host, '/page', fields)
      const took = performance.now() - began
      // A short one comes with its head, or there is no answer.
      assert.equal(answer.status, name === 'short' ? 504 : 200)
      // Local workerd ends a chunked answer properly when its source breaks (see bodies.test.mjs).
      if (head.length > 0 && name !== 'short') assert.ok(!answer.complete, `the transfer did not break: ${answer}`)
      if (name !== 'short') assert.ok(answer.body.length <= start.length, `${answer}`)
      assert.ok(took > 900 && took < 4_000, `it broke after ${took} ms`)
      // Nothing of it was kept, and the origin is asked anew.
      stand.origin.on(host, '/page', { status: 200, fields: [FRESH], body: 'new' })
      await sleep(300)
      const next = await stand.get(host, '/page')
      assert.equal(next.text, 'new', `${next}\n${stand.about(host)}`)
    })

    it(`${name}, and it does`, async () => {
      const host = `${name.replace(/\W+/g, '-')}-in-time.test`
      stand.origin.on(host, '/page', stalls(start, 'whole', 300, head))
      const answer = await stand.get(host, '/page', fields)
      assert.ok(answer.complete, `${answer}`)
      assert.equal(answer.text, `${start}whole`)
      assert.equal(answer.field('content-length'), head[1])
      if (fields.length > 0) return
      const hit = await stand.getHit(host, '/page')
      assert.equal(hit.text, `${start}whole`)
    })
  }

  it('a head without a body is none that takes long', async () => {
    stand.origin.on('head.test', '/page', { status: 200, fields: [FRESH], body: 'page' })
    const answer = await stand.get('head.test', '/page', [], { method: 'HEAD' })
    assert.deepEqual([answer.status, answer.complete, answer.field('content-length')], [200, true, '4'])
  })
})

describe('a body without a limit', LIMIT, () => {
  let stand
  before(async () => { stand = await Stand.start() })
  after(() => stand?.stop())

  it('comes when it comes', async () => {
    stand.origin.on('slow.test', '/page', stalls('half-', 'whole', 3_000))
    assert.equal((await stand.get('slow.test', '/page', [COOKIE])).text, 'half-whole')
    assert.equal((await stand.get('slow.test', '/page')).text, 'half-whole')
  })
})

describe('a client that leaves', LIMIT, () => {
  const withStand = async (protection, test) => {
    const stand = await Stand.start({ rules: { protection, defaults: { retries: 0 } } })
    try {
      await test(stand)
    } finally {
      await stand.stop()
    }
  }

  it('does not keep its place for ever', () => withStand({ max_requests: 1, queue_timeout: 8, breaker_failures: 0 }, async (stand) => {
    stand.origin.on('left.test', '/slow', { hang: true })
    stand.origin.on('left.test', '/page', { status: 200, fields: [FRESH], body: 'page' })
    await assert.rejects(stand.get('left.test', '/slow', [], { timeout: 300 }), /no whole answer/)
    // Its time was 2 seconds, and a second more is its mark's.
    const answer = await stand.get('left.test', '/page')
    assert.equal(answer.text, 'page')
    assert.match(answer.field('cache-status'), /queued/)
  }))

  it('does not keep the breaker open for ever', () => withStand({ breaker_failures: 1, breaker_pause: 1 }, async (stand) => {
    const host = 'trial.test'
    stand.origin.on(host, '/page', { down: true })
    assert.equal((await stand.get(host, '/page')).status, 502)
    assert.match((await stand.get(host, '/page')).field('cache-status'), /circuit-open/)
    await sleep(1_200)
    // This one tries the origin, and is not waited for.
    stand.origin.on(host, '/slow', { hang: true })
    await assert.rejects(stand.get(host, '/slow', [], { timeout: 300 }), /no whole answer/)
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH], body: 'page' })
    assert.match((await stand.get(host, '/page')).field('cache-status'), /circuit-open/)
    const back = await until(async () => (await stand.get(host, '/page')).text === 'page', 8_000, 100)
    assert.ok(back, stand.about(host))
  }))
})

it('all requests of an isolate share what it knows; its neighbour has its own', LIMIT, async () => {
  const stand = await Stand.start({ rules: { protection: { breaker_failures: 4, breaker_pause: 60 }, defaults: { retries: 0 } }, workers: ['a', 'b'] })
  try {
    stand.origin.on('many.test', '*', { status: 503, fields: [], body: 'sorry' })
    const ask = (at, n) => stand.get('many.test', `/${n}`, [], { at })
    const answers = await Promise.all([1, 2, 3, 4].map((n) => ask('a', n)))
    assert.deepEqual(answers.map((answer) => answer.text), Array(4).fill('sorry'))
    const more = await Promise.all(Array.from({ length: 20 }, (_, n) => ask('a', 10 + n)))
    for (const answer of more) {
      assert.equal(answer.status, 503)
      assert.match(answer.field('cache-status'), /circuit-open/)
      assert.ok(Number(answer.field('retry-after')) > 50, `${answer}`)
    }
    assert.equal(stand.origin.count, 4)
    assert.equal((await ask('b', 1)).text, 'sorry')
    assert.equal(stand.origin.count, 5)
  } finally {
    await stand.stop()
  }
})
