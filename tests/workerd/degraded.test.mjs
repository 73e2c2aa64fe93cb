// Tiers that fail, are slow, are full or hold invalid data cost speed, but never a wrong or missing response.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { calls, setKv, withKvDouble } from './kv-double.mjs'
import { Stand, bare } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const LIMIT = { timeout: 60_000 }
const QUOTA = 'KV put() limit exceeded for the day.'
const page = (body) => ({ status: 200, fields: [['Cache-Control', 'max-age=600, stale-if-error=600']], body })
const ALWAYS = { defaults: { kv: true } }

const problems = (stand, part) => stand.log.filter((line) => line.event === 'problem' && line.part === part).map((line) => line.problem)
const details = (answer) => (answer.cache.get('detail') ?? '').split('/')

/** Requests new pages; each response must be complete. Returns the responses and the milliseconds that each took. */
async function fetchPages(stand, host, paths) {
  const answers = []
  for (const path of paths) {
    stand.origin.on(host, path, page(`page ${path}`))
    const began = Date.now()
    const answer = await stand.get(host, path)
    assert.deepEqual([answer.status, answer.text, answer.complete], [200, `page ${path}`, true], `${answer}\n${stand.about(host)}`)
    answers.push({ answer, took: Date.now() - began })
    await sleep(100) // for the stores after the response
  }
  return answers
}

describe('failing KV', { concurrency: false }, () => {
  let stand
  // Each test has a new stand, so that the isolate's KV breakers start closed.
  const fresh = async () => {
    await stand?.stop()
    stand = await Stand.start({ rules: ALWAYS, adapt: withKvDouble })
    await stand.get('start.test', '/') // the first request of an isolate is slow
    await sleep(200)
  }
  after(() => stand?.stop())

  it('KV that throws at each call is paused for reads and writes after three failures', LIMIT, async () => {
    await fresh()
    await setKv(stand, { get: { throws: 'KV GET failed: 500 x' }, put: { throws: 'KV PUT failed: 500 x' } })
    const host = 'throws.test'
    await fetchPages(stand, host, ['/1', '/2', '/3', '/4', '/5'])
    assert.ok((await stand.getHit(host, '/1')).hit)
    // Three failures of each kind open the breaker.
    assert.ok(problems(stand, 'kv').some((text) => text.startsWith('kv-writes-paused for 10 s')), stand.raw.join('\n'))
    assert.ok(problems(stand, 'kv').some((text) => text.startsWith('kv-reads-paused for 5 s')), stand.raw.join('\n'))
    assert.equal(calls(stand, 'put'), 3)
  })

  it('KV over its daily write limit is paused for writes after one failure', LIMIT, async () => {
    await fresh()
    await setKv(stand, { put: { throws: QUOTA } })
    const answers = await fetchPages(stand, 'full.test', ['/1', '/2', '/3', '/4'])
    const paused = answers.map(({ answer }) => details(answer).includes('kv-writes-paused'))
    assert.deepEqual(paused, [false, true, true, true])
    assert.deepEqual(problems(stand, 'kv'), [`kv-writes-paused for 60 s: ${QUOTA}`])
    assert.equal(calls(stand, 'put'), 1)
  })

  it('KV that answers 429 for one key is not paused', LIMIT, async () => {
    await fresh()
    await setKv(stand, { put: { throws: 'KV PUT failed: 429 Too Many Requests' } })
    const paths = ['/1', '/2', '/3', '/4', '/5']
    const answers = await fetchPages(stand, 'often.test', paths)
    assert.ok(answers.every(({ answer }) => !details(answer).includes('kv-writes-paused')))
    assert.equal(calls(stand, 'put'), paths.length)
  })

  it('slow KV delays a lookup by one second at most, and is then skipped', LIMIT, async () => {
    await fresh()
    const host = 'slow.test'
    // Too long to be buffered: KV returns a stream.
    stand.origin.on(host, '/held', page('x'.repeat(600_000)))
    await stand.getHit(host, '/held')
    await sleep(500)
    await stand.evict(host)
    await setKv(stand, { get: { slow: 3_000 } })
    const began = Date.now()
    assert.equal((await stand.get(host, '/held')).hit, false)
    const took = Date.now() - began
    assert.ok(took >= 900 && took < 2_000, `${took} ms`)
    const waited = (await fetchPages(stand, host, ['/1', '/2', '/3', '/4'])).map(({ took }) => took)
    assert.ok(waited.slice(0, 2).every((ms) => ms >= 900 && ms < 2_000), waited.join(' '))
    assert.ok(waited.slice(2).every((ms) => ms < 500), waited.join(' '))
    // Both branches of the stream are cancelled when KV returns it: the one that was read in part, and the unused one.
    assert.ok(await until(() => calls(stand, 'cancel') === 2, 5_000), `${calls(stand, 'cancel')} streams were cancelled`)
  })

  it('slow KV is read with a longer limit when the origin fails', LIMIT, async () => {
    await fresh()
    const host = 'last.test'
    await fetchPages(stand, host, ['/a'])
    await stand.evict(host)
    await setKv(stand, { get: { slow: 2_000 } })
    for (const plan of [{ down: true }, { status: 503, fields: [], body: 'broken' }]) {
      stand.origin.on(host, '/a', plan)
      const answer = await stand.get(host, '/a')
      assert.deepEqual([answer.status, answer.text], [200, 'page /a'], `${answer}\n${stand.about(host)}`)
      // The stored response is fresh, although the request was forwarded to the origin.
      assert.ok(!answer.hit && details(answer).includes('kv') && !details(answer).includes('stale-if-error'), String(answer))
    }
  })
})

describe('invalid data in a tier', { concurrency: false }, () => {
  let stand
  before(async () => { stand = await Stand.start({ rules: ALWAYS }) })
  after(() => stand?.stop())

  /** Stores the page in both tiers; returns the entry in KV. */
  async function storeInBothTiers(host, body) {
    stand.origin.on(host, '/a', page(body))
    await stand.getHit(host, '/a')
    assert.ok(await until(async () => (await stand.inKv(host)).length === 1, 3_000), 'the response is not in KV')
    return (await stand.inKv(host))[0]
  }

  for (const [name, value, metadata] of [
    ['value of another program', 'hello', undefined],
    ['empty value', '', { text: 0 }],
    ['metadata of a wrong type', 'hello', { text: 'long' }],
    ['text length above the value length', 'hello', { text: 30_000 }],
    ['text length above any limit', 'hello', { text: 1e15 }],
    ['text of invalid bytes', bare(Buffer.from([0xff, 0xfe, 0, 0xc3, 0x28])), { text: 5 }],
  ]) {
    it(`KV: ${name} is a miss`, LIMIT, async () => {
      const host = `${name.replaceAll(' ', '-')}.test`
      const { kv, key } = await storeInBothTiers(host, 'one')
      await stand.evict(host)
      await kv.put(key, value, { metadata })
      stand.origin.on(host, '/a', page('two'))
      const answer = await stand.get(host, '/a')
      assert.deepEqual([answer.status, answer.text, answer.hit], [200, 'two', false], `${answer}\n${stand.about(host)}`)
    })
  }

  it('Cache API: response of another program is skipped, and KV is read', LIMIT, async () => {
    const host = 'foreign.test'
    await storeInBothTiers(host, 'one')
    const caches = await stand.worker.mf.getCaches()
    const { entry } = stand.log.find((line) => line.host === host && line.entry)
    await caches.default.put(entry, new stand.worker.Response('foreign', { headers: { 'Cache-Control': 'max-age=600' } }))
    const answer = await stand.get(host, '/a')
    assert.deepEqual([answer.text, answer.cache.get('detail')], ['one', 'kv'], String(answer))
  })

  for (const [name, bytes, change] of [
    ['half of a short body', 1_000, -500],
    ['short body with extra bytes', 1_000, 10],
    ['half of a long body', 600_000, -300_000],
  ]) {
    it(`KV: ${name} is replaced by a new fill`, LIMIT, async () => {
      const host = `${name.replaceAll(' ', '-')}.test`
      const body = 'x'.repeat(bytes)
      const { kv, key, text, body: whole, metadata } = await storeInBothTiers(host, body)
      await stand.evict(host)
      await kv.put(key, bare(Buffer.from(text), whole.subarray(0, bytes + change), Buffer.alloc(Math.max(0, change), 'y')), { metadata })
      if (bytes > 256 * 1024) {
        // Too long to be checked before it is streamed.
        const broken = await stand.get(host, '/a')
        assert.equal(broken.complete, false, 'half of a page looks complete')
        await sleep(1_500) // meanwhile the store in the Cache API fails
      }
      const answer = await stand.get(host, '/a')
      assert.ok(answer.complete && answer.text === body && !answer.hit, `${answer}\n${stand.about(host)}`)
      // KV has the complete body again.
      assert.ok(await until(async () => (await stand.inKv(host))[0]?.body.length === bytes, 3_000))
      await stand.evict(host)
      const again = await stand.get(host, '/a')
      assert.ok(again.text === body && again.cache.get('detail') === 'kv', String(again))
    })
  }
})

describe('pages are served without', { concurrency: 2 }, () => {
  const withoutBinding = (name) => ({ config, dev }) => ({ dev, config: { ...config, env: Object.fromEntries(Object.entries(config.env).filter(([key]) => key !== name)) } })
  const withoutCacheApi = ({ config, dev }) => ({ config, dev: { ...dev, cacheAPI: false } })

  async function requestTwice(change, check) {
    const adapt = (options) => ({ ...options, workers: options.workers.map(change) })
    const stand = await Stand.start({ rules: ALWAYS, adapt })
    try {
      await fetchPages(stand, 'away.test', ['/a'])
      await sleep(300)
      const answer = await stand.get('away.test', '/a')
      assert.equal(answer.text, 'page /a', `${answer}\n${stand.about('away.test')}`)
      check(answer, stand)
    } finally {
      await stand.stop()
    }
  }

  it('KV', LIMIT, () => requestTwice(withoutBinding('EDGEKEEP_KV'), (answer, stand) => {
    assert.equal(answer.cache.get('detail'), 'cache-api', String(answer))
    assert.ok(problems(stand, 'kv').some((text) => text.includes('no KV binding')), stand.raw.join('\n'))
  }))
  it('the Cache API', LIMIT, () => requestTwice(withoutCacheApi, (answer) => assert.equal(answer.cache.get('detail'), 'kv', String(answer))))
  it('the ledger', LIMIT, () => requestTwice(withoutBinding('EDGEKEEP_LEDGER'), (answer) => assert.ok(details(answer).includes('no-purge-index'), String(answer))))
})

it('isolates share the daily KV write budget', LIMIT, async () => {
  const stand = await Stand.start({ workers: ['a', 'b'], rules: { ...ALWAYS, kv_writes_per_day: 6 } })
  try {
    const host = 'budget.test'
    stand.origin.on(host, '*', page('page'))
    for (let n = 0; n < 8; n += 1) {
      for (const at of ['a', 'b']) {
        assert.equal((await stand.get(host, `/${at}${n}`, [], { at })).text, 'page')
      }
      await sleep(1_200) // longer than max_purge_lag
    }
    await sleep(300)
    // Both isolates may exceed the budget by their writes within two lags.
    const written = (await stand.inKv(host)).length
    assert.ok(written >= 6 && written <= 10, `${written} entries`)
    for (const at of ['a', 'b']) assert.ok(details(await stand.get(host, `/last-${at}`, [], { at })).includes('kv-budget-spent'))
    assert.equal(problems(stand, 'kv').filter((text) => text.startsWith('kv-budget-spent')).length, 2, 'one line for each isolate')
  } finally {
    await stand.stop()
  }
})
