// A request ends when its client disconnects: its wasm memory and its permit at the origin are released at once. Without a
// signal from the runtime, a sweep releases them later.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'smol-toml'
import { ROOT } from '../../scripts/tools.mjs'
import { TOKEN, builtFiles, policy } from '../bench/exact.mjs'
import { ARTICLE } from '../bench/measure.mjs'
import { Worker } from '../bench/rig.mjs'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const { compatibility_date: date, compatibility_flags: flags = [] } = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'))
const file = (name) => fileURLToPath(new URL(`./disconnect/${name}`, import.meta.url))

/** Opens a connection and sends these bytes, without reading. */
async function connectAndSend(port, bytes) {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(bytes)
  return socket
}

/** Returns the status line of the response, within so many milliseconds. */
async function statusLine(socket, milliseconds) {
  let text = ''
  socket.on('data', (bytes) => (text += bytes))
  await until(() => text.includes('\r\n'), milliseconds, 2)
  return text.split('\r\n', 1)[0]
}

/** Sends a request, and resets the connection as soon as `arrived` returns true. */
async function sendAndReset(port, head, arrived) {
  const socket = await connectAndSend(port, head)
  assert.ok(await until(arrived, 5_000, 2), `the request did not reach the origin:\n${head.slice(0, 200)}`)
  socket.resetAndDestroy()
}

describe('wasm memory', () => {
  const CLIENTS = 100
  const FIELD_BYTES = 12_000
  let worker

  before(async () => {
    const modules = [file('worker.js'), file('watching.js'), ...builtFiles(join(ROOT, 'build'))]
    worker = await Worker.start({ name: 'disconnect', modules, compatibility: { date, flags }, settings: { ...policy(), origin_timeout: 300, origin_deadline: 600 }, secrets: TOKEN })
    assert.equal((await worker.send(ARTICLE)).status, 200)
  })
  after(() => worker?.stop())

  const memory = async (query = '') => Number((await worker.send(`/.memory?${query}`)).text())

  /** Growth of wasm memory by clients that disconnect while their requests wait for an origin that never responds. */
  async function growth() {
    const held = await memory()
    for (let n = 0; n < CLIENTS; n++) {
      const asked = worker.backends.of('origin', 'GET')
      // /admin/ is not cached, so all fields are forwarded to the origin.
      const head = `GET /admin/never/${n} HTTP/1.1\r\nHost: www.example.com\r\nX-Long: ${'x'.repeat(FIELD_BYTES)}\r\n\r\n`
      await sendAndReset(worker.port, head, () => worker.backends.of('origin', 'GET') > asked)
    }
    await sleep(200)
    return (await memory()) - held
  }

  test('is released when clients disconnect', async () => {
    await growth() // the allocator keeps some memory once
    const more = await growth()
    assert.ok(more < 200_000, `${CLIENTS} cancelled requests left ${more} bytes`)
  })

  test('is not released while the client waits', async () => {
    for (const method of ['GET', 'POST']) {
      const asked = worker.backends.of('origin', method)
      const slow = worker.send('/slow/1500/page', { method, body: method === 'POST' ? 'x' : '' })
      assert.ok(await until(() => worker.backends.of('origin', method) > asked, 5_000, 2))
      // Longer than the time limit of any tier, shorter than that of the origin.
      await memory('later=200000')
      assert.equal((await worker.send(ARTICLE)).status, 200) // each request runs the sweep
      const answer = await slow
      assert.equal(answer.status, 200, `${answer.head}\n${worker.log}`)
    }
  })

  test('is released by the sweep when the runtime sends no signal', async () => {
    await memory('ignoreSignals=1')
    const held = await growth()
    assert.ok(held < 2 * CLIENTS * FIELD_BYTES, `the fields of ${CLIENTS} requests are held more than once: ${held} bytes`)
    assert.ok(held > CLIENTS * FIELD_BYTES, `without signals ${CLIENTS} requests held only ${held} bytes: the test is inconclusive`)
    for (let round = 0; round < 2; round++) {
      await memory('later=600000')
      assert.equal((await worker.send(ARTICLE)).status, 200) // each request runs the sweep
      const more = await growth()
      assert.ok(more < held / 10, `${more} bytes are held after the sweep, ${held} before it`)
    }
  })

  test('is released by the sweep when clients disconnect during the lookup', async () => {
    const { backends } = worker
    const round = async (name) => {
      const held = await memory()
      backends.cacheDelayMs = 150
      for (let n = 0; n < CLIENTS; n++) {
        const asked = backends.of('cache', 'GET')
        // A lookup reads all cookies of its request.
        const head = `GET /never/${name}-${n} HTTP/1.1\r\nHost: www.example.com\r\nCookie: long=${'x'.repeat(FIELD_BYTES)}\r\n\r\n`
        await sendAndReset(worker.port, head, () => backends.of('cache', 'GET') > asked)
      }
      await sleep(400)
      backends.cacheDelayMs = 0
      return (await memory()) - held
    }
    for (let n = 0; n < 4; n++) {
      const more = await round(n)
      if (n > 0) assert.ok(more < 200_000, `${CLIENTS} requests cancelled during the lookup left ${more} bytes`)
      await memory('later=60000')
      assert.equal((await worker.send(ARTICLE)).status, 200) // each request runs the sweep
    }
  })
})

describe('waiting requests', () => {
  // Each may hold 128 KiB of a body before its sender is authenticated.
  const SLOW = 'POST /.edgekeep/purge HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 100\r\n\r\n{'
  let worker

  before(async () => {
    // A site may set such a high limit for its origin.
    const settings = { ...policy(), origin_timeout: 300, origin_deadline: 600, protection: { max_requests: 10_000 } }
    worker = await Worker.start({ name: 'waiting', modules: builtFiles(join(ROOT, 'build')), compatibility: { date, flags }, settings, secrets: TOKEN })
    assert.equal((await worker.send(ARTICLE)).status, 200)
    await until(() => worker.backends.of('cache', 'PUT') > 0, 5_000, 2)
  })
  after(() => worker?.stop())

  test('bodies of orders are limited to an eighth of the memory for requests', async () => {
    const sockets = []
    for (let n = 0; n < 40; n++) sockets.push(await connectAndSend(worker.port, SLOW))
    const last = await connectAndSend(worker.port, SLOW)
    assert.equal(await statusLine(last, 2_000), 'HTTP/1.1 503 Service Unavailable')
    assert.equal((await worker.send('/blog/2026/miss-meanwhile')).status, 200)
    for (const socket of [...sockets, last]) socket.resetAndDestroy()
  })

  test('misses and writes get 503 before they reach the origin while the memory is full; hits are served, and disconnects release it', async () => {
    const long = 'x'.repeat(12_000)
    const sockets = []
    const wait = async () => sockets.push(await connectAndSend(worker.port, `GET /admin/never/${sockets.length} HTTP/1.1\r\nHost: www.example.com\r\nCookie: long=${long}\r\n\r\n`))
    while (sockets.length < 1_500) await wait()
    // As large as the waiting requests: less memory than that is left.
    const fields = [`Cookie: long=${long}`]
    const posts = worker.backends.of('origin', 'POST')
    let answer
    const overloaded = async () => {
      await wait() // replaces requests that may have ended
      answer = await worker.send('/api/write', { method: 'POST', body: 'x', fields })
      return answer.field('cache-status')?.includes('overloaded')
    }
    assert.ok(await until(overloaded, 5_000, 100), `${answer.head}`)
    assert.equal(answer.status, 503)
    assert.equal(answer.field('retry-after'), '1')
    const then = worker.backends.of('origin', 'POST')
    await overloaded()
    assert.equal(worker.backends.of('origin', 'POST'), then, `${then - posts} writes reached the origin before the memory was full`)
    assert.equal((await worker.send('/blog/2026/miss-when-full', { fields })).status, 503)
    const hit = await worker.send(ARTICLE)
    assert.equal(hit.status, 200, worker.log)
    assert.match(hit.field('cache-status'), /^edgekeep; hit/)
    for (const socket of sockets) socket.resetAndDestroy()
    assert.ok(await until(async () => (answer = await worker.send('/blog/2026/miss-afterwards')).status === 200, 10_000, 50), `${answer.head}\n${worker.log}`)
  })

  test('order body that is not complete after 10 seconds gets 408', async () => {
    const began = performance.now()
    const socket = await connectAndSend(worker.port, SLOW)
    assert.equal(await statusLine(socket, 15_000), 'HTTP/1.1 408 Request Timeout')
    assert.ok(performance.now() - began > 9_000)
    socket.destroy()
  })
})

describe('permits at the origin', () => {
  const PERMITS = 4
  let stand

  before(async () => {
    const protection = { max_requests: PERMITS, queue_timeout: 1 }
    stand = await Stand.start({ rules: { protection, origin_timeout: 60, origin_deadline: 60 } })
  })
  after(() => stand?.stop())

  for (const [name, line] of [
    ['a miss with credentials and a cookie', 'GET /slow HTTP/1.1\r\nCookie: session=1\r\nAuthorization: Basic eDp5'],
    ['a miss with credentials', 'GET /slow HTTP/1.1\r\nAuthorization: Basic eDp5'],
    ['a GET with a session cookie', 'GET /slow HTTP/1.1\r\nCookie: sessionid=1'],
    ['a GET with If-Match', 'GET /slow HTTP/1.1\r\nIf-Match: "1"'],
    // These fills continue without their client, but only in a part of the permits.
    ['a miss', 'GET /slow HTTP/1.1'],
    ['a range miss', 'GET /slow HTTP/1.1\r\nRange: bytes=5-9'],
    ['a HEAD', 'HEAD /slow HTTP/1.1'],
    ['a PROPFIND', 'PROPFIND /slow HTTP/1.1'],
    ['an incomplete upload', 'PUT /slow HTTP/1.1\r\nContent-Length: 90000'],
  ]) {
    test(`are released when the client of ${name} disconnects`, async () => {
      const host = `${name.replaceAll(' ', '-')}.example`.toLowerCase()
      stand.origin.on(host, '*', { hang: true })
      stand.origin.on(host, '/page', { status: 200, body: 'page', fields: [['Cache-Control', 'max-age=60']] })
      const port = Number(new URL(stand.worker.url()).port)
      for (let n = 1; n <= PERMITS; n++) {
        const body = line.startsWith('PUT') ? 'half' : ''
        const own = line.replace('/slow', `/slow/${n}`) // one path has half of the permits
        await sendAndReset(port, `${own}\r\nHost: ${host}\r\n\r\n${body}`, () => stand.origin.requests(host, `/slow/${n}`).length > 0)
      }
      await sleep(100)
      const answer = await stand.get(host, '/page')
      assert.equal(answer.status, 200, `${answer}\n${stand.about(host)}`)
    })
  }
})
