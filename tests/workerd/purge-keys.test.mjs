// Permissions for purging and for reading the history: named keys with their limits, ed25519, tokens, and dialects.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { PURGE_PATH, SECRET, Stand } from './stand.mjs'

const TOKEN = `token_${'0123456789abcdef'.repeat(2)}`
const EDITOR_SECRET = `whsec_${Buffer.from('the secret of an editor, once').toString('base64')}`
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const PUBLIC = `whpk_${Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url').toString('base64')}`

const rules = {
  keys: [
    { name: 'editor', secret: 'EDITOR_SECRETS', may: { hosts: ['*.keys.test', 'keys.test'], tags: ['keys-*'] } },
    { name: 'reader', secret: 'READER_SECRETS', may: {}, admin: true },
    { name: 'broken', secret: 'BROKEN_SECRETS' },
    { name: 'unset', secret: 'UNSET_SECRETS' },
  ],
  cascades: [{ tag: 'keys-article:*', carries: ['keys-home'] }],
  rules: [{ host: 'dialect.keys.test', purge_dialects: ['varnish', 'fastly', 'cloudflare', 'github'] }],
}
const vars = {
  EDITOR_SECRETS: `${EDITOR_SECRET} ${PUBLIC} ${TOKEN}`,
  READER_SECRETS: TOKEN.replace('0', 'r'),
  BROKEN_SECRETS: 'whsec_not-base64 token_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
}

describe('keys', () => {
  let stand
  const host = 'keys.test'
  const bearer = (token) => ['Authorization', `Bearer ${token}`]
  const stamp = () => String(Math.floor(Date.now() / 1000))
  const json = (answer, status = 200) => {
    assert.equal(answer.status, status, String(answer))
    return JSON.parse(answer.text)
  }
  const post = (body, fields, more = {}) => stand.send({ host, method: 'POST', path: PURGE_PATH, fields, body, ...more })
  /** The fields of a webhook by the editor's private key. */
  const byEd25519 = (payload, { id = stand.newId(), key = privateKey } = {}) => {
    const time = stamp()
    const signature = sign(null, Buffer.from(`${id}.${time}.${payload}`), key).toString('base64')
    return [['webhook-id', id], ['webhook-timestamp', time], ['webhook-signature', `v1a,${signature}`]]
  }
  /** The fields of a webhook by an HMAC secret, made by the public library. */
  const byHmac = (payload, { id = stand.newId(), secret = EDITOR_SECRET } = {}) => {
    const time = new Date()
    return [['webhook-id', id], ['webhook-timestamp', stamp()], ['webhook-signature', new Webhook(secret).sign(id, time, payload)]]
  }

  before(async () => { stand = await Stand.start({ rules, vars, workers: ['a', 'b'] }) })
  after(() => stand?.stop())

  it('authenticate orders by HMAC, ed25519 and token', async () => {
    const body = JSON.stringify({ tags: ['keys-a'] })
    for (const [fields, via] of [[byHmac(body), 'webhook'], [byEd25519(body), 'webhook'], [[bearer(TOKEN)], 'token']]) {
      const receipt = json(await post(body, fields))
      assert.deepEqual([receipt.key, receipt.via, receipt.hard], ['editor', via, ['tag:keys-a']])
    }
  })

  it('do not authenticate a changed body, signature or token', async () => {
    const body = JSON.stringify({ tags: ['keys-a'] })
    const other = generateKeyPairSync('ed25519').privateKey
    const altered = (fields) => fields.map(([n, v]) => [n, n === 'webhook-signature' ? v.replace(/.(?=.{9}$)/, (c) => (c === 'A' ? 'B' : 'A')) : v])
    const texts = new Set()
    for (const fields of [byEd25519(body, { key: other }), byEd25519(`${body} `), altered(byEd25519(body)), altered(byHmac(body)), [bearer(`${TOKEN}0`)], [bearer(EDITOR_SECRET)]]) {
      const answer = await post(body, fields)
      assert.equal(answer.status, 401, String(answer))
      texts.add(answer.text)
    }
    assert.equal(texts.size, 1, [...texts].join('\n'))
  })

  it('may purge only within their limits', async () => {
    const answer = await post(JSON.stringify({ tags: ['keys-a', 'other'], hosts: ['www.keys.test', 'other.test'], purge_everything: true }), [bearer(TOKEN)])
    assert.deepEqual(json(answer, 403).errors.map((error) => error.path), ['tags[1]', 'hosts[1]', 'purge_everything'])
    // Cascades are not limited: they are part of the settings.
    const receipt = json(await post(JSON.stringify({ tags: ['keys-article:1'] }), [bearer(TOKEN)]))
    assert.deepEqual(receipt.hard, ['tag:keys-article:1', 'tag:keys-home'])
    assert.deepEqual(receipt.cascade, { 'keys-article:1': ['keys-home'] })
  })

  it('that cannot be parsed are logged without their secrets, and others still authenticate orders', async () => {
    const problems = stand.log.filter((line) => line.part === 'keys').map((line) => line.problem)
    assert.equal(problems.length, 2, problems.join('\n'))
    assert.match(problems[0], /^BROKEN_SECRETS, of the key broken: secret number 1 /)
    assert.match(problems[1], /^UNSET_SECRETS, of the key unset: /)
    assert.equal(stand.raw.filter((line) => line.includes('not-base64') || line.includes('aaaaaaaa')).length, 0)
    const answer = await post('{"tags":["keys-a"]}', [bearer(vars.BROKEN_SECRETS.split(' ')[1])])
    assert.equal(answer.status, 401, String(answer))
  })

  it('read the history of their own orders, and an admin key that of all', async () => {
    const [ownId, otherId] = [stand.newId(), stand.newId()]
    const body = JSON.stringify({ tags: ['keys-b'] })
    const receipt = json(await post(body, byHmac(body, { id: ownId })))
    json(await post(body, byHmac(body, { id: otherId, secret: SECRET })))
    const get = (path, ...fields) => stand.get(host, path, fields)
    const one = (id) => `/.edgekeep/purges/${id}`
    assert.deepEqual(json(await get(one(ownId), bearer(TOKEN))), receipt)
    assert.equal((await get(one(otherId), bearer(TOKEN))).status, 404)
    assert.equal(json(await get(one(otherId), bearer(vars.READER_SECRETS))).key, 'default')
    const list = `/.edgekeep/purges?after=${receipt.sequence - 1}&limit=2`
    assert.deepEqual(json(await get(list, bearer(TOKEN))).purges.map((purge) => purge.id), [ownId])
    const all = json(await get(list, bearer(vars.READER_SECRETS)))
    assert.deepEqual(all.purges.map((purge) => purge.id), [ownId, otherId])
    assert.equal(all.next, all.purges[1].sequence)
    assert.equal(json(await get(`/.edgekeep/purges?after=${all.next}`, bearer(vars.READER_SECRETS))).next, null)
    // A signature over the URL is valid for this URL only.
    assert.equal((await get(list, ...byHmac(`GET ${host}${list}`))).status, 200)
    assert.equal((await get(list, ...byEd25519(`GET ${host}${list}`))).status, 200)
    assert.equal((await get(list, ...byHmac(`GET ${host}${one(ownId)}`))).status, 401)
    assert.equal((await get(list)).status, 401)
  })

  it('authenticate calls in the dialects of other caches', async () => {
    const dialectHost = 'dialect.keys.test'
    const call = (method, path, fields, body) => stand.send({ host: dialectHost, method, path, fields, body })
    const basic = ['Authorization', `Basic ${Buffer.from(`cms:${TOKEN}`).toString('base64')}`]
    assert.equal(json(await call('PURGE', '/a', [basic])).via, 'varnish')
    assert.equal(json(await call('PURGE', '/a', byEd25519(`PURGE ${dialectHost}/a`))).via, 'varnish')
    const unauthenticated = await call('PURGE', '/a', [])
    assert.equal(unauthenticated.status, 401, String(unauthenticated))
    assert.match(unauthenticated.field('www-authenticate'), /Basic realm=/)
    const tags = json(await call('POST', '/service/SU1Z0isxPaozGVKXdv0eY/purge', [['Fastly-Key', TOKEN], ['Surrogate-Key', 'keys-a keys-b']]))
    assert.deepEqual(Object.keys(tags), ['keys-a', 'keys-b'])
    const api = '/client/v4/zones/023e105f4ecef8ad9ca31a8372d0c353/purge_cache'
    const files = JSON.stringify({ files: [{ url: `https://${dialectHost}/a`, headers: { Origin: 'https://x.test' } }] })
    for (const method of ['POST', 'DELETE']) {
      const answer = json(await call(method, api, [bearer(TOKEN)], files))
      assert.deepEqual([answer.success, answer.errors, answer.messages, typeof answer.result.id], [true, [], [], 'string'])
    }
    assert.equal(json(await call('POST', api, byHmac(files), files)).success, true)
    assert.equal(json(await call('POST', api, [bearer(TOKEN)], '{"purge_everything":true}'), 403).success, false)
    const hub = ['X-Hub-Signature-256', `sha256=${createHmac('sha256', EDITOR_SECRET).update(files.replace(/,"headers":{.*?}/, '')).digest('hex')}`]
    const body = files.replace(/,"headers":{.*?}/, '')
    assert.equal(json(await call('POST', PURGE_PATH, [hub, ['X-GitHub-Delivery', stand.newId()]], body)).via, 'github')
    assert.equal((await post(body, [hub])).status, 400, 'a signature of GitHub is accepted without the dialect')
    // Without the dialects these requests are passed to the origin.
    for (const [method, path] of [['PURGE', '/a'], ['POST', '/service/x/purge_all'], ['POST', api]]) {
      await stand.send({ host, method, path, fields: [bearer(TOKEN)] })
      assert.equal(stand.origin.requests(host, path).length, 1, `${method} ${path}`)
    }
    assert.deepEqual(stand.origin.requests(dialectHost), [])
  })

  it('dry run returns the resolved order and takes no sequence number', async () => {
    const before = json(await post('{"tags":["keys-c"]}', [bearer(TOKEN)])).sequence
    const dry = json(await post('{"dry_run":true,"tags":["keys-article:2","other",""],"files":[{"url":"https://www.keys.test/./x","soft":true}],"refresh":true}', [bearer(TOKEN)]))
    assert.deepEqual(dry, {
      dry_run: true,
      hard: ['tag:keys-article:2', 'tag:keys-home'],
      soft: ['url:www.keys.test/x'],
      cascade: { 'keys-article:2': ['keys-home'] },
      refresh: ['https://www.keys.test/x'],
      refused: [
        { path: 'tags[2]', detail: 'a tag is 1 to 1024 printable ASCII characters without spaces and commas' },
        { path: 'tags[1]', detail: 'the key editor may not purge tag:other' },
      ],
    })
    assert.equal(json(await post('{"tags":["keys-c"]}', [bearer(TOKEN)])).sequence, before + 1)
  })

  it('have separate order ids', async () => {
    const body = JSON.stringify({ tags: ['keys-d'] })
    const id = stand.newId()
    const weak = json(await post(body, byHmac(body, { id })))
    const strong = json(await post(body, byHmac(body, { id, secret: SECRET })))
    assert.deepEqual([weak.key, strong.key], ['editor', 'default'])
    assert.ok(strong.sequence > weak.sequence)
    assert.deepEqual(json(await post(body, byHmac(body, { id }))), weak)
    const one = (query, token) => stand.get(host, `/.edgekeep/purges/${id}${query}`, [bearer(token)])
    assert.deepEqual(json(await one('', TOKEN)), weak)
    assert.deepEqual(json(await one('', vars.READER_SECRETS)), weak)
    assert.deepEqual(json(await one('?key=default', vars.READER_SECRETS)), strong)
    assert.equal((await one('?key=default', TOKEN)).status, 404)
  })

  it('may not purge reserved tags of the fast lane', async () => {
    const answer = await post(JSON.stringify({ tags: ['keys-a', 'Edgekeep-0123456789abcdef'] }), [bearer(TOKEN)])
    assert.deepEqual(json(answer, 422).errors.map((error) => error.path), ['tags[1]'])
  })

  it('widen old purges to the scope of the key at most', { timeout: 60_000 }, async () => {
    const otherHost = 'beside.test'
    stand.origin.on(otherHost, '/theirs', { status: 200, fields: [['Cache-Control', 'max-age=600'], ['Cache-Tag', 'news']], body: 'news' })
    await stand.getHit(otherHost, '/theirs')
    for (let n = 0; n < 4; n++) {
      const tags = Array.from({ length: 1000 }, (_, i) => `keys-${n}-${i}`)
      json(await post(JSON.stringify({ tags }), [bearer(TOKEN)]))
    }
    await sleep(1500)
    assert.ok((await stand.get(otherHost, '/theirs', [], { at: 'b' })).hit, 'not a hit in the new isolate')
    assert.ok((await stand.get(otherHost, '/theirs')).hit)
  })

  it('may order a thousand selectors at once', { timeout: 30_000 }, async () => {
    const url = (i) => `https://www.keys.test/2026/11/23/a-title-of-some-seven-words-as-blogs-have-them-${i}/`
    const body = JSON.stringify({ files: Array.from({ length: 1000 }, (_, i) => (i % 2 ? url(i) : { url: url(i), soft: true })) })
    const receipt = json(await post(body, [bearer(TOKEN)]))
    assert.deepEqual([receipt.hard.length, receipt.soft.length], [500, 500])
    assert.ok(body.length > 65_536, String(body.length))
  })
})
