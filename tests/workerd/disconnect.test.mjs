// A request ends with its client's connection: what it held in wasm's memory and at the origin is free for others at once.
// Where the runtime has no signal for that, or fails to send it, a sweep does the same later.

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

/** Sends a request, and resets the connection when `arrived` says that it is under way. */
async function sendAndReset(port, head, arrived) {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(head)
  assert.ok(await until(arrived, 5_000, 2), `the request did not reach the origin:\n${head.slice(0, 200)}`)
  socket.resetAndDestroy()
}

describe('memory', () => {
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

  /** How much wasm's memory grows by clients that disconnect while the origin, which never answers, has their requests. */
  async function growth() {
    const held = await memory()
    for (let n = 0; n < CLIENTS; n++) {
      const asked = worker.backends.of('origin', 'GET')
      // Passed to the origin with all fields: /admin/ is not cached.
      const head = `GET /admin/never/${n} HTTP/1.1\r\nHost: www.example.com\r\nX-Long: ${'x'.repeat(FIELD_BYTES)}\r\n\r\n`
      await sendAndReset(worker.port, head, () => worker.backends.of('origin', 'GET') > asked)
    }
    await sleep(200)
    return (await memory()) - held
  }

  test('is free when the clients have gone', async () => {
    await growth() // once, what the allocator keeps
    const more = await growth()
    assert.ok(more < 200_000, `${CLIENTS} requests that ended left ${more} bytes`)
  })

  test('is not taken from a client that still waits', async () => {
    for (const method of ['GET', 'POST']) {
      const asked = worker.backends.of('origin', method)
      const slow = worker.send('/slow/1500/page', { method, body: method === 'POST' ? 'x' : '' })
      assert.ok(await until(() => worker.backends.of('origin', method) > asked, 5_000, 2))
      // Longer than any tier may take, and shorter than the origin may.
      await memory('later=200000')
      assert.equal((await worker.send(ARTICLE)).status, 200) // the sweep runs with any request
      const answer = await slow
      assert.equal(answer.status, 200, `${answer.head}\n${worker.log}`)
    }
  })

  test('is swept where the runtime sends no signal', async () => {
    await memory('deaf=1')
    const held = await growth()
    assert.ok(held > CLIENTS * FIELD_BYTES, `without signals ${CLIENTS} requests held only ${held} bytes, which shows nothing`)
    for (let round = 0; round < 2; round++) {
      await memory('later=600000')
      assert.equal((await worker.send(ARTICLE)).status, 200) // the sweep runs with any request
      const more = await growth()
      assert.ok(more < held / 10, `${more} bytes more are held after the sweep, ${held} before it`)
    }
  })
})

describe('places at the origin', () => {
  const PLACES = 3
  let stand

  before(async () => {
    const protection = { max_requests: PLACES, queue_timeout: 1 }
    stand = await Stand.start({ rules: { protection, origin_timeout: 60, origin_deadline: 60 } })
  })
  after(() => stand?.stop())

  for (const [name, line] of [
    ['a miss of a signed-in reader', 'GET /slow HTTP/1.1\r\nCookie: session=1\r\nAuthorization: Basic eDp5'],
    ['a HEAD', 'HEAD /slow HTTP/1.1'],
    ['an upload that stops', 'PUT /slow HTTP/1.1\r\nContent-Length: 9'],
  ]) {
    test(`are free after ${name} whose client has gone`, async () => {
      const host = `${name.replaceAll(' ', '-')}.example`.toLowerCase()
      stand.origin.on(host, '/slow', { hang: true })
      stand.origin.on(host, '/page', { status: 200, body: 'page', fields: [['Cache-Control', 'max-age=60']] })
      const port = Number(new URL(stand.worker.url()).port)
      for (let n = 1; n <= PLACES; n++) {
        const body = line.startsWith('PUT') ? 'half' : ''
        await sendAndReset(port, `${line}\r\nHost: ${host}\r\n\r\n${body}`, () => stand.origin.requests(host, '/slow').length >= n)
      }
      await sleep(100)
      const answer = await stand.get(host, '/page')
      assert.equal(answer.status, 200, `${answer}\n${stand.about(host)}`)
    })
  }
})
