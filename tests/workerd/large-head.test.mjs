// Heads at the limits of the tiers: 28 KiB of Drupal's tags, and 31 KiB of fields beside tags. Larger ones are not stored;
// Cache-Status and the log give the reason.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { LAG_SECONDS, Stand } from './stand.mjs'
import { sleep } from './wire.mjs'

const HOST = 'large-head.test'

/** Returns tags of this many bytes, with a space between them. */
function tags(bytes) {
  const all = []
  for (let number = 1, length = 0; ; number++) {
    const tag = `node:${number}`
    length += tag.length + 1
    if (length > bytes) return all
    all.push(tag)
  }
}

describe('large heads', { timeout: 60_000 }, () => {
  let stand
  before(async () => {
    stand = await Stand.start({ rules: { rules: [{ path: '*', kv: true, memory: false }] } })
    const page = (fields) => ({ status: 200, fields: [['Cache-Control', 'max-age=600'], ...fields], body: 'page' })
    const drupal = tags(28 * 1024).join(' ')
    for (const name of ['Cache-Tags', 'X-Drupal-Cache-Tags']) stand.origin.on(HOST, `/${name}`, page([[name, drupal]]))
    // The most that Edgekeep stores: nearly 72 KiB of text, and the fields once more.
    stand.origin.on(HOST, '/most', page([['Cache-Tags', tags(15 * 1024).join(' ')], ['X-Large', 'x'.repeat(31 * 1024)]]))
    stand.origin.on(HOST, '/fields', page([['X-Large', 'x'.repeat(33 * 1024)]]))
    stand.origin.on(HOST, '/long', page([['Cache-Tags', Array.from({ length: 75 }, (_, at) => `${at}-${'x'.repeat(996)}`).join(' ')]]))
    stand.origin.on(HOST, '/many', page([['Cache-Tags', Array.from({ length: 4_001 }, (_, at) => `t${at}`).join(' ')]]))
  })
  after(() => stand?.stop())

  for (const path of ['/Cache-Tags', '/X-Drupal-Cache-Tags', '/most']) {
    it(`${path} is stored in both tiers`, async () => {
      await stand.getHit(HOST, path)
      await stand.evict(HOST)
      const again = await stand.get(HOST, path)
      assert.match(again.field('cache-status'), /hit;.*detail=kv/, `${again}\n${stand.about(HOST)}`)
      assert.equal(again.text, 'page')
      await sleep(300)
      const hit = await stand.get(HOST, path)
      assert.match(hit.field('cache-status'), /hit;.*detail=cache-api/, `${hit}\n${stand.about(HOST)}`)
      assert.equal(hit.field('cache-tags') ?? hit.field('x-drupal-cache-tags'), undefined)
    })
  }

  it('purge of the last tag makes the entry unusable', async () => {
    const last = tags(28 * 1024).at(-1)
    assert.equal((await stand.purge(HOST, { tags: [last] })).status, 200)
    await sleep(LAG_SECONDS * 1000)
    const answer = await stand.get(HOST, '/Cache-Tags')
    assert.match(answer.field('cache-status'), /detail=purged/, `${answer}\n${stand.about(HOST)}`)
  })

  for (const [path, reason] of [['/fields', 'large-head'], ['/long', 'large-head'], ['/many', 'too-many-tags']]) {
    it(`${path} is not stored: ${reason}`, async () => {
      for (const time of [1, 2]) {
        const answer = await stand.get(HOST, path)
        assert.equal(answer.text, 'page')
        const status = answer.field('cache-status')
        assert.ok(status.includes(reason) && !status.includes('stored'), `${time}: ${status}`)
      }
      const line = stand.log.findLast((line) => line.path === path)
      assert.ok(line.notes.some((note) => note.startsWith(reason)), JSON.stringify(line))
    })
  }
})
