// Bodies and heads byte for byte, on a miss, from the Cache API and from KV: compressed, chunked, empty, large, truncated.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const KV_LIMIT_BYTES = 25 * 1024 * 1024
const FRESH = ['Cache-Control', 'max-age=600']
const TEXT = Buffer.from('Edgekeep keeps what it was given, byte for byte. '.repeat(400))
const LIMIT = { timeout: 60_000 }

let stand
let number = 0
before(async () => { stand = await Stand.start({ rules: { defaults: { kv: true } } }) })
after(() => stand?.stop())

/** Returns a new host, so that tests share no entries. */
const newHost = () => `body-${(number += 1)}.test`

/** Pseudorandom bytes, which compression and text decoding would change. */
function noise(length) {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0, x = 1; i < length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = x >>> 24
  }
  return bytes
}

/** Requests a page until each tier has served it, and passes each response to `check`. */
async function eachTier(host, path, check, { fields = [], kv = true } = {}) {
  const miss = await stand.get(host, path, fields)
  assert.ok(!miss.hit, `the first response is a hit: ${miss}`)
  check(miss, 'miss')
  check(await stand.getHit(host, path, fields), 'cache-api')
  if (!kv) return
  assert.ok((await stand.evict(host)) > 0, 'the log lists no entry')
  const second = await stand.get(host, path, fields)
  assert.match(second.field('cache-status'), /hit.*detail=kv/, `${second}\n${stand.about(host)}`)
  check(second, 'kv')
  check(await stand.getHit(host, path, fields), 'cache-api after kv')
  assert.equal(stand.origin.requests(host, path).length, 1, stand.about(host))
}

function assertSameBytes(answer, body, tier) {
  assert.ok(answer.complete, `${tier}: the body is not complete: ${answer}`)
  assert.equal(answer.body.length, body.length, `${tier}: length of the body; ${answer.field('cache-status')}`)
  assert.ok(answer.body.equals(body), `${tier}: the bytes differ; ${answer.field('cache-status')}`)
}

describe('compressed bodies are served as the origin sent them', LIMIT, () => {
  for (const [coding, compress] of [['gzip', gzipSync], ['br', brotliCompressSync]]) {
    for (const vary of [false, true]) {
      it(`${coding}${vary ? ' with Vary' : ''}`, async () => {
        const host = newHost()
        const body = compress(TEXT)
        const fields = [FRESH, ['Content-Type', 'text/plain'], ['Content-Encoding', coding]]
        if (vary) fields.push(['Vary', 'Accept-Encoding'])
        stand.origin.on(host, '/page', { status: 200, fields, body })
        await eachTier(host, '/page', (answer, tier) => {
          assertSameBytes(answer, body, tier)
          assert.equal(answer.field('content-encoding'), coding, tier)
          assert.equal(answer.field('content-length'), String(body.length), tier)
        }, { fields: [['Accept-Encoding', 'gzip, br']] })
      })
    }
  }

  it('Vary: Accept-Encoding selects the plain or the gzip variant', async () => {
    const host = newHost()
    const packed = gzipSync(TEXT)
    stand.origin.on(host, '/page', (request, response) => {
      const accepts = /gzip/.test(request.field('accept-encoding') ?? '')
      const fields = [...FRESH, 'Vary', 'Accept-Encoding', ...(accepts ? ['Content-Encoding', 'gzip'] : [])]
      response.writeHead(200, fields).end(accepts ? packed : TEXT)
    })
    for (let round = 0; round < 2; round++) {
      assertSameBytes(await stand.get(host, '/page', [['Accept-Encoding', 'gzip']]), packed, 'gzip')
      const plain = await stand.get(host, '/page', [['Accept-Encoding', 'identity']])
      assert.equal(plain.field('content-encoding'), undefined)
      assertSameBytes(plain, TEXT, 'identity')
      await sleep(150)
    }
    assert.equal((await stand.getHit(host, '/page', [['Accept-Encoding', 'gzip']])).field('content-encoding'), 'gzip')
  })

  it('gzip on a bypass', async () => {
    const host = newHost()
    const body = gzipSync(TEXT)
    stand.origin.on(host, '/page', { status: 200, fields: [['Content-Encoding', 'gzip']], body })
    const answer = await stand.send({ host, method: 'POST', path: '/page', fields: [['Accept-Encoding', 'gzip']], body: 'x' })
    assertSameBytes(answer, body, 'bypass')
    assert.equal(answer.field('content-encoding'), 'gzip')
    assert.equal(answer.field('content-length'), String(body.length))
  })
})

describe('plain bodies', LIMIT, () => {
  const bodies = [
    ['binary', noise(100_000), {}],
    ['chunked', noise(300_000), { chunked: true }],
    ['empty', Buffer.alloc(0), {}],
    ['empty and chunked', Buffer.alloc(0), { chunked: true }],
    ['one byte', Buffer.from('x'), {}],
    ['5 MB', noise(5_000_000), {}],
  ]
  for (const [name, body, plan] of bodies) {
    it(name, async () => {
      const host = newHost()
      stand.origin.on(host, '/page', { status: 200, fields: [FRESH], body, ...plan })
      await eachTier(host, '/page', (answer, tier) => {
        assertSameBytes(answer, body, tier)
        if (!plan.chunked) assert.equal(answer.field('content-length'), String(body.length), tier)
      })
    })
  }

  it('body above the KV limit is stored only in the Cache API', async () => {
    const host = newHost()
    const body = noise(KV_LIMIT_BYTES + 1_000)
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH], body })
    await eachTier(host, '/page', (answer, tier) => assertSameBytes(answer, body, tier), { kv: false })
    const lines = stand.log.filter((line) => line.host === host)
    assert.ok(lines.some((line) => line.stores?.includes('cache-api')), stand.about(host))
    assert.ok(!lines.some((line) => line.stores?.includes('kv') || line.event === 'problem'), stand.about(host))
    await stand.evict(host)
    assert.equal((await stand.get(host, '/page')).hit, false)
  })

  it('HEAD is served from the stored response, without a body', async () => {
    const host = newHost()
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH], body: TEXT })
    await stand.getHit(host, '/page')
    const answer = await stand.send({ host, method: 'HEAD', path: '/page' })
    assert.ok(answer.hit && answer.complete, String(answer))
    assert.equal(answer.field('content-length'), String(TEXT.length))
    assert.equal(answer.body.length, 0)
    assert.equal(stand.origin.requests(host).length, 1)
  })

  it('HEAD response is not stored as an empty GET response', async () => {
    const host = newHost()
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH], body: TEXT })
    const head = await stand.send({ host, method: 'HEAD', path: '/page' })
    assert.equal(head.field('content-length'), String(TEXT.length), String(head))
    await sleep(200)
    assertSameBytes(await stand.get(host, '/page'), TEXT, 'GET after HEAD')
  })
})

describe('other statuses with an explicit freshness lifetime', LIMIT, () => {
  const statuses = [
    [204, '', []],
    [301, 'moved', [['Location', 'https://elsewhere.test/']]],
    [404, 'not here', []],
    [410, 'gone', []],
  ]
  for (const [status, body, more] of statuses) {
    it(String(status), async () => {
      const host = newHost()
      stand.origin.on(host, '/page', { status, fields: [FRESH, ...more], body })
      await eachTier(host, '/page', (answer, tier) => {
        assert.equal(answer.status, status, `${tier}: ${answer}`)
        assertSameBytes(answer, Buffer.from(body), tier)
        for (const [name, value] of more) assert.equal(answer.field(name), value, tier)
      }, { kv: status < 400 })
    })
  }
})

describe('truncated bodies', LIMIT, () => {
  // Local workerd ends a chunked response properly when its source fails, in plain JavaScript too (tried). The client
  // cannot detect that, so truncation towards the client is asserted only where the length is known.
  const faults = [
    ['with Content-Length', { cut: true }, TEXT, []],
    ['chunked', { cut: true, chunked: true }, TEXT, []],
    ['compressed', { cut: true }, gzipSync(noise(50_000)), [['Content-Encoding', 'gzip']]],
  ]
  for (const [name, plan, body, more] of faults) {
    it(`${name}: never served as complete from a cache`, async () => {
      const host = newHost()
      const fields = [FRESH, ...more]
      const client = [['Accept-Encoding', 'gzip']]
      stand.origin.on(host, '/page', { status: 200, fields, body, ...plan })
      const assertNotTruncated = (answer) => {
        if (!answer || !answer.complete || answer.status !== 200) return // the client sees the error, maybe before the head
        assert.ok(!answer.hit, `${answer.body.length} of ${body.length} bytes from a cache: ${answer.field('cache-status')}\n${stand.about(host)}`)
        assert.ok(plan.chunked, `a truncated body looks complete to the client: ${answer}`)
      }
      const ask = () => stand.get(host, '/page', client).catch(() => undefined)
      for (let round = 0; round < 5; round++) {
        // Several truncated fills at once, then requests right after them.
        for (const answer of await Promise.all([ask(), ask(), ask()])) assertNotTruncated(answer)
        for (const end = Date.now() + 400; Date.now() < end; ) assertNotTruncated(await ask())
      }
      assert.ok(stand.origin.requests(host).length > 5)
      stand.origin.on(host, '/page', { status: 200, fields, body, chunked: plan.chunked })
      await sleep(300) // by now nothing of the last truncated fill is left
      assertSameBytes(await stand.get(host, '/page', client), body, 'after the origin has recovered')
      assertSameBytes(await stand.getHit(host, '/page', client), body, 'hit')
    })
  }

  it('fill completes although its client disconnects in mid-body', async () => {
    const host = newHost()
    const body = noise(400_000)
    stand.origin.on(host, '/page', async (_, response) => {
      response.writeHead(200, [...FRESH, 'Content-Length', String(body.length)])
      for (let at = 0; at < body.length; at += 50_000) {
        response.write(body.subarray(at, at + 50_000))
        await sleep(100)
      }
      response.end()
    })
    const left = await stand.get(host, '/page', [], { leaveAfter: 1 })
    assert.ok(!left.complete)
    const filled = () => stand.log.some((line) => line.host === host && line.stores?.includes('cache-api'))
    await until(filled, 3_000, 50)
    await sleep(1_200) // the rest of the body
    const answer = await stand.get(host, '/page')
    assert.ok(answer.hit, `${answer.field('cache-status')}\n${stand.about(host)}`)
    assertSameBytes(answer, body, 'hit')
    assert.equal(stand.origin.requests(host).length, 1)
  })
})

// Each test waits for its page to expire, so four run at a time.
describe('bodies while a stale response is stored', { timeout: 120_000, concurrency: 4 }, () => {
  const ONCE = ['Cache-Control', 'max-age=1']
  const client = [['Accept-Encoding', 'gzip']]
  const detail = (answer) => answer.field('cache-status') ?? ''

  /** Returns a host with a page that has just expired. */
  async function expired(fields = []) {
    const host = newHost()
    stand.origin.on(host, '/page', { status: 200, fields: [ONCE, ...fields], body: 'the old page' })
    await stand.getHit(host, '/page', client)
    await sleep(2_100)
    return host
  }

  const faults = [
    ['with Content-Length', { cut: true }, TEXT, []],
    ['chunked', { cut: true, chunked: true }, TEXT, []],
    ['compressed', { cut: true }, gzipSync(noise(50_000)), [['Content-Encoding', 'gzip']]],
  ]
  for (const [name, plan, body, more] of faults) {
    it(`truncated, ${name}: the stale response is served`, async () => {
      const host = await expired()
      stand.origin.on(host, '/page', { status: 200, fields: [FRESH, ...more], body, ...plan })
      for (let round = 0; round < 3; round++) {
        const answer = await stand.get(host, '/page', client)
        assert.equal(answer.text, 'the old page', `${answer}\n${stand.about(host)}`)
        assert.match(detail(answer), /fwd=stale; fwd-status=200;.*stale-if-error/)
      }
      const line = stand.log.findLast((line) => line.host === host && line.event === 'request')
      assert.ok(line.notes.includes('origin: broke off its answer'), stand.about(host))
    })
  }

  it('stalled body: the stale response is served after origin_timeout', async () => {
    const host = await expired()
    stand.origin.on(host, '/page', (_, response) => {
      response.writeHead(200, [...FRESH, 'Content-Length', String(TEXT.length)])
      response.write(TEXT.subarray(0, 1_000))
    })
    const answer = await stand.get(host, '/page', client)
    assert.equal(answer.text, 'the old page', `${answer}\n${stand.about(host)}`)
    assert.match(detail(answer), /fwd=stale; fwd-status=200;.*stale-if-error/)
  })

  const wholes = [
    ['short', TEXT, {}],
    ['short and chunked', TEXT, { chunked: true }],
    ['empty', Buffer.alloc(0), {}],
    ['empty and chunked', Buffer.alloc(0), { chunked: true }],
    ['compressed', gzipSync(noise(50_000)), { more: [['Content-Encoding', 'gzip']] }],
    ['at the buffer limit, chunked', noise(256 * 1024), { chunked: true }],
    ['one byte above the buffer limit, chunked', noise(256 * 1024 + 1), { chunked: true }],
    ['long and chunked', noise(3_000_000), { chunked: true }],
    ['long', noise(3_000_000), {}],
  ]
  for (const [name, body, { more = [], ...plan }] of wholes) {
    it(`complete, ${name}: served byte for byte`, async () => {
      const host = await expired()
      stand.origin.on(host, '/page', { status: 200, fields: [FRESH, ...more], body, ...plan })
      const answer = await stand.get(host, '/page', client)
      assertSameBytes(answer, body, 'the first response')
      assert.match(detail(answer), /fwd=stale; fwd-status=200; stored/)
      assert.equal(answer.field('content-length'), plan.chunked ? undefined : String(body.length))
      assertSameBytes(await stand.getHit(host, '/page', client), body, 'cache-api')
      await stand.evict(host)
      assertSameBytes(await stand.get(host, '/page', client), body, 'kv')
      assert.equal(stand.origin.requests(host).length, 2, stand.about(host))
    })
  }

  it('400,000 bytes stream before the body is complete', async () => {
    const host = await expired()
    await assertStreams(host, 400_000)
  })
})

/** The origin sends the rest of the body only after the client has received its start. */
async function assertStreams(host, length) {
  const body = noise(length)
  let sendRest
  const started = new Promise((resolve) => (sendRest = resolve))
  stand.origin.on(host, '/page', async (_, response) => {
    response.writeHead(200, [...FRESH, 'Content-Length', String(length)])
    response.write(body.subarray(0, 1_000))
    await started
    response.end(body.subarray(1_000))
  })
  const left = await stand.get(host, '/page', [], { leaveAfter: 1 })
  assert.ok(!left.complete && left.body.length > 0, String(left))
  sendRest()
  // The client has disconnected; the response is stored nevertheless.
  assertSameBytes(await stand.getHit(host, '/page'), body, 'hit')
}

describe('miss streams its body', LIMIT, () => {
  // Shorter bodies are sent together with the head.
  for (const length of [15_000, 400_000]) {
    it(`${length} bytes stream before the body is complete`, () => assertStreams(newHost(), length))
  }
})

describe('heads', LIMIT, () => {
  it('POST bodies are forwarded in both directions', async () => {
    const host = newHost()
    const body = noise(200_000)
    stand.origin.on(host, '/form', (request, response) => response.writeHead(201, [...FRESH]).end(request.body))
    const known = await stand.send({ host, method: 'POST', path: '/form', body })
    const chunked = await stand.send({ host, method: 'POST', path: '/form', chunks: [body.subarray(0, 1_000), body.subarray(1_000)] })
    for (const answer of [known, chunked]) {
      assert.equal(answer.status, 201, String(answer))
      assertSameBytes(answer, body, 'POST')
      assert.ok(!answer.hit)
    }
    assert.equal(stand.origin.requests(host)[0].field('content-length'), String(body.length))
  })

  it('Set-Cookie lines are forwarded separately and not stored', async () => {
    const host = newHost()
    const cookies = ['a=1; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'b=2; HttpOnly']
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH, ...cookies.map((c) => ['Set-Cookie', c])], body: 'yours' })
    for (let round = 1; round <= 3; round++) {
      const answer = await stand.get(host, '/page')
      assert.deepEqual(answer.all('set-cookie'), cookies, String(answer))
      assert.ok(!answer.hit && !answer.cache.has('stored'), String(answer))
      assert.equal(stand.origin.requests(host).length, round)
      await sleep(100)
    }
  })

  it('UTF-8 field values are kept in every tier and towards the origin', async () => {
    const host = newHost()
    const value = Buffer.from('café über €').toString('latin1') // Node shows and sends each byte as one character
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH, ['X-Name', value]], body: 'page' })
    await eachTier(host, '/page', (answer, tier) => assert.equal(answer.field('x-name'), value, tier))
    await stand.send({ host, method: 'POST', path: '/page', fields: [['X-Sent', value]], body: 'x' })
    assert.equal(stand.origin.requests(host).at(-1).field('x-sent'), value, 'towards the origin')
  })

  // The runtime decodes fields as UTF-8 and replaces other bytes by U+FFFD, so a Worker that reads them loses them (tried).
  it('Latin-1 field values are kept, and other fields unaffected', async () => {
    const host = newHost()
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH, ['X-Name', 'caf\xe9 \xff'], ['X-Next', 'plain']], body: 'page' })
    // KV holds text and is not tested here; see bytes.test.mjs.
    for (const get of [() => stand.get(host, '/page'), () => stand.getHit(host, '/page')]) {
      const answer = await get()
      assert.equal(answer.text, 'page')
      assert.equal(answer.field('x-name'), 'caf\xe9 \xff')
      assert.equal(answer.field('x-next'), 'plain')
    }
    const sent = [['X-Sent', 'caf\xe9'], ['X-Next', 'plain']]
    const answer = await stand.send({ host, method: 'POST', path: '/page', fields: sent, body: 'x' })
    assert.equal(answer.status, 200, String(answer))
    assert.equal(stand.origin.requests(host).at(-1).field('x-next'), 'plain')
    assert.equal(stand.origin.requests(host).at(-1).field('x-sent'), 'caf\xe9')
  })

  it('connection fields are removed from responses', async () => {
    const host = newHost()
    const hop = [
      ['Connection', 'keep-alive, X-Hop'], ['X-Hop', '1'], ['Keep-Alive', 'timeout=5'], ['Proxy-Authenticate', 'Basic'],
      ['Proxy-Connection', 'close'], ['Proxy-Status', 'x'], ['Upgrade', 'h2c'], ['TE', 'trailers'],
    ]
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH, ...hop, ['X-Kept', '1']], body: 'page' })
    const check = (answer, tier) => {
      assert.equal(answer.field('x-kept'), '1', tier)
      assert.doesNotMatch(answer.field('connection') ?? '', /x-hop/i, tier)
      for (const [name] of hop.slice(1)) {
        if (name !== 'Keep-Alive') assert.equal(answer.field(name), undefined, `${tier}: ${name}\n${answer}`)
      }
    }
    await eachTier(host, '/page', check)
    check(await stand.send({ host, method: 'POST', path: '/page', body: 'x' }), 'bypass')
  })

  it('connection fields are removed from requests', async () => {
    const host = newHost()
    stand.origin.on(host, '/page', { status: 200, fields: [], body: 'page' })
    const hop = [
      ['Connection', 'close, X-Hop'], ['X-Hop', '1'], ['Keep-Alive', 'timeout=5'], ['Proxy-Authorization', 'Basic eDp5'],
      ['Proxy-Connection', 'keep-alive'], ['TE', 'trailers'],
    ]
    for (const method of ['GET', 'POST']) {
      const answer = await stand.send({ host, method, path: '/page', fields: [...hop, ['X-Kept', '1']], body: method === 'POST' ? 'x' : undefined })
      assert.equal(answer.status, 200, String(answer))
      const request = stand.origin.requests(host).at(-1)
      assert.doesNotMatch(request.field('connection') ?? '', /x-hop/i)
      for (const [name] of hop.slice(1)) assert.equal(request.field(name), undefined, `${method}: ${name}`)
      if (method === 'POST') assert.equal(request.field('x-kept'), '1', 'a bypass forwards all other fields')
    }
  })
})
