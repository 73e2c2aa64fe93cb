// Purge, then warm: the ledger's alarm refreshes the URLs of a soft order with `refresh`, so that KV has the new response
// before the next request.

import { after, before, it } from 'node:test'
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { LAG_SECONDS, Stand } from './stand.mjs'
import { sleep } from './wire.mjs'

const LIMIT = { timeout: 60_000 }
const BROWSER = [['Accept-Encoding', 'gzip, deflate, br, zstd']]
const page = (body, ...fields) => ({ status: 200, fields: [['Cache-Control', 'max-age=600'], ...fields], body })

let stand
before(async () => {
  stand = await Stand.start({ workers: ['a', 'b'], rules: { defaults: { kv: true, retries: 0 }, rules: [{ path: '/no-kv', kv: false }, { path: '/no-cache', cache: false }] } })
})
after(() => stand?.stop())

/** Orders a refresh of these pages, waits until it is done or has failed, and returns its state in the history. */
async function refresh(host, paths, { scheme = 'http', milliseconds } = {}) {
  const id = stand.newId()
  const files = paths.map((path) => `${scheme}://${host}${path}`)
  const answer = await stand.purge(host, { files, soft: true, refresh: true }, { id })
  assert.equal(answer.status, 200, String(answer))
  const { receipt, refresh } = await stand.whenWorkDone(id, milliseconds)
  assert.equal(receipt.refresh, paths.length)
  return refresh
}

/** Asserts that another data centre serves the page fresh from KV, without the origin. */
async function assertWarm(host, path, body, fields = BROWSER) {
  await stand.evict(host)
  const requestCount = stand.origin.requests(host).length
  const answer = await stand.get(host, path, fields, { at: 'b' })
  const message = `${answer}\n${stand.about(host)}`
  assert.deepEqual(answer.body, Buffer.from(body), message)
  assert.ok(answer.hit && answer.cache.get('detail') === 'kv' && Number(answer.cache.get('ttl')) > 0, message)
  assert.equal(stand.origin.requests(host).length, requestCount, message)
}

it('refresh stores the new response in KV before the next request', LIMIT, async () => {
  const host = 'new.test'
  stand.origin.on(host, '/page', page('old'))
  await stand.getHit(host, '/page', BROWSER)
  stand.origin.on(host, '/page', page('new'))
  assert.deepEqual(await refresh(host, ['/page']), { pending: 0, done: 1, failed: 0 })
  assert.equal(stand.origin.requests(host, '/page').length, 2)
  await sleep(LAG_SECONDS * 1000)
  await assertWarm(host, '/page', 'new')
})

it('refresh is forwarded like the first request of a browser', LIMIT, async () => {
  const host = 'asks.test'
  stand.origin.on(host, '/?a=1&b=2', page('page'))
  assert.equal((await refresh(host, ['/?utm_source=mail&b=2&a=1'])).done, 1)
  const [request, ...more] = stand.origin.requests(host)
  assert.deepEqual(more, [])
  assert.equal(request.field('accept-encoding'), 'br, gzip, zstd')
  for (const name of ['cookie', 'authorization', 'if-none-match', 'range']) assert.equal(request.field(name), undefined)
  await assertWarm(host, '/?a=1&b=2', 'page')
})

it('refresh revalidates an unchanged page', LIMIT, async () => {
  const host = 'same.test'
  stand.origin.on(host, '/page', page('same', ['ETag', '"1"']))
  await stand.getHit(host, '/page', BROWSER)
  assert.equal((await refresh(host, ['/page'])).done, 1)
  assert.equal(stand.origin.requests(host).at(-1).field('if-none-match'), '"1"')
  await assertWarm(host, '/page', 'same')
})

it('refresh stores bodies byte for byte, short and long', LIMIT, async () => {
  const host = 'bytes.test'
  const bodies = { '/short': 'short '.repeat(100), '/long': Array.from({ length: 200_000 }, (_, i) => i).join(' ') }
  for (const [path, text] of Object.entries(bodies)) stand.origin.on(host, path, page(gzipSync(text), ['Content-Encoding', 'gzip']))
  stand.origin.on(host, '/unknown-length', { ...page(bodies['/long']), chunked: true })
  assert.equal((await refresh(host, ['/short', '/long', '/unknown-length'])).done, 3)
  for (const [path, text] of Object.entries(bodies)) await assertWarm(host, path, gzipSync(text))
  await assertWarm(host, '/unknown-length', bodies['/long'])
})

it('refresh fetches only the variant for browsers', LIMIT, async () => {
  const host = 'vary.test'
  let version = 'old'
  stand.origin.on(host, '/page', (request, response) => {
    const head = { 'Cache-Control': 'max-age=600, stale-while-revalidate=60', Vary: 'Accept-Encoding' }
    response.writeHead(200, head).end(`${version} for ${request.field('accept-encoding')}`)
  })
  for (const fields of [[], BROWSER]) await stand.getHit(host, '/page', fields)
  version = 'new'
  assert.equal((await refresh(host, ['/page'])).done, 1)
  await assertWarm(host, '/page', 'new for br, gzip, zstd')
  // The other variant is stale, and refreshed by its next request.
  await sleep(LAG_SECONDS * 1000)
  assert.equal((await stand.get(host, '/page')).text, 'old for identity')
})

it('refresh uses the scheme of the ordered URL', LIMIT, async () => {
  const host = 'scheme.test'
  stand.origin.on(host, '/page', page('page'))
  assert.equal((await refresh(host, ['/page'], { scheme: 'https' })).done, 1)
  assert.equal(stand.origin.requests(host)[0].field('x-forwarded-proto'), 'https')
})

it('refresh fetches at most four pages at a time, and four in 800 ms', LIMIT, async () => {
  const host = 'pace.test'
  const began = []
  let busy = 0
  let busiest = 0
  stand.origin.on(host, '*', async (request, response) => {
    began.push(Date.now())
    busy += 1
    busiest = Math.max(busiest, busy)
    await sleep(100)
    busy -= 1
    response.writeHead(200, { 'Cache-Control': 'max-age=600' }).end('page')
  })
  const paths = Array.from({ length: 24 }, (_, i) => `/${i}`)
  assert.equal((await refresh(host, paths, { milliseconds: 20_000 })).done, 24)
  assert.equal(began.length, 24)
  assert.ok(busiest <= 4, `${busiest} at a time`)
  // Four in 800 ms: the eighth page after another is two rounds later, give or take the time of the requests.
  for (const [at, time] of began.slice(8).entries()) {
    assert.ok(time - began[at] >= 1_400, `page ${at + 9} came ${time - began[at]} ms after page ${at + 1}`)
  }
})

it('refresh retries a failed fetch, and reports the failure', LIMIT, async () => {
  const host = 'again.test'
  let requestCount = 0
  stand.origin.on(host, '/page', (request, response) => {
    requestCount += 1
    if (requestCount === 1) return response.writeHead(503).end('busy')
    if (requestCount === 2) return response.socket.destroy()
    response.writeHead(200, { 'Cache-Control': 'max-age=600' }).end('page')
  })
  const status = await refresh(host, ['/page'], { milliseconds: 30_000 })
  assert.deepEqual(status, { pending: 0, done: 1, failed: 0, problem: 'the origin gave no answer' })
  await assertWarm(host, '/page', 'page')
})

for (const [name, length, problem] of [['short', 1_000, /^origin: it broke off its answer$/], ['longer', 20_000, /^body: /]]) {
  it(`refresh retries a fetch with a truncated ${name} body`, LIMIT, async () => {
    const host = `cut-${name}.test`
    stand.origin.on(host, '/page', { ...page('x'.repeat(length)), cut: true })
    const id = stand.newId()
    await stand.purge(host, { files: [`http://${host}/page`], soft: true, refresh: true }, { id })
    await sleep(1_500)
    const { refresh: status } = await stand.orderStatus(id)
    assert.deepEqual([status.pending, status.done], [1, 0], JSON.stringify(status))
    assert.match(status.problem, problem)
    stand.origin.on(host, '/page', page('whole'))
    assert.equal((await stand.whenWorkDone(id, 15_000)).refresh.done, 1)
    await assertWarm(host, '/page', 'whole')
  })
}

it('refresh reports why a page cannot be stored', LIMIT, async () => {
  const host = 'refused.test'
  stand.origin.on(host, '*', page('page'))
  stand.origin.on(host, '/private', { status: 200, fields: [['Cache-Control', 'private']], body: 'mine' })
  for (const [path, problem] of [
    ['/no-kv', 'its rule says kv = false'],
    ['/no-cache', 'it is not cached: rule'],
    ['/private', 'origin: status 200; not kept in KV: private'],
    ['/.edgekeep/purge', "it is an address of Edgekeep's own"],
  ]) {
    assert.deepEqual(await refresh(host, [path]), { pending: 0, done: 0, failed: 1, problem }, path)
  }
})

it('refresh does not delay the receipt of another order', LIMIT, async () => {
  const host = 'meanwhile.test'
  stand.origin.on(host, '*', { ...page('page'), slow: 1 })
  const id = stand.newId()
  await stand.purge(host, { files: ['/1', '/2', '/3', '/4', '/5'].map((path) => `http://${host}${path}`), soft: true, refresh: true }, { id })
  await sleep(300)
  const began = Date.now()
  assert.equal((await stand.purge(host, { tags: ['meanwhile'] })).status, 200)
  assert.ok(Date.now() - began < 700, `${Date.now() - began} ms`)
  assert.equal((await stand.whenWorkDone(id)).refresh.done, 5)
})
