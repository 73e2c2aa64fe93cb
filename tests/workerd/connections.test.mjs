// The end of connections. A client that reads until the connection ends does not wait. An origin that sends `Connection: close`
// twice, as PHP's built-in server does for an application that also sends it, gets each request on a new connection.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startWorker } from '../../scripts/workerd.mjs'
import { SECRET } from './stand.mjs'

const ROUNDS = 20
const EXAMPLE = fileURLToPath(new URL('../../examples/purge/purge.php', import.meta.url))
const HEADS = {
  once: 'Connection: close\r\n',
  twice: 'Connection: close\r\nConnection: close\r\n',
  'as a list': 'Connection: close, close\r\n',
  'after keep-alive': 'Connection: keep-alive\r\nConnection: close\r\n',
}

describe('connections', () => {
  let origin, worker, ending
  let requests = 0
  before(async () => {
    // Closes 20 ms after its response: a second request on the same connection is lost.
    origin = createServer((socket) => {
      let answered = false
      socket.on('error', () => {})
      socket.on('data', () => {
        requests += 1
        if (answered) return
        answered = true
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-cache\r\n${HEADS[ending]}\r\nok`)
        setTimeout(() => socket.destroy(), 20)
      })
    })
    await new Promise((resolve) => origin.listen(0, '127.0.0.1', resolve))
    const rules = { origin: `http://127.0.0.1:${origin.address().port}`, protection: { breaker_failures: 0 } }
    worker = await startWorker({ rules, secrets: SECRET, onLog: () => {} })
  })
  after(async () => {
    await worker?.stop()
    origin?.close()
  })

  for (const name of Object.keys(HEADS)) {
    it(`POST right after GET succeeds when the origin sends Connection: close ${name}`, async () => {
      ending = name
      requests = 0
      for (let at = 0; at < ROUNDS; at += 1) {
        await (await fetch(`${worker.url()}/page-${at}`)).text()
        const answer = await fetch(`${worker.url()}/form`, { method: 'POST', body: 'a=1' })
        assert.equal(answer.status, 200, await answer.text())
      }
      assert.equal(requests, 2 * ROUNDS)
    })
  }

  for (const [name, line] of [
    ['HTTP/1.0', 'POST /.edgekeep/purge HTTP/1.0\r\n'],
    ['Connection: close', 'POST /.edgekeep/purge HTTP/1.1\r\nConnection: close\r\n'],
    ['Connection: TE, close', 'PURGE / HTTP/1.1\r\nConnection: TE, close\r\n'],
  ]) {
    it(`connection of a client with ${name} ends at once`, async () => {
      const { hostname, port } = new URL(worker.url())
      const start = performance.now()
      await new Promise((resolve, reject) => {
        const socket = connect(Number(port), hostname)
        socket.on('error', reject)
        socket.on('end', resolve)
        socket.resume()
        socket.setTimeout(8000, () => reject(new Error('the connection stays open')))
        socket.write(`${line}Host: www.example.com\r\nContent-Length: 2\r\n\r\n{}`)
      })
      assert.ok(performance.now() - start < 2000, `${performance.now() - start} ms`)
    })
  }

  it('PHP example takes less than two seconds', (t) => {
    if (spawnSync('php', ['-r', 'exit(function_exists("curl_init") ? 0 : 1);']).status !== 0) {
      return t.skip('install php-cli and php-curl')
    }
    const run = (secret) => {
      const start = performance.now()
      const env = { ...process.env, EDGEKEEP_SITE: worker.url(), EDGEKEEP_SECRET: secret }
      const { stdout, stderr } = spawnSync('php', [EXAMPLE, '{"tags":["front"]}'], { encoding: 'utf8', env })
      return { text: stdout + stderr, ms: performance.now() - start }
    }
    const done = run(SECRET)
    assert.match(done.text, /in_force_at/, done.text)
    assert.ok(done.ms < 2000, `${done.ms} ms`)
    assert.match(run(`whsec_${'A'.repeat(32)}`).text, /401/)
  })
})
