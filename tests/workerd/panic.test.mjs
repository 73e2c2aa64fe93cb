// A trap leaves wasm memory in an undefined state. The request that trapped gets 500, other requests in flight end at once, a
// new instance serves the next request, and the log gives the place of the trap.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'smol-toml'
import { ROOT } from '../../scripts/tools.mjs'
import { TOKEN, builtFiles, policy } from '../bench/exact.mjs'
import { ARTICLE } from '../bench/measure.mjs'
import { Worker } from '../bench/rig.mjs'
import { until } from './wire.mjs'

const { compatibility_date: date, compatibility_flags: flags = [] } = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'))
const file = (name) => fileURLToPath(new URL(`./panic/${name}`, import.meta.url))

const PURGE = '/.edgekeep/purge'

/** Log lines of each kind of trap. A panic has two, by the hook of `worker` and by ours. */
const LOGGED = {
  panic: [/Rust panic: panicked at \S+\.rs:\d+:\d+/, /(?<!Rust panic: )panicked at \S+\.rs:\d+:\d+:\s*capacity overflow/, /wasm has trapped: RuntimeError: unreachable\s+at wasm/],
  'stack overflow': [/wasm has trapped: RangeError: Maximum call stack size exceeded\s+at /],
  'out of memory': [/wasm has trapped: RuntimeError: unreachable\s+at wasm/],
}

let worker
let instances = 1
let pages = 0

before(async () => {
  const modules = [file('worker.js'), file('trapping.js'), ...builtFiles(join(ROOT, 'build'))]
  const settings = policy()
  // Else a slow request to the origin is announced in the Cache API: the first call of put would come before the response.
  settings.defaults.collapse = 'isolate'
  worker = await Worker.start({ name: 'panic', modules, compatibility: { date, flags }, settings, secrets: TOKEN })
  assert.equal((await worker.send(ARTICLE)).status, 200)
})
after(() => worker?.stop())

const state = async (query = '') => JSON.parse((await worker.send(`/.trap?${query}`)).text())

function purge() {
  const fields = [`Authorization: Bearer ${TOKEN}`, 'Content-Type: application/json']
  return worker.send(PURGE, { method: 'POST', body: '{"tags":["nothing"]}', fields })
}

async function sequence() {
  const receipt = await purge()
  assert.equal(receipt.status, 200, `${receipt.text()}\n${worker.log}`)
  return JSON.parse(receipt.text()).sequence
}

for (const [how, logged] of Object.entries(LOGGED)) {
  describe(how, () => {
    for (const [place, where, ask] of [
      ['before the lookup', '__wbg_match_', () => worker.send(ARTICLE)],
      ['before the fetch from the origin', '__wbg_sendToOrigin_', () => worker.send(`/new/${++pages}`)],
      ['in the ledger', '__wbg_exec_', purge],
    ]) {
      test(`trap ${place}: its request gets 500, others end at once, the next one is served`, async () => {
        const before = await sequence()
        // Waits for an origin that never responds.
        const requestCount = worker.backends.of('origin', 'GET')
        const other = worker.send(`/admin/never/${++pages}`)
        assert.ok(await until(() => worker.backends.of('origin', 'GET') > requestCount, 5_000, 5))
        worker.log = ''
        await state(`where=${where}&how=${encodeURIComponent(how)}`)
        const answer = await ask()
        assert.equal(answer.status, 500, `${answer.head}\n${worker.log}`)
        assert.equal((await state()).armed, false, 'there was no trap')
        const began = Date.now()
        assert.equal((await other).status, 500)
        assert.ok(Date.now() - began < 2_000, 'the other request did not end at once')
        await assertServedByNewInstance(before)
        for (const words of logged) assert.match(worker.log, words)
      })
    }

    test('trap after a response: the client gets its page, the next request is served', async () => {
      const before = await sequence()
      worker.log = ''
      // The page is so long that it is stored while the client reads it.
      await state(`where=__wbg_put_&how=${encodeURIComponent(how)}`)
      const answer = await worker.send(`/big/3000000/${++pages}`)
      assert.equal(answer.status, 200, `${answer.head}\n${worker.log}`)
      assert.equal(answer.size, 3_000_000)
      assert.ok(await until(async () => !(await state()).armed, 5_000, 20), 'there was no trap')
      await assertServedByNewInstance(before)
      for (const words of logged) assert.match(worker.log, words)
    })
  })
}

async function assertServedByNewInstance(before) {
  for (let n = 0; n < 3; n++) {
    const answer = await worker.send(ARTICLE)
    assert.equal(answer.status, 200, `${answer.head}\n${worker.log}`)
    assert.ok(answer.text().startsWith('<p>lorem ipsum'))
  }
  // The ledger's object is in the same isolate, and so in the same instance.
  assert.ok((await sequence()) > before)
  assert.equal((await state()).instances, ++instances)
  assert.match(worker.log, /starts a new instance/)
}
