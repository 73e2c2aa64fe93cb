// Field values are bytes. The runtime decodes bytes that are not UTF-8 as U+FFFD, so a value that was read as text has
// lost them; only a copied Headers object still has them. Compares each byte at the sockets, in both directions: Node
// reads and writes fields as Latin-1.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'

const HOST = 'bytes.test'
const NAME = 'attachment; filename="caf\xe9.pdf"'
const UTF8 = Buffer.from('attachment; filename="café €.pdf"').toString('latin1')
const BROKEN = 'a\xc3(\xff\xfe b\x80'
const fields = (more) => Object.entries(more).flatMap(([name, value]) => [value].flat().map((one) => [name, one]))
const rules = {
  rules: [
    { path: '/off/*', cache: false },
    { path: '/key/*', key_headers: ['X-Key'], forward_headers: ['X-Sent'], key_cookies: ['theme'] },
    { path: '/kv/*', kv: true },
  ],
}

describe('bytes of field values', () => {
  let stand
  const page = (path, more, body = 'page', status = 200) => stand.origin.on(HOST, path, { status, fields: fields(more), body })
  const seen = (path) => stand.origin.requests(HOST, path).at(-1)
  before(async () => {
    stand = await Stand.start({ rules })
    page('/first', {})
    await stand.get(HOST, '/first')
  })
  after(() => stand?.stop())

  const SENT = { 'Content-Disposition': NAME, 'X-Utf8': UTF8, 'X-Broken': [BROKEN, 'plain'], 'X-Plain': 'plain' }
  const assertSent = (answer) => {
    for (const [name, value] of Object.entries(SENT)) assert.equal(answer.field(name), [value].flat().join(', '), `${name}\n${answer}`)
  }

  it('are kept on a bypass, in both directions', async () => {
    page('/off/a', { ...SENT, 'Set-Cookie': ['a=\xe9; Path=/', 'b=2'], Location: '/caf\xe9' }, 'moved', 302)
    const answer = await stand.get(HOST, '/off/a', [['Cookie', 'n=\xe9; m=\xc3\xa9'], ['X-Own', BROKEN], ['X-Own', 'two'], ['X-Plain', 'p']])
    assertSent(answer)
    assert.equal(answer.field('Location'), '/caf\xe9')
    assert.deepEqual(answer.all('Set-Cookie'), ['a=\xe9; Path=/', 'b=2'])
    assert.equal(seen('/off/a').field('cookie'), 'n=\xe9; m=\xc3\xa9')
    assert.equal(seen('/off/a').field('x-own'), `${BROKEN}, two`)
    assert.equal(seen('/off/a').field('x-plain'), 'p')
    // Copying the client's fields forwards no connection or X-Forwarded fields.
    const posted = await stand.send({ host: HOST, method: 'POST', path: '/off/a', fields: [['X-Own', '\xe9'], ['X-Forwarded-Host', 'evil'], ['Connection', 'close, x-hop'], ['X-Hop', '\xe8']], body: 'b' })
    assertSent(posted)
    assert.equal(seen('/off/a').field('x-own'), '\xe9')
    assert.equal(seen('/off/a').field('x-hop'), undefined)
    assert.equal(seen('/off/a').field('x-forwarded-host'), HOST)
  })

  it('are kept on a miss, a hit, a range, HEAD and a 304', async () => {
    page('/a', { ...SENT, 'Cache-Control': 'max-age=60', ETag: '"1"' }, '0123456789')
    const miss = await stand.get(HOST, '/a')
    assert.match(miss.field('cache-status'), /fwd=uri-miss.*stored/)
    assertSent(miss)
    for (let n = 0; n < 5; n++) assertSent(await stand.getHit(HOST, '/a'))
    const part = await stand.get(HOST, '/a', [['Range', 'bytes=2-4']])
    assert.deepEqual([part.status, part.text, part.hit], [206, '234', true])
    assertSent(part)
    const head = await stand.send({ host: HOST, method: 'HEAD', path: '/a' })
    assert.ok(head.hit)
    assertSent(head)
    const notModified = await stand.get(HOST, '/a', [['If-None-Match', '"1"']])
    assert.deepEqual([notModified.status, notModified.hit], [304, true])
    assertSent(notModified)
    assert.equal(stand.origin.requests(HOST, '/a').length, 1)
  })

  it('are kept on a stored redirect and on a long body', async () => {
    page('/moved', { Location: '/caf\xe9?x=\xfc', 'Cache-Control': 'max-age=60' }, '', 301)
    page('/long', { ...SENT, 'Cache-Control': 'max-age=60' }, 'x'.repeat(300_000))
    for (const get of [() => stand.get(HOST, '/moved'), () => stand.getHit(HOST, '/moved')]) assert.equal((await get()).field('Location'), '/caf\xe9?x=\xfc')
    for (const get of [() => stand.get(HOST, '/long'), () => stand.getHit(HOST, '/long')]) {
      const answer = await get()
      assertSent(answer)
      assert.equal(answer.body.length, 300_000)
    }
  })

  it('are replaced by those of a 304 from the origin', async () => {
    const stored = { 'Cache-Control': 'max-age=1', ETag: '"1"', 'Content-Disposition': NAME }
    page('/again', stored)
    assert.equal((await stand.get(HOST, '/again')).field('content-disposition'), NAME)
    await stand.getHit(HOST, '/again')
    await new Promise((resolve) => setTimeout(resolve, 2_200))
    page('/again', { ...stored, 'Content-Disposition': 'attachment; filename="caf\xe8.pdf"', 'Cache-Control': 'max-age=60' })
    const revalidated = await stand.get(HOST, '/again')
    assert.match(revalidated.field('cache-status'), /fwd-status=304/)
    assert.equal(revalidated.field('content-disposition'), 'attachment; filename="caf\xe8.pdf"')
    assert.equal((await stand.getHit(HOST, '/again')).field('content-disposition'), 'attachment; filename="caf\xe8.pdf"')
  })

  it('other than UTF-8 are not stored in KV, which holds text', async () => {
    page('/kv/a', { ...SENT, 'Cache-Control': 'max-age=60' })
    page('/kv/b', { 'X-Utf8': UTF8, 'Cache-Control': 'max-age=60' })
    for (const path of ['/kv/a', '/kv/b']) {
      await stand.get(HOST, path)
      await stand.getHit(HOST, path)
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.deepEqual((await stand.inKv(HOST)).map(({ text }) => /http:\/\/[^|]*/.exec(text)[0]), [`http://${HOST}/kv/b`])
    await stand.evict(HOST)
    assertSent(await stand.get(HOST, '/kv/a'))
    const fromKv = await stand.get(HOST, '/kv/b')
    assert.equal(fromKv.cache.get('detail'), 'kv')
    assert.equal(fromKv.field('x-utf8'), UTF8)
    // The Cache API interprets Warning, so it is stored under another name.
    page('/warned', { Warning: '199 - "caf\xe9"', 'Cache-Control': 'max-age=60' })
    for (let n = 0; n < 3; n++) assert.equal((await stand.get(HOST, '/warned')).field('warning'), '199 - "caf\xe9"')
  })

  it('other than UTF-8 in a keyed field or cookie bypass the cache', async () => {
    const body = (request, response) => response.writeHead(200, { 'Cache-Control': 'max-age=60', Vary: 'Accept-Language' }).end(request.field('x-key') ?? request.field('accept-language') ?? request.field('cookie'), 'latin1')
    stand.origin.on(HOST, '/key/a', body)
    const get = (fields) => stand.get(HOST, '/key/a', fields)
    for (const name of ['X-Key', 'Accept-Language']) {
      for (const byte of ['\xe8', '\xe9', '\xe8', '\xe9']) {
        const answer = await get([[name, byte]])
        assert.equal(answer.body.toString('latin1'), byte)
        assert.match(answer.field('cache-status'), /fwd=bypass.*detail=unreadable/)
      }
    }
    assert.equal((await get([['Cookie', 'theme=\xe9']])).body.toString('latin1'), 'theme=\xe9')
    await get([['X-Sent', 's\xe9'], ['X-Key', 'k']])
    assert.equal(seen('/key/a').field('x-sent'), 's\xe9')
    // Such bytes in fields that are not forwarded do not bypass the cache.
    await get([['X-Key', 'hit']])
    for (let n = 0; n < 20 && !(await get([['X-Key', 'hit']])).hit; n++) await new Promise((resolve) => setTimeout(resolve, 30))
    assert.ok((await get([['X-Key', 'hit'], ['Referer', '/caf\xe9'], ['Cookie', 'other=\xe9']])).hit)
    // A UTF-8 value is keyed like any other.
    const eacute = '\xc3\xa9'
    assert.match((await get([['X-Key', eacute]])).field('cache-status'), /fwd=uri-miss/)
    assert.equal(seen('/key/a').field('x-key'), eacute)
  })
})
