// The fast lane: the ledger's alarm sends orders to the zone's own purge API, at the rate and in the form that Cloudflare
// documents. The API is a local double; none of this has been tried on Cloudflare's network.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Origin } from './origin.mjs'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'
import { TOKEN, ZoneApi } from './zone-api.mjs'

const LIMIT = { timeout: 60_000 }
const page = (tags) => ({ status: 200, fields: [['Cache-Control', 'max-age=600'], ['Cache-Tag', tags]], body: 'page' })

/** Starts a stand and a double of the zone's API. */
async function start({ limits, ...options } = {}) {
  const api = await ZoneApi.start(limits)
  try {
    const stand = await Stand.start({ vars: api.vars, ...options })
    return { api, stand, stop: async () => { await stand.stop(); await api.stop() } }
  } catch (error) {
    await api.stop()
    throw error
  }
}

/** Orders a purge; returns its id. */
async function orderPurge(stand, host, body) {
  const id = stand.newId()
  const answer = await stand.purge(host, body, { id })
  assert.equal(answer.status, 200, String(answer))
  return id
}

const many = (count, name = 't') => Array.from({ length: count }, (_, i) => `${name}${i}`)

describe('deployment with a zone and a token', () => {
  let api, stand, stop
  before(async () => { ({ api, stand, stop } = await start({ limits: { perMinute: 3000, bucket: 500 } })) })
  after(() => stop?.())

  /** Orders a purge, waits until its calls are done, and returns their bodies. */
  async function purged(host, body) {
    const before = api.purges.length
    const status = await stand.whenWorkDone(await orderPurge(stand, host, body))
    assert.deepEqual([status.fast_lane.failed, status.fast_lane.pending], [0, 0], JSON.stringify(status))
    assert.equal(status.fast_lane.done, status.receipt.fast_lane)
    return api.purges.slice(before).map((purge) => purge.body)
  }

  it('sends tags unchanged', async () => {
    assert.deepEqual(await purged('tags.test', { tags: ['front', 'Article:7'] }), [{ tags: ['front', 'Article:7'] }])
  })

  it('sends purge_everything unchanged', async () => {
    assert.deepEqual(await purged('all.test', { purge_everything: true }), [{ purge_everything: true }])
  })

  it('sends nothing for a soft order', async () => {
    const before = api.calls.length
    const status = await stand.orderStatus(await orderPurge(stand, 'soft.test', { tags: ['front'], soft: true }))
    assert.equal(status.receipt.fast_lane, 0)
    await sleep(300)
    assert.equal(api.calls.length, before)
  })

  it('sends files, prefixes and hosts as the tags of exactly the pages that they select', async () => {
    const host = 'names.test'
    const pages = ['/blog', '/blog/one?x=1', '/blogger', '/other']
    const tagsOf = new Map()
    const caches = await stand.worker.mf.getCaches()
    for (const path of pages) {
      stand.origin.on(host, path, page(`of-${path.length}`))
      await stand.getHit(host, path)
      const { entry } = stand.log.find((line) => line.host === host && line.path === path && line.entry)
      const stored = await caches.default.match(entry)
      tagsOf.set(path, stored.headers.get('cache-tag').split(','))
      await stored.arrayBuffer()
    }
    const cases = [
      [{ files: [`http://${host}/blog/one?utm_source=x&x=1`] }, ['/blog/one?x=1']],
      [{ prefixes: [`${host}/blog`] }, ['/blog', '/blog/one?x=1']],
      [{ hosts: [host] }, pages],
      [{ hosts: ['another.test'] }, []],
      [{ tags: ['of-8'] }, ['/blogger']],
    ]
    for (const [body, expected] of cases) {
      const [call, ...more] = await purged(host, body)
      assert.deepEqual(more, [])
      assert.deepEqual(Object.keys(call), ['tags'])
      const reached = pages.filter((path) => call.tags.some((tag) => tagsOf.get(path).includes(tag)))
      assert.deepEqual(reached, expected, JSON.stringify(body))
    }
  })

  it('sends a large order in batches of a hundred', async () => {
    const calls = await purged('large.test', { tags: many(250) })
    assert.deepEqual(calls.map((call) => call.tags.length), [100, 100, 50])
    assert.deepEqual(calls.flatMap((call) => call.tags), many(250))
  })

  it('sends after the receipt, and retries a call that times out', async () => {
    api.fail('hang')
    const began = Date.now()
    const id = await orderPurge(stand, 'behind.test', { tags: ['behind'] })
    assert.ok(Date.now() - began < 2_000)
    const status = await stand.orderStatus(id)
    assert.deepEqual(status.fast_lane, { pending: 1, done: 0, failed: 0 })
    // The call times out after ten seconds and is retried.
    assert.deepEqual((await stand.whenWorkDone(id, 15_000)).fast_lane, { pending: 0, done: 1, failed: 0, problem: 'no answer: none within 10000 ms' })
  })

  it('retries a call after a 5xx or a broken connection', async () => {
    for (const [fault, problem] of [[500, /^status 500: 1000 a fault/], [503, /^status 503/], ['down', /^no answer: /]]) {
      api.fail(fault)
      const id = await orderPurge(stand, 'again.test', { tags: [`after-${fault}`] })
      const { fast_lane: lane } = await stand.whenWorkDone(id)
      assert.deepEqual([lane.done, lane.failed], [1, 0])
      assert.match(lane.problem, problem)
      assert.deepEqual(api.purges.at(-1).body, { tags: [`after-${fault}`] })
    }
  })

  it('does not retry a call that is refused, and records the reason', async () => {
    api.fail(400)
    const before = api.calls.length
    const { fast_lane: lane } = await stand.whenWorkDone(await orderPurge(stand, 'refused.test', { tags: ['refused'] }))
    assert.deepEqual(lane, { pending: 0, done: 0, failed: 1, problem: 'status 400: 1000 a fault that the test ordered: 400' })
    assert.equal(api.calls.length, before + 1)
  })

  it('does not log the token', () => {
    assert.ok(stand.raw.length > 0)
    assert.deepEqual(stand.raw.filter((line) => line.includes(TOKEN)), [])
  })
})

describe('rate of calls', () => {
  it('is by default that of the Free plan', LIMIT, async () => {
    const { api, stand, stop } = await start()
    try {
      const ids = []
      for (let i = 0; i < 3; i++) ids.push(await orderPurge(stand, 'pace.test', { tags: many(900, `order-${i}-`) }))
      assert.ok(await until(() => api.purges.length >= 26, 30_000), `${api.purges.length} calls`)
      assert.deepEqual(api.calls.filter((call) => call.status !== 200).map((call) => call.at), [])
      const [first, last] = [api.purges[0].at, api.purges[25].at]
      assert.ok(api.purges[24].at - first < 8_000, 'the first 25 calls are late')
      assert.ok(last - first >= 11_900, `the 26th call came after ${last - first} ms`)
      assert.equal((await stand.orderStatus(ids[0])).fast_lane.done, 9)
    } finally {
      await stop()
    }
  })

  it('follows Retry-After when other callers have spent the limit of the account', LIMIT, async () => {
    // The double has a smaller bucket than the settings assume.
    const rules = { fast_lane: { requests_per_minute: 3000, bucket: 500 } }
    const { api, stand, stop } = await start({ limits: { perMinute: 30, bucket: 3 }, rules })
    try {
      const id = await orderPurge(stand, 'busy.test', { tags: many(500) })
      const status = await stand.whenWorkDone(id, 30_000)
      assert.deepEqual([status.fast_lane.done, status.fast_lane.failed], [5, 0])
      assert.match(status.fast_lane.problem, /^status 429: 971 /)
      const refused = api.calls.filter((call) => call.status === 429)
      assert.ok(refused.length >= 1 && refused.length <= 3, `${refused.length} refusals`)
      for (const { at } of refused) {
        const next = api.calls.find((call) => call.at > at)
        // Retry-After is one or two seconds, rounded up.
        assert.ok(next.at - at >= 950, `called again after ${next.at - at} ms`)
      }
    } finally {
      await stop()
    }
  })
})

describe('restart of the worker', () => {
  /** Stops the stand after `interrupt`, starts it again, and runs `then`. */
  async function restarted(interrupt, then) {
    const persist = await mkdtemp(join(tmpdir(), 'edgekeep-'))
    const api = await ZoneApi.start()
    const origin = await Origin.start()
    const options = { vars: api.vars, persist, origin }
    let stand
    try {
      stand = await Stand.start(options)
      const id = await interrupt(stand, api)
      await stand.stop()
      stand = await Stand.start(options)
      await then(stand, api, id)
    } finally {
      await stand?.stop()
      await origin.stop()
      await api.stop()
      await rm(persist, { recursive: true, force: true })
    }
  }

  it('during a call repeats the call', LIMIT, () => restarted(async (stand, api) => {
    api.fail('hang')
    const id = await orderPurge(stand, 'restart.test', { tags: ['broken-off'] })
    assert.ok(await until(() => api.calls.length === 1, 5_000))
    return id
  }, async (stand, api, id) => {
    // Without any request: an alarm was set before the call.
    assert.ok(await until(() => api.purges.length === 1, 40_000))
    assert.deepEqual(api.purges[0].body, { tags: ['broken-off'] })
    const status = await stand.whenWorkDone(id)
    assert.deepEqual([status.fast_lane.done, status.fast_lane.failed], [1, 0])
  }))

  it('keeps the alarm of pending calls', LIMIT, () => restarted(async (stand, api) => {
    api.fail(503, 503, 503)
    const id = await orderPurge(stand, 'restart.test', { tags: ['waits'] })
    assert.ok(await until(() => api.calls.length === 3, 8_000))
    await sleep(200)
    return id
  }, async (stand, api, id) => {
    assert.ok(await until(() => api.purges.length === 1, 30_000))
    assert.equal((await stand.whenWorkDone(id)).fast_lane.done, 1)
  }))
})

it('wrong token is reported in the history, and purges are in force nevertheless', async () => {
  const api = await ZoneApi.start()
  const stand = await Stand.start({ vars: { ...api.vars, CLOUDFLARE_API_TOKEN: 'another' } })
  try {
    const host = 'token.test'
    stand.origin.on(host, '/page', page('token'))
    await stand.getHit(host, '/page')
    const status = await stand.whenWorkDone(await orderPurge(stand, host, { tags: ['token'] }))
    assert.deepEqual(status.fast_lane, { pending: 0, done: 0, failed: 1, problem: 'status 403: 10000 Authentication error' })
    assert.ok(!(await stand.get(host, '/page')).hit)
  } finally {
    await stand.stop()
    await api.stop()
  }
})

it('deployment without a token calls nothing', async () => {
  const api = await ZoneApi.start()
  const { CLOUDFLARE_API_TOKEN: token, ...half } = api.vars
  assert.ok(token)
  const stand = await Stand.start({ vars: half })
  try {
    const status = await stand.whenWorkDone(await orderPurge(stand, 'none.test', { tags: ['none'] }))
    assert.equal(status.receipt.fast_lane, 0)
    await sleep(300)
    assert.deepEqual(api.calls, [])
    assert.ok(stand.log.some((line) => line.event === 'problem' && line.problem === 'CLOUDFLARE_API_TOKEN is not set'))
  } finally {
    await stand.stop()
    await api.stop()
  }
})
