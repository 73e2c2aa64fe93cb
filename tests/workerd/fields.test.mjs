// Of a request that is looked up only the fields are read that count (src/cache/request/read_fields.rs). What goes to the origin whole
// must be whole all the same, and what is looked up must be known by every field that counts.

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
/** More than any rule asks for. */
const FIELDS = [
  ['User-Agent', 'Browser/1'],
  ['X-Key', 'k'],
  ['X-Sent', 's'],
  ['X-Other', 'o'],
  ['Accept-Language', 'de'],
]

describe('the fields of a request', () => {
  let stand
  before(async () => {
    stand = await Stand.start({ rules })
    stand.origin.on(HOST, '*', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'page' })
    // Before its first request the worker does not know what counts, and reads all.
    await stand.get(HOST, '/first')
  })
  after(() => stand.stop())

  /** What the origin has seen of the last request for a path. */
  const seen = (path, names) => names.map((name) => stand.origin.requests(HOST, path).at(-1).field(name))
  const NAMES = ['user-agent', 'x-key', 'x-sent', 'x-other', 'accept-language']
  const ALL = ['Browser/1', 'k', 's', 'o', 'de']

  const whole = [
    ['a path that is not cached', 'GET', '/off/a', []],
    ['its head', 'HEAD', '/off/b', []],
    ['a session cookie', 'GET', '/c', [['Cookie', 'sessionid=1']]],
    ['a session cookie in a second line', 'GET', '/c2', [['Cookie', 'theme=dark'], ['Cookie', 'PHPSESSID=1']]],
    ['a condition that is not for caches', 'GET', '/d', [['If-Match', '"x"']]],
    ['a method that is not cached', 'POST', '/e', []],
  ]
  for (const [name, method, path, more] of whole) {
    it(`all arrive: ${name}`, async () => {
      const answer = await stand.send({ host: HOST, method, path, fields: [...FIELDS, ...more] })
      assert.match(answer.field('cache-status'), /^edgekeep; fwd=(bypass|method);/, String(answer))
      assert.deepEqual(seen(path, NAMES), ALL)
    })
  }

  it('those that count arrive, and choose what is served', async () => {
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
