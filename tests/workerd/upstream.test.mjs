// Bodies that exceed origin_body_timeout are cut for the client and never stored. Permits and breakers after clients that
// disconnect, uploads that fail, and statuses that are invalid.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const FRESH = ['Cache-Control', 'max-age=600']
const LIMIT = { timeout: 60_000 }
const COOKIE = ['Cookie', 'sessionid=x']

/** A plan that sends a head and `start`, and `rest` after `milliseconds`. */
const stalls = (start, rest, milliseconds, fields = []) => async (_, response) => {
  response.writeHead(200, [...FRESH, ...fields])
  response.write(start)
  await sleep(milliseconds)
  if (!response.destroyed) response.end(rest)
}

describe('origin_body_timeout', LIMIT, () => {
  let stand
  before(async () => { stand = await Stand.start({ rules: { origin_body_timeout: 1 } }) })
  after(() => stand?.stop())

  const rows = [
    // name, fields of the request, fields of the response, start of the body
    ['bypass', [COOKIE], ['Content-Length', '10'], 'half-'],
    ['chunked bypass', [COOKIE], [], 'half-'],
    ['short', [], ['Content-Length', '10'], 'half-'],
    ['miss', [], ['Content-Length', '15005'], 'x'.repeat(15_000)],
    ['chunked miss', [], [], 'half-'],
    ['long miss', [], ['Content-Length', '400005'], 'x'.repeat(400_000)],
  ]
  for (const [name, fields, head, start] of rows) {
    it(`cuts a late body and stores nothing: ${name}`, async () => {
      const host = `${name.replace(/\W+/g, '-')}.test`
      stand.origin.on(host, '/page', stalls(start, 'whole', 8_000, head))
      const began = performance.now()
      const answer = await stand.get(host, '/page', fields)
      const took = performance.now() - began
      // A short body is sent together with its head, or the client gets a 504.
      assert.equal(answer.status, name === 'short' ? 504 : 200)
      // Local workerd ends a chunked response properly when its source fails (see bodies.test.mjs).
      if (head.length > 0 && name !== 'short') assert.ok(!answer.complete, `the transfer did not break: ${answer}`)
      if (name !== 'short') assert.ok(answer.body.length <= start.length, `${answer}`)
      assert.ok(took > 900 && took < 4_000, `the transfer ended after ${took} ms`)
      // Nothing was stored: the next request is forwarded.
      stand.origin.on(host, '/page', { status: 200, fields: [FRESH], body: 'new' })
      await sleep(300)
      const next = await stand.get(host, '/page')
      assert.equal(next.text, 'new', `${next}\n${stand.about(host)}`)
    })

    it(`allows a body in time: ${name}`, async () => {
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

  it('does not apply to HEAD', async () => {
    stand.origin.on('head.test', '/page', { status: 200, fields: [FRESH], body: 'page' })
    const answer = await stand.get('head.test', '/page', [], { method: 'HEAD' })
    assert.deepEqual([answer.status, answer.complete, answer.field('content-length')], [200, true, '4'])
  })
})

describe('no origin_body_timeout', LIMIT, () => {
  let stand
  before(async () => { stand = await Stand.start() })
  after(() => stand?.stop())

  it('allows a body that takes three seconds', async () => {
    stand.origin.on('slow.test', '/page', stalls('half-', 'whole', 3_000))
    assert.equal((await stand.get('slow.test', '/page', [COOKIE])).text, 'half-whole')
    assert.equal((await stand.get('slow.test', '/page')).text, 'half-whole')
  })
})

describe('client that disconnects', LIMIT, () => {
  const withStand = async (protection, test) => {
    const stand = await Stand.start({ rules: { protection, defaults: { retries: 0 } } })
    try {
      await test(stand)
    } finally {
      await stand.stop()
    }
  }

  it('does not hold its permit for ever', () => withStand({ max_requests: 1, queue_timeout: 8, breaker_failures: 0 }, async (stand) => {
    stand.origin.on('left.test', '/slow', { hang: true })
    stand.origin.on('left.test', '/page', { status: 200, fields: [FRESH], body: 'page' })
    await assert.rejects(stand.get('left.test', '/slow', [], { timeout: 300 }), /no complete response/)
    // The request had 2 seconds, and its permit is released at most one second later.
    const answer = await stand.get('left.test', '/page')
    assert.equal(answer.text, 'page')
    assert.match(answer.field('cache-status'), /queued/)
  }))

  it('does not keep the circuit breaker open by its abandoned trials', () => withStand({ breaker_failures: 1, breaker_pause: 1 }, async (stand) => {
    const host = 'trial.test'
    for (const path of ['/page', '/1', '/2']) {
      stand.origin.on(host, path, { down: true })
      assert.equal((await stand.get(host, path)).status, 502)
    }
    assert.match((await stand.get(host, '/page')).field('cache-status'), /circuit-open/)
    await sleep(1_200)
    // Trials whose clients disconnect.
    for (const path of ['/slow/1', '/slow/2', '/slow/3']) {
      stand.origin.on(host, path, { hang: true })
      await assert.rejects(stand.get(host, path, [], { timeout: 300 }), /no complete response/)
    }
    assert.match((await stand.get(host, '/page')).field('cache-status'), /circuit-open/)
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH], body: 'page' })
    const back = await until(async () => (await stand.get(host, '/page')).text === 'page', 8_000, 100)
    assert.ok(back, stand.about(host))
  }))
})

it('requests of an isolate share a circuit breaker, and another isolate has its own', LIMIT, async () => {
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

describe('uploads', LIMIT, () => {
  const PATHS = 8
  const REFUSED = /circuit-open/
  let stand
  before(async () => { stand = await Stand.start({ rules: { protection: { breaker_failures: 4, breaker_pause: 60 }, origin_timeout: 10, defaults: { retries: 0 } } }) })
  after(() => stand?.stop())

  /** Sends the start of an upload and ends it when it has reached the origin, which follows its plan or hangs. */
  async function failUpload(host, path, { head, start, end }) {
    const port = Number(new URL(stand.worker.url()).port)
    const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    socket.on('error', () => {})
    await once(socket, 'connect')
    let answer = ''
    socket.on('data', (bytes) => (answer += bytes))
    socket.write(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${head}\r\n\r\n${start}`)
    assert.ok(await until(() => stand.origin.requests(host, path).length > 0, 5_000, 2), 'the upload did not reach the origin')
    end(socket)
    const done = () => stand.raw.some((line) => line.includes('lost') || line.includes(path))
    assert.ok(await until(done, 5_000, 2), `${answer}\n${stand.about(host)}`)
    await sleep(20)
    socket.destroy()
    return answer
  }

  const CHUNKED = 'Transfer-Encoding: chunked'
  // A short body is read before the request is forwarded.
  const LONG = 'Content-Length: 90000'
  const rows = {
    'a reset': { head: LONG, start: 'half', end: (socket) => socket.resetAndDestroy() },
    'an early end': { head: LONG, start: 'half', end: (socket) => socket.end() },
    'an early end of a chunked upload': { head: CHUNKED, start: '4\r\nhalf\r\n', end: (socket) => socket.end() },
    'an invalid chunk': { head: CHUNKED, start: '4\r\nhalf\r\n', end: (socket) => socket.write('zzz\r\n') },
    'a stall, after which the origin disconnects': { head: LONG, start: 'half', end: () => {}, plan: { down: true } },
    'a stall, to which the origin responds 503': { head: LONG, start: 'half', end: () => {}, early: 503 },
  }
  for (const [name, row] of Object.entries(rows)) {
    it(`failed upload does not open the circuit breaker: ${name}`, async () => {
      const host = `${name.replace(/\W+/g, '-')}.test`
      for (let n = 0; n < PATHS; n++) {
        stand.origin.on(host, `/${n}`, row.plan ?? (row.early ? { early: row.early } : { hang: true }))
        await failUpload(host, `/${n}`, row)
      }
      await sleep(100)
      stand.origin.on(host, '/page', { status: 200, fields: [], body: 'page' })
      const answer = await stand.get(host, '/page')
      assert.equal(answer.text, 'page', `${answer}\n${stand.about(host)}`)
      assert.doesNotMatch(answer.field('cache-status'), REFUSED)
    })
  }

  it('complete uploads with a 503 open the circuit breaker', async () => {
    const host = 'whole.test'
    stand.origin.on(host, '*', { status: 503, fields: [], body: 'sorry' })
    for (let n = 0; n < 4; n++) {
      assert.equal((await stand.send({ host, path: `/${n}`, method: 'POST', body: 'whole' })).text, 'sorry')
    }
    assert.match((await stand.get(host, '/page')).field('cache-status'), REFUSED)
  })

  const broken = ['a reset', 'an early end', 'an early end of a chunked upload', 'an invalid chunk']
  for (const name of broken) {
    it(`failed upload does not look complete to the origin: ${name}`, async () => {
      const host = `cut-${name.replace(/\W+/g, '-')}.test`
      stand.origin.on(host, '/', { status: 200, fields: [], body: 'thanks' })
      await failUpload(host, '/', rows[name])
      await sleep(200)
      const [request] = stand.origin.requests(host, '/')
      assert.equal(request.body.length, 0, `the origin got a complete body: ${request.body}`)
    })
  }

  for (const end of ['resetAndDestroy', 'end']) {
    it(`failed short upload is not forwarded: ${end}`, async () => {
      const host = `short-${end.toLowerCase()}.test`
      const socket = createConnection({ port: Number(new URL(stand.worker.url()).port), host: '127.0.0.1', noDelay: true })
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 9\r\n\r\nhalf`)
      await sleep(200)
      socket[end]()
      await sleep(200)
      socket.destroy()
      assert.equal(stand.origin.requests(host, '/').length, 0)
    })
  }

  it('short upload in pieces is forwarded complete, with its length', async () => {
    const host = 'form.test'
    stand.origin.on(host, '/', { status: 200, fields: [], body: 'thanks' })
    const socket = createConnection({ port: Number(new URL(stand.worker.url()).port), host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    let answer = ''
    socket.on('data', (bytes) => (answer += bytes))
    socket.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 9\r\n\r\nname`)
    await sleep(200)
    assert.equal(stand.origin.requests(host, '/').length, 0)
    socket.write('=a%20')
    assert.ok(await until(() => answer.includes('thanks'), 5_000, 5), answer)
    socket.destroy()
    const [request] = stand.origin.requests(host, '/')
    assert.deepEqual([String(request.body), request.field('content-length'), request.field('transfer-encoding')], ['name=a%20', '9', undefined])
    await stand.send({ host, path: '/', method: 'POST', body: '' })
    assert.equal(stand.origin.requests(host, '/')[1].body.length, 0)
  })

  it('long upload is forwarded with its length and bytes unchanged', async () => {
    const host = 'bytes.test'
    stand.origin.on(host, '/', { status: 200, fields: [], body: 'thanks' })
    const body = Buffer.alloc(3_000_000, 'some bytes \xff')
    await stand.send({ host, path: '/', method: 'PUT', body })
    await stand.send({ host, path: '/', method: 'PUT', chunks: [body.subarray(0, 1_000_001), body.subarray(1_000_001)] })
    const [one, other] = stand.origin.requests(host, '/')
    assert.deepEqual([one.field('content-length'), one.field('transfer-encoding')], [String(body.length), undefined])
    assert.deepEqual([other.field('content-length'), other.field('transfer-encoding')], [undefined, 'chunked'])
    for (const { body: got } of [one, other]) assert.ok(got.equals(body))
  })
})

describe('invalid status of the origin', LIMIT, () => {
  let stand
  before(async () => { stand = await Stand.start({ rules: { protection: { breaker_failures: 3, breaker_pause: 60 } } }) })
  after(() => stand?.stop())

  for (const status of [999, 600]) {
    it(`gets an explaining 502 and does not open the circuit breaker: ${status}`, async () => {
      const host = `status-${status}.test`
      stand.origin.on(host, '/page', { status: 200, fields: [], body: 'page' })
      for (let n = 0; n < 8; n++) {
        stand.origin.on(host, `/${n}`, (request, response) => response.socket.end(`HTTP/1.1 ${status} Odd\r\nContent-Length: 3\r\n\r\nodd`))
        const answer = await stand.get(host, `/${n}`)
        assert.equal(answer.status, 502)
        assert.match(answer.text, new RegExp(`answered with ${status}, which is not the status of a response`), `${answer}`)
      }
      assert.equal((await stand.get(host, '/page')).text, 'page')
    })
  }
})

describe('queue for permits', LIMIT, () => {
  it('is separate for each host, and uploads do not delay reads', async () => {
    const stand = await Stand.start({ rules: { protection: { max_requests: 4, queue_timeout: 1 }, origin_timeout: 20, defaults: { retries: 0 } } })
    try {
      stand.origin.on('busy.test', '*', { hang: true })
      stand.origin.on('busy.test', '/page', { status: 200, fields: [], body: 'page' })
      stand.origin.on('other.test', '/page', { status: 200, fields: [], body: 'page' })
      const uploads = Array.from({ length: 6 }, (_, n) => stand.send({ host: 'busy.test', path: `/up/${n}`, method: 'POST', chunks: [Buffer.from('x')], timeout: 5_000 }))
      for (const upload of uploads) upload.catch(() => {})
      assert.ok(await until(() => stand.origin.count >= 1, 5_000, 5))
      assert.equal((await stand.get('busy.test', '/page')).text, 'page')
      const reads = Array.from({ length: 6 }, (_, n) => stand.get('busy.test', `/${n}`, [], { timeout: 5_000 }))
      for (const read of reads) read.catch(() => {})
      await sleep(300)
      const busy = await stand.get('busy.test', '/page')
      assert.deepEqual([busy.status, busy.field('retry-after')], [503, '5'])
      assert.match(busy.field('cache-status'), /queued\/origin-busy/)
      const other = await stand.get('other.test', '/page')
      assert.equal(other.text, 'page', `${other}`)
      assert.doesNotMatch(other.field('cache-status'), /queued/)
    } finally {
      await stand.stop()
    }
  })
})
