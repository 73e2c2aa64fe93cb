// Warming in workerd: by a call and by the cron trigger, from lists and sitemaps, until KV has the pages.

import { after, before, it } from 'node:test'
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { token } from './secrets.mjs'
import { SECRET, Stand, signed } from './stand.mjs'

const LIMIT = { timeout: 60_000 }
const BROWSER = [['Accept-Encoding', 'gzip, deflate, br, zstd']]
const WARM_PATH = '/.edgekeep/warm'
const MAX_BYTES = 8 * 1024 * 1024
const page = (body, ...fields) => ({ status: 200, fields: [['Cache-Control', 'max-age=600'], ...fields], body })
const xml = (body, more = {}) => ({ status: 200, fields: [['Content-Type', 'application/xml']], body, ...more })
const urlset = (urls) => `<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${urls.map((url) => `<url><loc>${url}</loc></url>`).join('')}</urlset>`

let stand
before(async () => {
  const warm = { urls: ['http://cron.test/first'], sitemaps: ['http://cron.test/sitemap.xml', 'http://cron.test/gone.xml'], limit: 3 }
  stand = await Stand.start({ workers: ['a', 'b'], rules: { warm }, secrets: `${SECRET} ${token('warm')}` })
})
after(() => stand?.stop())

/** Sends a signed order to warm pages. */
async function warm(host, order, id = stand.newId()) {
  const text = JSON.stringify(order)
  const answer = await stand.send({ host, method: 'POST', path: WARM_PATH, fields: signed(text, { id }), body: text })
  return { id, answer, json: JSON.parse(answer.text) }
}

/** Asserts that all pages are done. `problem` is ignored: on a busy computer the origin may have been late at first. */
function assertDone({ pending, done, failed }, pages) {
  assert.deepEqual({ pending, done, failed }, { pending: 0, done: pages, failed: 0 })
}

/** Asserts that another data centre serves the page fresh from KV, without the origin. */
async function assertWarm(host, path, body) {
  await stand.evict(host)
  const requestCount = stand.origin.requests(host, path).length
  const answer = await stand.get(host, path, BROWSER, { at: 'b' })
  const message = `${answer}\n${stand.about(host)}`
  assert.equal(answer.text, body, message)
  assert.ok(answer.hit && answer.cache.get('detail') === 'kv' && Number(answer.cache.get('ttl')) > 0, message)
  assert.equal(stand.origin.requests(host, path).length, requestCount, message)
}

it('warming stores the pages of a list and a sitemap in KV', LIMIT, async () => {
  const host = 'list.test'
  for (const path of ['/a', '/b', '/c']) stand.origin.on(host, path, page(`page ${path}`))
  stand.origin.on(host, '/sitemap.xml', xml(urlset([`http://${host}/b`, `http://${host}/c`])))
  const { id, answer, json } = await warm(host, { urls: [`http://${host}/a`], sitemaps: [`http://${host}/sitemap.xml`] })
  assert.equal(answer.status, 200, String(answer))
  assert.equal(json.id, id)
  assert.equal(json.via, 'webhook')
  assert.deepEqual(json.refresh, { pending: 3, done: 0, failed: 0 })
  assertDone((await stand.whenWorkDone(id)).refresh, 3)
  for (const path of ['/a', '/b', '/c']) await assertWarm(host, path, `page ${path}`)
  const [request] = stand.origin.requests(host, '/sitemap.xml')
  assert.equal(request.field('accept-encoding'), 'identity')
  assert.match(request.field('user-agent'), /^Edgekeep\//)
  // Warming purges nothing: a fresh page is not fetched again.
  const requestCount = stand.origin.requests(host, '/a').length
  const again = await warm(host, { urls: [`http://${host}/a`] })
  assert.equal((await stand.whenWorkDone(again.id)).refresh.done, 1)
  assert.equal(stand.origin.requests(host, '/a').length, requestCount)
})

it('cron trigger warms the pages of the settings once per run', LIMIT, async () => {
  const host = 'cron.test'
  stand.origin.on(host, '*', page('page'))
  stand.origin.on(host, '/gone.xml', { status: 404, fields: [], body: '' })
  stand.origin.on(host, '/sitemap.xml', xml(urlset(['/1', '/2', '/3', '/4'].map((path) => `http://${host}${path}`))))
  const worker = await stand.worker.mf.getWorker('a')
  const scheduledTime = new Date('2026-11-26T09:00:00Z')
  const id = 'cron 2026-11-26T09:00:00Z'
  assert.equal((await worker.scheduled({ scheduledTime, cron: '0 * * * *' })).outcome, 'ok')
  const { receipt, refresh } = await stand.whenWorkDone(id)
  assert.deepEqual([receipt.key, receipt.via], ['cron trigger', 'cron'])
  assertDone(refresh, 3)
  for (const path of ['/first', '/1', '/2']) await assertWarm(host, path, 'page')
  assert.equal(stand.origin.requests(host, '/3').length, 0)
  const line = stand.log.find((line) => line.event === 'warm' && line.notes.some((note) => note.includes('(cron)')))
  assert.equal(line.status, 200)
  assert.ok(line.notes.includes('warm.sitemaps[1]: origin: status 404'), JSON.stringify(line))
  // The same run again, in another isolate.
  await (await stand.worker.mf.getWorker('b')).scheduled({ scheduledTime, cron: '0 * * * *' })
  assert.equal(stand.origin.requests(host, '/sitemap.xml').length, 1)
  assert.equal((await stand.orderStatus(id)).receipt.sequence, receipt.sequence)
})

it('warming refuses sitemaps that are compressed by Content-Encoding or as a file', LIMIT, async () => {
  const host = 'gzip.test'
  const bytes = gzipSync(urlset([`http://${host}/a`]))
  stand.origin.on(host, '/coded.xml', xml(bytes, { fields: [['Content-Encoding', 'gzip']] }))
  stand.origin.on(host, '/sitemap.xml.gz', xml(bytes))
  const sitemaps = [`http://${host}/coded.xml`, `http://${host}/sitemap.xml.gz`]
  const { answer, json } = await warm(host, { sitemaps })
  assert.equal(answer.status, 502)
  assert.match(json.errors[0].detail, /^the origin sends it as gzip /)
  assert.match(json.errors[1].detail, /^it is compressed; /)
})

it('warming accepts the calls of docs/warming.md', LIMIT, async (t) => {
  if (spawnSync('curl', ['--version']).error) return t.skip('curl is not installed')
  const text = readFileSync(new URL('../../docs/warming.md', import.meta.url), 'utf8')
  const [, code] = /## Warm without a purge\n[^]*?```sh\n([^]*?)```/.exec(text)
  const site = stand.worker.url()
  const { host } = new URL(site)
  stand.origin.on(host, '*', page('page'))
  stand.origin.on(host, '/sitemap.xml', xml(urlset([`${site}/`, `${site}/a`])))
  const filled = code.replaceAll('token_…', token('warm')).replaceAll('https://www.example.com', site)
  const [names, dry, order, status] = filled.trim().split('\n')
  const call = async (line) => JSON.parse(await shell(`${names}\n${line}`))
  assert.deepEqual((await call(dry)).refresh, [`${site}/`, `${site}/a`])
  const receipt = await call(order)
  assert.equal(receipt.refresh.pending, 2)
  await stand.whenWorkDone(receipt.id)
  assertDone((await call(status.replace('order-…', receipt.id))).refresh, 2)
})

// The last test: its order keeps the ledger busy for half an hour.
it('warming reads sitemaps up to their size limit', LIMIT, async () => {
  const host = 'long.test'
  const entry = (n) => `<url><loc>http://${host}/${String(n).padStart(90, '0')}</loc><lastmod>2026-01-01</lastmod></url>`
  const body = `<urlset>${Array.from({ length: 50_000 }, (_, n) => entry(n)).join('')}</urlset>`
  assert.ok(body.length > 7_000_000 && body.length <= MAX_BYTES, `${body.length}`)
  for (const chunked of [false, true]) {
    stand.origin.on(host, '/whole.xml', xml(body, { chunked }))
    const { answer, json } = await warm(host, { sitemaps: [`http://${host}/whole.xml`], limit: 7000, dry_run: true })
    assert.equal(answer.status, 200, String(answer))
    assert.deepEqual([json.pages, json.skipped.beyond_limit], [7000, 43_000])
    stand.origin.on(host, '/longer.xml', xml(body.padEnd(MAX_BYTES + 1), { chunked }))
    const longer = await warm(host, { sitemaps: [`http://${host}/longer.xml`] })
    assert.equal(longer.answer.status, 502, String(longer.answer))
    assert.equal(longer.json.errors[0].detail, `it has more than ${MAX_BYTES} bytes; split it`)
  }
  // The ledger accepts up to its limit of pending pages in one order.
  const { id, json } = await warm(host, { sitemaps: [`http://${host}/whole.xml`], limit: 10_000 })
  assert.ok(json.refresh.pending > 8000, JSON.stringify(json))
  assert.equal((await stand.orderStatus(id)).receipt.refresh, json.refresh.pending)
  // Refreshes of a purge are done before pending warming.
  stand.origin.on(host, '/page', page('page'))
  const purge = stand.newId()
  await stand.purge(host, { files: [`http://${host}/page`], soft: true, refresh: true }, { id: purge })
  assertDone((await stand.whenWorkDone(purge)).refresh, 1)
  assert.ok((await stand.orderStatus(id)).refresh.pending > 7000)
})

/** Runs a script without blocking the stand; returns its output. */
function shell(script) {
  return new Promise((resolve, reject) => {
    execFile('sh', ['-c', script], (error, stdout, stderr) => (error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout)))
  })
}
