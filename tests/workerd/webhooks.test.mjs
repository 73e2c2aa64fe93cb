// Purge orders signed by the public npm library `standardwebhooks`, and invalid orders of every kind.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { FOREIGN_SECRET, LAG_SECONDS, PURGE_PATH, SECOND_SECRET, SECRET, Stand, signed } from './stand.mjs'
import { sleep } from './wire.mjs'

const LIMIT_BYTES = 131_072
const PAGE = { status: 200, fields: [['Cache-Control', 'max-age=600'], ['Cache-Tag', 'webhooks-page']], body: 'page' }

/** The order that would purge the page, if it were accepted. */
const order = (host) => JSON.stringify({ files: [`https://${host}/page`] })

describe('valid order', () => {
  let stand
  before(async () => { stand = await Stand.start({ secrets: `${SECRET} ${SECOND_SECRET}` }) })
  after(() => stand?.stop())

  it('is accepted with either of two secrets', async () => {
    for (const secret of [SECRET, SECOND_SECRET]) {
      const answer = await stand.purge('rotation.test', order('rotation.test'), { secret })
      assert.equal(answer.status, 200, String(answer))
    }
  })

  it('is accepted when one of several signatures is valid', async () => {
    const text = order('several.test')
    const fields = signed(text, { id: stand.newId() })
    const wrong = signed(text, { id: stand.newId(), secret: FOREIGN_SECRET }).at(-1)[1]
    fields.at(-1)[1] = `v2,AAAA ${wrong} ${fields.at(-1)[1]}`
    const answer = await stand.send({ host: 'several.test', method: 'POST', path: PURGE_PATH, fields, body: text })
    assert.equal(answer.status, 200, String(answer))
  })

  it('is accepted at the largest size', async () => {
    const answer = await stand.purge('large.test', order('large.test').padEnd(LIMIT_BYTES))
    assert.equal(answer.status, 200, String(answer))
  })

  it('gets a receipt', async () => {
    const id = stand.newId()
    const answer = await stand.purge('receipt.test', { files: ['https://receipt.test/a'], tags: ['receipt-tag'] }, { id })
    assert.equal(answer.status, 200, String(answer))
    assert.match(answer.field('content-type'), /^application\/json/)
    const receipt = JSON.parse(answer.text)
    assert.equal(receipt.id, id)
    assert.ok(Number.isInteger(receipt.sequence) && receipt.sequence > 0, answer.text)
    assert.deepEqual(receipt.hard, ['url:receipt.test/a', 'tag:receipt-tag'])
    assert.deepEqual([receipt.soft, receipt.key, receipt.via], [[], 'default', 'webhook'])
    assert.deepEqual(Object.keys(receipt).sort(), ['hard', 'id', 'in_force_at', 'key', 'received_at', 'sequence', 'soft', 'via'])
    const [received, inForce] = [receipt.received_at, receipt.in_force_at].map((time) => Date.parse(time))
    // The time from which the order is in force is rounded up to a whole second.
    assert.ok(inForce - received >= LAG_SECONDS * 1000 && inForce - received <= (LAG_SECONDS + 1) * 1000, answer.text)
    assert.ok(Math.abs(received - Date.now()) < 5_000, answer.text)
  })

  it('has a larger sequence number than the one before', async () => {
    const numbers = []
    for (let i = 0; i < 3; i++) numbers.push(JSON.parse((await stand.purge('n.test', order('n.test'))).text).sequence)
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b))
    assert.equal(new Set(numbers).size, 3)
  })

  it('gets the same receipt when it is repeated with a new timestamp', async () => {
    const id = stand.newId()
    const first = await stand.purge('again.test', order('again.test'), { id })
    const again = await stand.purge('again.test', order('again.test'), { id, time: new Date(Date.now() + 2_000) })
    assert.equal(again.status, 200, String(again))
    assert.equal(again.text, first.text)
  })

  it('is refused when its id was used for another order', async () => {
    const id = stand.newId()
    await stand.purge('conflict.test', order('conflict.test'), { id })
    const answer = await stand.purge('conflict.test', { hosts: ['conflict.test'] }, { id })
    assertProblem(answer, 409)
  })
})

describe('selectors', () => {
  let stand
  before(async () => { stand = await Stand.start() })
  after(() => stand?.stop())

  // name, order for a host, purged pages among /a/one, /a/two?x=1, /ab, and (by tag) /tagged
  const kinds = [
    ['files', (host) => ({ files: [`https://${host}/a/one`] }), ['/a/one']],
    ['files with a query', (host) => ({ files: [`https://${host}/a/two?utm_source=mail&x=1`] }), ['/a/two?x=1']],
    ['tags', (host) => ({ tags: [`tag-of-${host}`] }), ['/tagged']],
    ['prefixes', (host) => ({ prefixes: [`${host}/a`] }), ['/a/one', '/a/two?x=1']],
    ['prefixes with a scheme', (host) => ({ prefixes: [`https://${host}/a/`] }), ['/a/one', '/a/two?x=1']],
    ['hosts', (host) => ({ hosts: [host] }), ['/a/one', '/a/two?x=1', '/ab', '/tagged']],
    ['several at once', (host) => ({ files: [`https://${host}/ab`], tags: [`tag-of-${host}`] }), ['/ab', '/tagged']],
  ]
  const pages = ['/a/one', '/a/two?x=1', '/ab', '/tagged']

  for (const soft of [false, true]) {
    it(`${soft ? 'soft' : 'hard'} orders purge exactly the pages that they select`, { timeout: 60_000 }, () =>
      Promise.all(kinds.map(async ([name, makeOrder, purged], index) => {
        const host = `kind-${index}-${soft ? 'soft' : 'hard'}.test`
        await fill(stand, host, pages)
        const answer = await stand.purge(host, { ...makeOrder(host), ...(soft ? { soft } : {}) })
        assert.equal(answer.status, 200, `${name}: ${answer}`)
        assert.equal(JSON.parse(answer.text)[soft ? 'hard' : 'soft'].length, 0, `${name}: ${answer}`)
        await sleep(LAG_SECONDS * 1000 + 300)
        for (const page of pages) await assertPurged(stand, host, page, purged.includes(page) && (soft ? 'soft' : 'hard'), name)
      })))
  }

  it('purge_everything purges every host', { timeout: 30_000 }, async () => {
    const hosts = ['all-1.test', 'all-2.test']
    for (const host of hosts) await fill(stand, host, pages)
    const answer = await stand.purge(hosts[0], { purge_everything: true })
    assert.equal(answer.status, 200, String(answer))
    await sleep(LAG_SECONDS * 1000 + 300)
    for (const host of hosts) for (const page of pages) await assertPurged(stand, host, page, 'hard', 'purge_everything')
  })
})

async function fill(stand, host, pages) {
  for (const page of pages) {
    const tag = page === '/tagged' ? `tag-of-${host}` : `other-${host}`
    const fields = [['Cache-Control', 'max-age=600'], ['Cache-Tag', `${tag}, more`]]
    stand.origin.on(host, page, { status: 200, fields, body: `first ${page}` })
    const answer = await stand.getHit(host, page)
    assert.equal(answer.field('cache-tag'), undefined, 'the client gets Cache-Tag')
    stand.origin.on(host, page, { status: 200, fields, body: `second ${page}` })
  }
}

async function assertPurged(stand, host, page, how, name) {
  const answer = await stand.get(host, page)
  const message = `${name}: ${host}${page}\n${answer}\n${stand.about(host)}`
  if (how) {
    const dead = !answer.hit && answer.text === `second ${page}`
    const stale = how === 'soft' && answer.hit && Number(answer.cache.get('ttl')) <= 0
    assert.ok(dead || stale, `expected ${how}ly purged: ${message}`)
  } else {
    assert.ok(answer.hit && answer.text === `first ${page}` && Number(answer.cache.get('ttl')) > 0, `expected a fresh hit: ${message}`)
  }
}

describe('invalid order', () => {
  let stand
  const host = 'bad.test'
  const valid = order(host)
  const post = (fields, body, more = {}) => stand.send({ host, method: 'POST', path: PURGE_PATH, fields, body, ...more })
  const signedPost = (text, more = {}) => post(signed(text, { id: stand.newId() }), text, more)
  /** Sends the valid order with one of its webhook fields replaced or removed. */
  const postChanged = (name, value) => {
    const fields = signed(valid, { id: stand.newId() })
    const changed = fields.map(([n, v]) => [n, n === name ? (typeof value === 'function' ? value(v) : value) : v])
    return post(changed.filter(([, v]) => v !== undefined), valid)
  }

  before(async () => {
    stand = await Stand.start()
    stand.origin.on(host, '/page', PAGE)
    await stand.getHit(host, '/page')
  })
  after(() => stand?.stop())

  const minutes = (n) => new Date(Date.now() + n * 60_000)
  const unauthenticated = [
    ['forged', () => stand.purge(host, valid, { secret: FOREIGN_SECRET })],
    ['late', () => stand.purge(host, valid, { time: minutes(-6) })],
    ['early', () => stand.purge(host, valid, { time: minutes(6) })],
    ['forged and late', () => stand.purge(host, valid, { secret: FOREIGN_SECRET, time: minutes(-6) })],
    ['signature for another id', () => postChanged('webhook-id', 'msg_other')],
    ['signature for another time', () => postChanged('webhook-timestamp', (v) => String(Number(v) + 1))],
    ['signature for another body', () => post(signed(valid, { id: stand.newId() }), `${valid} `)],
    ['signature of an unknown version', () => postChanged('webhook-signature', (v) => v.replace('v1,', 'v2,'))],
    ['signature without a version', () => postChanged('webhook-signature', (v) => v.slice(3))],
    ['truncated signature', () => postChanged('webhook-signature', (v) => v.slice(0, -8))],
    ['empty signature', () => postChanged('webhook-signature', 'v1,')],
    ['forged order that is not JSON', () => stand.purge(host, 'purge it, please', { secret: FOREIGN_SECRET })],
  ]

  // error, request, field in the problem's detail
  const malformed = [
    ['no webhook fields', () => post([['Content-Type', 'application/json']], valid), 'webhook-id'],
    ['no id', () => postChanged('webhook-id', undefined), 'webhook-id'],
    ['id that is too long', () => postChanged('webhook-id', 'x'.repeat(2_000)), 'webhook-id'],
    ['no timestamp', () => postChanged('webhook-timestamp', undefined), 'webhook-timestamp'],
    ['timestamp that is not a number', () => postChanged('webhook-timestamp', 'yesterday'), 'webhook-timestamp'],
    ['timestamp with a sign', () => postChanged('webhook-timestamp', (v) => `-${v}`), 'webhook-timestamp'],
    ['huge timestamp', () => postChanged('webhook-timestamp', '9'.repeat(40)), 'webhook-timestamp'],
    ['no signature', () => postChanged('webhook-signature', undefined), 'webhook-signature'],
    ['signature that is not base64', () => postChanged('webhook-signature', 'v1,*not*base64*'), 'webhook-signature'],
  ]
  for (const [name, request, field] of malformed) {
    it(`${name}: 400 with ${field} in the detail`, async () => {
      const answer = await request()
      assertProblem(answer, 400, name)
      assert.ok(JSON.parse(answer.text).detail.includes(field), String(answer))
    })
  }

  it('that is not authenticated gets the same 401 for every cause', async () => {
    const bodies = new Map()
    for (const [name, request] of unauthenticated) {
      const answer = await request()
      assertProblem(answer, 401, name)
      bodies.set(answer.text, [...(bodies.get(answer.text) ?? []), name])
    }
    assert.equal(bodies.size, 1, `the bodies differ:\n${[...bodies].map(([body, names]) => `${names.join(', ')}: ${body}`).join('\n')}`)
  })

  const big = valid.padEnd(LIMIT_BYTES + 1)
  const forms = [
    ['too large, with its length', 413, () => signedPost(big)],
    ['too large, without its length', 413, () => post(signed(big, { id: stand.newId() }), undefined, { chunks: [big] })],
    ['too large and unsigned', 413, () => post([], big)],
    ['huge, without its length', 413, () => post([], undefined, { chunks: Array(8).fill('x'.repeat(LIMIT_BYTES)) })],
    ['empty', 400, () => signedPost('')],
    ['malformed JSON', 400, () => signedPost('{"files": [')],
    ['JSON followed by text', 400, () => signedPost(`${valid} and more`)],
    ['not an object', 422, () => signedPost('[]')],
    ['order as a list', 422, () => signedPost('[["https://bad.test/page"], [], [], [], true, false]')],
    ['null', 422, () => signedPost('null')],
    ['deeply nested', 400, () => signedPost('['.repeat(30_000))],
    ['deeply nested in a list', 400, () => signedPost(`{"tags": ${'['.repeat(30_000)}`)],
    ['files of the wrong type', 422, () => signedPost('{"files": "https://bad.test/page"}')],
    ['file of the wrong type', 422, () => signedPost('{"files": [7]}')],
    ['soft of the wrong type', 422, () => signedPost('{"hosts": ["bad.test"], "soft": "yes"}')],
    ['purge_everything of the wrong type', 422, () => signedPost('{"purge_everything": "yes"}')],
    ['unknown field', 422, () => signedPost('{"hosts": ["bad.test"], "dry": true}')],
    ['unknown member of an item', 422, () => signedPost('{"hosts": [{"host": "bad.test", "hard": true}]}')],
    ['refresh without a soft selector', 422, () => signedPost('{"files": ["https://bad.test/page"], "refresh": true}')],
    ['1001 selectors', 422, () => signedPost(JSON.stringify({ tags: Array.from({ length: 1001 }, (_, i) => `t${i}`) }))],
    ['empty order', 422, () => signedPost('{}')],
    ['only empty lists', 422, () => signedPost('{"files": [], "tags": []}')],
    ['purge_everything = false alone', 422, () => signedPost('{"purge_everything": false}')],
    ['file without a host', 422, () => signedPost('{"files": ["/page"]}')],
    ['file of another scheme', 422, () => signedPost('{"files": ["ftp://bad.test/page"]}')],
    ['file that is not a URL', 422, () => signedPost('{"files": ["https://"]}')],
    ['empty tag', 422, () => signedPost('{"tags": [""]}')],
    ['empty prefix', 422, () => signedPost('{"prefixes": [""]}')],
    ['host with a path', 422, () => signedPost('{"hosts": ["bad.test/page"]}')],
    ['empty host', 422, () => signedPost('{"hosts": [""]}')],
    ['valid selector beside an invalid one', 422, () => signedPost('{"files": ["https://bad.test/page", ""]}')],
  ]
  for (const [name, status, request] of forms) {
    it(`${name}: ${status}`, async () => assertProblem(await request(), status, name))
  }

  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
    it(`${method}: 405`, async () => {
      const answer = await stand.send({ host, method, path: PURGE_PATH })
      assert.equal(answer.status, 405, String(answer))
      assert.equal(answer.field('allow'), 'POST')
      if (method !== 'HEAD') assertProblem(answer, 405)
    })
  }

  it('purges nothing and is not forwarded to the origin', async () => {
    await sleep(LAG_SECONDS * 1000 + 300)
    const answer = await stand.get(host, '/page')
    assert.ok(answer.hit && Number(answer.cache.get('ttl')) > 0, `${answer}\n${stand.about(host)}`)
    assert.deepEqual(stand.origin.requests(host).filter((r) => r.target !== '/page').map((r) => `${r.method} ${r.target}`), [])
  })
})

describe('deployment without PURGE_SECRETS', () => {
  let stand
  before(async () => { stand = await Stand.start({ secrets: null }) })
  after(() => stand?.stop())

  it('refuses orders with 503 and names PURGE_SECRETS', async () => {
    const answer = await stand.purge('open.test', order('open.test'))
    assertProblem(answer, 503)
    assert.match(answer.text, /PURGE_SECRETS/)
  })

  it('serves pages', async () => {
    stand.origin.on('open.test', '/page', PAGE)
    assert.equal((await stand.getHit('open.test', '/page')).text, 'page')
  })
})

function assertProblem(answer, status, name = '') {
  const message = `${name}\n${answer}`
  assert.equal(answer.status, status, message)
  assert.match(answer.field('content-type') ?? '', /^application\/problem\+json/, message)
  const problem = JSON.parse(answer.text)
  assert.equal(problem.status, status, message)
  for (const member of ['type', 'title', 'detail']) assert.equal(typeof problem[member], 'string', `${member}: ${message}`)
  assert.doesNotMatch(answer.field('cache-control') ?? 'no-store', /max-age=[1-9]/, message)
}
