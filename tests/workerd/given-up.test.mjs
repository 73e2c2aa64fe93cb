// The runtime never ends the work of a request that it gives up, as it does when the client goes: what such requests held
// is let go after a time.

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
const file = (name) => fileURLToPath(new URL(`./given-up/${name}`, import.meta.url))

const REQUESTS = 1500
const HOURS_MS = 3_600_000

test('what requests held that the runtime gave up is let go', async () => {
  const modules = [file('worker.js'), file('swallowing.js'), ...builtFiles(join(ROOT, 'build'))]
  const worker = await Worker.start({ name: 'given up', modules, compatibility: { date, flags }, settings: policy(), secrets: TOKEN })
  const later = async (ms) => JSON.parse((await worker.send(`/.later?ms=${ms}`)).text())
  /** How much more memory there is after so many requests that are given up. */
  const growth = async () => {
    const before = (await later(0)).bytes
    for (let n = 0; n < REQUESTS; n++) {
      const { status } = await worker.send(`/given-up/${n}`)
      assert.equal(status, 500)
    }
    return (await later(2 * HOURS_MS)).bytes - before
  }
  try {
    const page = await worker.send(ARTICLE)
    assert.equal(page.status, 200)
    const held = await growth()
    assert.ok(held > 1_000_000, `${REQUESTS} requests held only ${held} bytes, which would show nothing`)
    for (let n = 0; n < 2; n++) {
      const more = await growth()
      assert.ok(more < held / 10, `${more} bytes more are held after the next ${REQUESTS}, the first held ${held}`)
    }
    // Nothing has looked for those of the last round since they became old.
    assert.equal((await later(0)).forgotten, 2 * REQUESTS)
    const again = await worker.send(ARTICLE)
    assert.equal(again.status, 200, `${again.head}\n${worker.log}`)
    assert.equal(again.text(), page.text())
  } finally {
    await worker.stop()
  }
})
