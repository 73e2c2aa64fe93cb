// A lookup reads only the relevant fields of a request (src/cache/request/read_fields.rs). A bypass must still forward all
// fields, and a lookup must use each relevant one.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'

const HOST = 'fields.test'
const rules = {
  rules: [
    { path: '/off/*', cache: false },
    { path: '/key/*', key_headers: ['X-Key'], key_cookies: ['theme'], forward_headers: ['X-Sent'] },
  ],
}
/** More fields than any rule uses. */
const FIELDS = [
  ['User-Agent', 'Browser/1'],
  ['X-Key', 'k'],
  ['X-Sent', 's'],
  ['X-Other', 'o'],
  ['Accept-Language', 'de'],
]

describe('request fields', () => {
  let stand
  before(async () => {
    stand = await Stand.start({ rules })
    stand.origin.on(HOST, '*', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'page' })
    // For its first request the worker reads all fields, because the rules are not compiled yet.
    await stand.get(HOST, '/first')
  })
  after(() => stand.stop())

  /** Values of these fields in the origin's last request for a path. */
  const seen = (path, names) => names.map((name) => stand.origin.requests(HOST, path).at(-1).field(name))
  const NAMES = ['user-agent', 'x-key', 'x-sent', 'x-other', 'accept-language']
  const ALL = ['Browser/1', 'k', 's', 'o', 'de']

  const bypasses = [
    ['path that is not cached', 'GET', '/off/a', []],
    ['HEAD of a path that is not cached', 'HEAD', '/off/b', []],
    ['session cookie', 'GET', '/c', [['Cookie', 'sessionid=1']]],
    ['session cookie in a second line', 'GET', '/c2', [['Cookie', 'theme=dark'], ['Cookie', 'PHPSESSID=1']]],
    ['If-Match, which only the origin evaluates', 'GET', '/d', [['If-Match', '"x"']]],
    ['method that is not cached', 'POST', '/e', []],
  ]
  for (const [name, method, path, more] of bypasses) {
    it(`are all forwarded on a bypass: ${name}`, async () => {
      const answer = await stand.send({ host: HOST, method, path, fields: [...FIELDS, ...more] })
      assert.match(answer.field('cache-status'), /^edgekeep; fwd=(bypass|method);/, String(answer))
      assert.deepEqual(seen(path, NAMES), ALL)
    })
  }

  for (const [name, more] of [['of a known length', { body: 'abc' }], ['in chunks', { chunks: ['abc'] }]]) {
    it(`are all forwarded with a body ${name}`, async () => {
      const path = `/body/${encodeURIComponent(name)}`
      const answer = await stand.send({ host: HOST, path, fields: FIELDS, ...more })
      assert.match(answer.field('cache-status'), /^edgekeep; fwd=bypass; .*detail=request-body$/, String(answer))
      assert.deepEqual(seen(path, NAMES), ALL)
    })
  }

  it('in the key are forwarded and select the variant on a miss', async () => {
    const get = (path, fields) => stand.get(HOST, path, [...FIELDS.filter(([name]) => name !== 'X-Key'), ...fields])
    const status = async (fields) => (await get('/key/a', fields)).field('cache-status').split(';')[1].trim()
    const one = [['X-Key', 'k'], ['Cookie', 'theme=dark; other=1']]
    assert.equal(await status(one), 'fwd=uri-miss')
    const [agent, ...others] = seen('/key/a', [...NAMES, 'cookie'])
    assert.match(agent, /^Edgekeep\//)
    assert.deepEqual(others, ['k', 's', undefined, 'de', 'theme=dark'])
    assert.equal(await status([['X-Key', 'other'], one[1]]), 'fwd=uri-miss')
    assert.equal(await status([one[0], ['Cookie', 'theme=light']]), 'fwd=uri-miss')
    assert.equal(await status(one), 'hit')
  })
})
