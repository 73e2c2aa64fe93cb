// Why a page was a hit or not: the endpoint that explains a URL, and the field by which an administrator has a request
// explain itself. Neither asks the origin, nor writes; a token that proves nothing changes nothing.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { SECRET, Stand, signed } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const TOKEN = `token_${'0123456789abcdef'.repeat(2)}`
const READER = `token_${'fedcba9876543210'.repeat(2)}`
const EDITOR = `token_${'00112233445566778899'.repeat(2)}`
const LIMIT = { timeout: 60_000 }

const rules = {
  keys: [
    { name: 'reader', secret: 'READER_SECRETS', may: {}, admin: true },
    { name: 'editor', secret: 'EDITOR_SECRETS' },
  ],
  rules: [
    { host: 'pass.test', cache: false },
    { host: 'whole.test', forward_headers: ['*'] },
    { host: '*', kv: true, stale_while_revalidate: 30 },
  ],
}
const vars = { READER_SECRETS: READER, EDITOR_SECRETS: EDITOR }
const FIELDS = [['Cache-Control', 'max-age=600'], ['ETag', '"v1"'], ['Cache-Tag', 'a1,b2'], ['Vary', 'Accept-Language']]

let stand
before(async () => { stand = await Stand.start({ rules, vars, secrets: `${SECRET} ${TOKEN}` }) })
after(() => stand?.stop())

const bearer = (token) => ['Authorization', `Bearer ${token}`]

/** Asks about a path of a host; `headers` are assumed of the request. */
function ask(host, path, { headers = [], fields = [bearer(TOKEN)], method = 'GET' } = {}) {
  const query = new URLSearchParams([['url', `http://${host}${path}`], ...headers.map((header) => ['header', header])])
  return stand.send({ host, method, path: `/.edgekeep/explain?${query}`, fields })
}

async function explained(host, path, options) {
  const answer = await ask(host, path, options)
  assert.equal(answer.status, 200, String(answer))
  assert.equal(answer.field('cache-control'), 'no-store')
  return JSON.parse(answer.text)
}

const copies = (explanation, tier) => explanation.tiers.find((of) => of.tier === tier).copies

/** Has a page in the Cache API and in KV. */
async function stored(host, path = '/page') {
  stand.origin.on(host, path, { status: 200, fields: FIELDS, body: 'page' })
  await stand.getHit(host, path)
  assert.ok(await until(async () => (await stand.inKv(host)).length > 0, 3_000, 50), 'nothing in KV')
}

describe('GET /.edgekeep/explain', LIMIT, () => {
  it('shows the copies of each tier, and what a client would get', async () => {
    const host = 'tiers.test'
    await stored(host)
    const told = await explained(host, '/page')
    assert.equal(told.expected.result, 'hit', JSON.stringify(told))
    assert.match(told.expected.cache_status, /^edgekeep; hit; ttl=\d+; detail=(memory|cache-api)$/)
    for (const tier of ['cache-api', 'kv']) {
      const [copy] = copies(told, tier)
      assert.equal(copy.verdict, 'fresh')
      assert.equal(copy.lifetime, 600)
      assert.equal(copy.stale_while_revalidate, 30)
      assert.equal(copy.etag, '"v1"')
      assert.deepEqual(copy.tags, ['a1', 'b2'])
      assert.equal(copy.purge, null)
    }
    assert.equal(told.rule.name, 'rules[2], *')
    assert.deepEqual(told.rule.settings.find(({ name }) => name === 'kv'), { name: 'kv', value: true, from: 'rules[2], *' })
    assert.equal(told.key.text, `http://${host}/page`)
    const other = await explained(host, '/page', { headers: ['Accept-Language: fr'] })
    assert.equal(other.expected.cache_status, 'edgekeep; fwd=vary-miss')
    assert.deepEqual(other.vary, { 'accept-language': 'fr' })
  })

  it('names the purge that applies', async () => {
    const host = 'purged.test'
    await stored(host)
    const receipt = JSON.parse((await stand.purge(host, { tags: ['a1'] })).text)
    const told = await explained(host, '/page')
    assert.equal(told.expected.cache_status, 'edgekeep; fwd=uri-miss; detail=purged')
    assert.deepEqual(copies(told, 'cache-api')[0].purge, { effect: 'hard', sequence: receipt.sequence, by: 'tag:a1' })
    assert.ok(copies(told, 'cache-api')[0].filled_under < receipt.sequence)
  })

  it('never asks the origin, and writes nothing', async () => {
    const host = 'unwritten.test'
    stand.origin.on(host, '/page', { status: 200, fields: FIELDS, body: 'page' })
    for (let n = 0; n < 3; n++) assert.equal((await explained(host, '/page')).expected.cache_status, 'edgekeep; fwd=uri-miss')
    await sleep(1_500) // longer than the purge index is current
    assert.equal((await explained(host, '/page')).purge_index.state, 'current')
    await sleep(250)
    assert.equal(stand.origin.requests(host).length, 0)
    assert.equal((await stand.inKv(host)).length, 0)
    const first = await stand.get(host, '/page')
    assert.equal(first.cache.get('fwd'), 'uri-miss', String(first))
    // Only in KV: an explanation does not copy it to the Cache API.
    await stored(host)
    await stand.evict(host)
    for (let n = 0; n < 2; n++) {
      const told = await explained(host, '/page', { headers: ['X-N: 1'] })
      assert.deepEqual(copies(told, 'cache-api'), [])
      assert.equal(copies(told, 'kv')[0].verdict, 'fresh')
      await sleep(250)
    }
    assert.equal(stand.origin.requests(host).length, 1)
  })

  it('is for administrators', async () => {
    const host = 'who.test'
    for (const [fields, status] of [[[bearer(READER)], 200], [[bearer(EDITOR)], 403], [[bearer(`${TOKEN}x`)], 401], [[], 401]]) {
      const answer = await ask(host, '/', { fields })
      assert.equal(answer.status, status, String(answer))
    }
    const query = `url=${encodeURIComponent(`http://${host}/`)}`
    const proof = signed(`GET ${host}/.edgekeep/explain?${query}`, { id: stand.newId() })
    const answer = await stand.send({ host, path: `/.edgekeep/explain?${query}`, fields: proof })
    assert.equal(answer.status, 200, String(answer))
    assert.equal((await ask(host, '/', { method: 'POST' })).status, 405)
  })

  it('refuses bad questions with 400', async () => {
    const host = 'bad.test'
    const many = Array.from({ length: 65 }, (_, n) => `header=X-${n}:1`).join('&')
    for (const query of ['', 'url=', 'url=/page', 'url=http%3A%2F%2Fother.test%2F', 'url=%ff', `url=http://${host}/&header=X`, `url=http://${host}/&header=X:%0a`,
      `url=http://${host}/&${many}`, `url=http://${host}/&x=1`]) {
      const answer = await stand.send({ host, path: `/.edgekeep/explain?${query}`, fields: [bearer(TOKEN)] })
      assert.equal(answer.status, 400, `${query.slice(0, 80)}: ${answer}`)
      assert.match(answer.text, /Question not understood/)
    }
    const long = await stand.send({ host, path: `/.edgekeep/explain?url=http://${host}/&header=X:${'x'.repeat(10_000)}`, fields: [bearer(TOKEN)] })
    assert.equal(long.status, 200, String(long))
  })
})

describe('Edgekeep-Debug', LIMIT, () => {
  const debug = (token) => ['Edgekeep-Debug', token]
  const told = (answer) => JSON.parse(answer.field('edgekeep-debug'))

  it('explains a hit, a miss and a pass, and gives the tags', async () => {
    const host = 'debug.test'
    stand.origin.on(host, '/page', { status: 200, fields: FIELDS, body: 'page' })
    const miss = await stand.get(host, '/page', [debug(TOKEN)])
    assert.equal(told(miss).expected.cache_status, 'edgekeep; fwd=uri-miss')
    assert.equal(miss.field('edgekeep-tags'), undefined)
    await stored(host)
    for (const token of [TOKEN, READER]) {
      const hit = await stand.get(host, '/page', [debug(token)])
      assert.equal(hit.text, 'page')
      assert.ok(hit.hit, String(hit))
      assert.equal(told(hit).expected.cache_status, hit.field('cache-status'))
      assert.equal(hit.field('edgekeep-tags'), 'a1,b2')
      assert.equal(hit.field('cache-control'), 'max-age=600')
      assert.match(hit.field('vary'), /\*/)
      assert.ok(hit.field('edgekeep-debug').length <= 4096)
    }
    stand.origin.on('pass.test', '/page', { status: 200, fields: FIELDS, body: 'page' })
    const pass = await stand.get('pass.test', '/page', [debug(TOKEN)])
    assert.deepEqual([told(pass).expected.result, told(pass).expected.reason], ['pass', 'rule'])
  })

  it('reaches no origin and is stored nowhere', async () => {
    for (const [host, request] of [['debug-a.test', {}], ['pass.test', {}], ['whole.test', {}], ['debug-a.test', { method: 'POST', body: 'x' }]]) {
      for (const [n, token] of [TOKEN, EDITOR, 'nonsense'].entries()) {
        const path = `/sent?${n}`
        stand.origin.on(host, path, { status: 200, fields: FIELDS, body: 'page' })
        await stand.send({ host, path, fields: [debug(token)], ...request })
      }
      const requests = stand.origin.requests(host)
      assert.ok(requests.length > 0)
      for (const request of requests) assert.equal(request.field('edgekeep-debug'), undefined, host)
    }
    await sleep(250)
    for (const host of ['debug-a.test', 'whole.test']) {
      for (const { text } of await stand.inKv(host)) assert.doesNotMatch(text, /edgekeep-debug|edgekeep-tags|token_/i)
    }
    for (const line of stand.raw) assert.ok(!line.includes(TOKEN), line)
    const plain = await stand.getHit('debug-a.test', '/sent?0')
    assert.equal(plain.field('edgekeep-debug'), undefined)
    assert.equal(plain.field('edgekeep-tags'), undefined)
  })

  it('with a wrong token changes nothing', async () => {
    const host = 'wrong.test'
    await stored(host)
    const shape = (answer) => [answer.status, answer.text, ...answer.fields
      .map(([name, value]) => `${name.toLowerCase()}: ${value.replace(/ttl=\d+/, 'ttl=N').replace(/detail=(memory|cache-api)/, 'detail=T')}`)
      .filter((line) => !/^(date|age|content-type|cf-|x-stamp)/.test(line))].sort()
    const plain = await stand.get(host, '/page')
    for (const token of [EDITOR, TOKEN.slice(0, -1), `${TOKEN}x`, SECRET, 'x'.repeat(5_000), '']) {
      const answer = await stand.get(host, '/page', [debug(token)])
      assert.deepEqual(shape(answer), shape(plain), token.slice(0, 40))
    }
    assert.equal(stand.origin.requests(host).length, 1)
  })
})
