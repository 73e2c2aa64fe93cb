// Purge, then warm: a soft order with `refresh` fetches its URLs again under the ledger's alarm, so that KV holds the new
// page before anybody asks for it.

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

/** Orders a refresh of these pages and waits until it is done, or given up; gives what the history says of it. */
async function refresh(host, paths, { scheme = 'http', milliseconds } = {}) {
  const id = stand.newId()
  const files = paths.map((path) => `${scheme}://${host}${path}`)
  const answer = await stand.purge(host, { files, soft: true, refresh: true }, { id })
  assert.equal(answer.status, 200, String(answer))
  const { receipt, refresh } = await stand.worked(id, milliseconds)
  assert.equal(receipt.refresh, paths.length)
  return refresh
}

/** The page as another data centre finds it: in KV, fresh, and without a word to the origin. */
async function assertWarm(host, path, body, fields = BROWSER) {
  await stand.evict(host)
  const asked = stand.origin.requests(host).length
  const answer = await stand.get(host, path, fields, { at: 'b' })
  const message = `${answer}\n${stand.about(host)}`
  assert.deepEqual(answer.body, Buffer.from(body), message)
  assert.ok(answer.hit && answer.cache.get('detail') === 'kv' && Number(answer.cache.get('ttl')) > 0, message)
  assert.equal(stand.origin.requests(host).length, asked, message)
}

it('puts the new page into KV before anybody asks', LIMIT, async () => {
  const host = 'new.test'
  stand.origin.on(host, '/page', page('old'))
  await stand.getHit(host, '/page', BROWSER)
  stand.origin.on(host, '/page', page('new'))
  assert.deepEqual(await refresh(host, ['/page']), { pending: 0, done: 1, failed: 0 })
  assert.equal(stand.origin.requests(host, '/page').length, 2)
  await sleep(LAG_SECONDS * 1000)
  await assertWarm(host, '/page', 'new')
})

it('asks as a first visit of a browser would', LIMIT, async () => {
  const host = 'asks.test'
  stand.origin.on(host, '/?a=1&b=2', page('page'))
  assert.equal((await refresh(host, ['/?utm_source=mail&b=2&a=1'])).done, 1)
  const [request, ...more] = stand.origin.requests(host)
  assert.deepEqual(more, [])
  assert.equal(request.field('accept-encoding'), 'br, gzip, zstd')
  for (const name of ['cookie', 'authorization', 'if-none-match', 'range']) assert.equal(request.field(name), undefined)
  await assertWarm(host, '/?a=1&b=2', 'page')
})

it('confirms what has not changed', LIMIT, async () => {
  const host = 'same.test'
  stand.origin.on(host, '/page', page('same', ['ETag', '"1"']))
  await stand.getHit(host, '/page', BROWSER)
  assert.equal((await refresh(host, ['/page'])).done, 1)
  assert.equal(stand.origin.requests(host).at(-1).field('if-none-match'), '"1"')
  await assertWarm(host, '/page', 'same')
})

it('keeps bodies byte for byte, short and long', LIMIT, async () => {
  const host = 'bytes.test'
  const bodies = { '/short': 'short '.repeat(100), '/long': Array.from({ length: 200_000 }, (_, i) => i).join(' ') }
  for (const [path, text] of Object.entries(bodies)) stand.origin.on(host, path, page(gzipSync(text), ['Content-Encoding', 'gzip']))
  stand.origin.on(host, '/unknown-length', { ...page(bodies['/long']), chunked: true })
  assert.equal((await refresh(host, ['/short', '/long', '/unknown-length'])).done, 3)
  for (const [path, text] of Object.entries(bodies)) await assertWarm(host, path, gzipSync(text))
  await assertWarm(host, '/unknown-length', bodies['/long'])
})

it("refreshes the browsers' variant", LIMIT, async () => {
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
  // The other one is stale, and refreshed when somebody wants it.
  await sleep(LAG_SECONDS * 1000)
  assert.equal((await stand.get(host, '/page')).text, 'old for identity')
})

it('does so over the scheme that was named', LIMIT, async () => {
  const host = 'scheme.test'
  stand.origin.on(host, '/page', page('page'))
  assert.equal((await refresh(host, ['/page'], { scheme: 'https' })).done, 1)
  assert.equal(stand.origin.requests(host)[0].field('x-forwarded-proto'), 'https')
})

it('keeps a pace that an origin can bear', LIMIT, async () => {
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
  // Four in 800 ms: eight further on is two rounds later, give or take how long they were on their way.
  for (const [at, time] of began.slice(8).entries()) {
    assert.ok(time - began[at] >= 1_400, `the ${at + 9}th ${time - began[at]} ms after the ${at + 1}th`)
  }
})

it('tries again what fails at first, and says so', LIMIT, async () => {
  const host = 'again.test'
  let asked = 0
  stand.origin.on(host, '/page', (request, response) => {
    asked += 1
    if (asked === 1) return response.writeHead(503).end('busy')
    if (asked === 2) return response.socket.destroy()
    response.writeHead(200, { 'Cache-Control': 'max-age=600' }).end('page')
  })
  const told = await refresh(host, ['/page'], { milliseconds: 30_000 })
  assert.deepEqual(told, { pending: 0, done: 1, failed: 0, problem: 'the origin gave no answer' })
  await assertWarm(host, '/page', 'page')
})

for (const [name, length, problem] of [['short', 1_000, /^origin: it broke off its answer$/], ['longer', 20_000, /^body: /]]) {
  it(`tries again when a ${name} body breaks off`, LIMIT, async () => {
    const host = `cut-${name}.test`
    stand.origin.on(host, '/page', { ...page('x'.repeat(length)), cut: true })
    const id = stand.newId()
    await stand.purge(host, { files: [`http://${host}/page`], soft: true, refresh: true }, { id })
    await sleep(1_500)
    const { refresh: told } = await stand.told(id)
    assert.deepEqual([told.pending, told.done], [1, 0], JSON.stringify(told))
    assert.match(told.problem, problem)
    stand.origin.on(host, '/page', page('whole'))
    assert.equal((await stand.worked(id, 15_000)).refresh.done, 1)
    await assertWarm(host, '/page', 'whole')
  })
}

it('says why a page cannot be warmed', LIMIT, async () => {
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

it('lets the ledger answer meanwhile', LIMIT, async () => {
  const host = 'meanwhile.test'
  stand.origin.on(host, '*', { ...page('page'), slow: 1 })
  const id = stand.newId()
  await stand.purge(host, { files: ['/1', '/2', '/3', '/4', '/5'].map((path) => `http://${host}${path}`), soft: true, refresh: true }, { id })
  await sleep(300)
  const began = Date.now()
  assert.equal((await stand.purge(host, { tags: ['meanwhile'] })).status, 200)
  assert.ok(Date.now() - began < 700, `${Date.now() - began} ms`)
  assert.equal((await stand.worked(id)).refresh.done, 5)
})
