// A panic leaves wasm's memory in no known state: the request fails, and the next one has a new instance.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'smol-toml'
import { ROOT } from '../../scripts/tools.mjs'
import { TOKEN, builtFiles, policy } from '../bench/exact.mjs'
import { ARTICLE } from '../bench/measure.mjs'
import { Worker } from '../bench/rig.mjs'

const { compatibility_date: date, compatibility_flags: flags = [] } = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'))
const file = (name) => fileURLToPath(new URL(`./panic/${name}`, import.meta.url))

test('after a panic the worker begins anew', async () => {
  const modules = [file('worker.js'), file('trapping.js'), ...builtFiles(join(ROOT, 'build'))]
  const worker = await Worker.start({ name: 'panic', modules, compatibility: { date, flags }, settings: policy(), secrets: TOKEN })
  try {
    const first = await worker.send(ARTICLE)
    assert.equal(first.status, 200)
    // The ledger's object lives in the same isolate, and so in the same instance.
    const purge = async () => {
      const fields = [`Authorization: Bearer ${TOKEN}`, 'Content-Type: application/json']
      const receipt = await worker.send('/.edgekeep/purge', { method: 'POST', body: '{"tags":["nothing"]}', fields })
      assert.equal(receipt.status, 200, `${receipt.text()}\n${worker.log}`)
      return JSON.parse(receipt.text())
    }
    const before = await purge()
    for (const instances of [1, 2]) {
      assert.deepEqual(JSON.parse((await worker.send('/.trap')).text()), { instances })
      assert.equal((await worker.send(ARTICLE)).status, 500)
      for (let n = 0; n < 3; n++) {
        const answer = await worker.send(ARTICLE)
        assert.equal(answer.status, 200, `${answer.head}\n${worker.log}`)
        assert.equal(answer.text(), first.text())
      }
      const after = await purge()
      assert.ok(after.sequence > before.sequence, `${after.sequence} after ${before.sequence}`)
    }
    assert.match(worker.log, /begins anew/)
  } finally {
    await worker.stop()
  }
})
