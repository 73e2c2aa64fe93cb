// profile = "nextjs" in front of Next.js: the same requests to the origin and to the worker, compared response by response.
// Only fields that a cache may change differ.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { LAG_SECONDS, Stand } from '../workerd/stand.mjs'
import { send, sleep, until } from '../workerd/wire.mjs'
import { prepareNext, startNext } from './nextjs.mjs'

const HOST = 'next.test'
const RSC = [['RSC', '1']]
const PREFETCH = [...RSC, ['Next-Router-Prefetch', '1']]
const SEGMENT = [...PREFETCH, ['Next-Router-Segment-Prefetch', '/_tree']]
const KINDS = { html: [], data: RSC, prefetch: PREFETCH, segment: SEGMENT }
const cookie = (value) => [['Cookie', value]]

/** Sends a request; follows a redirect of Next.js to the URL of a page's data. */
async function follow(ask, path, fields) {
  const answer = await ask(path, fields)
  const [location] = answer.all('location')
  return answer.status === 307 && location?.includes('_rsc') ? ask(location, fields) : answer
}

describe('profile nextjs with Next.js', { timeout: 900_000 }, () => {
  let next
  let stand
  let bare // the same site behind a worker without a profile
  const origin = (path, fields = []) => send(next.url, { host: HOST, path, fields })
  const edge = (path, fields = []) => stand.send({ host: HOST, path, fields })
  before(async () => {
    await prepareNext()
    next = await startNext()
    stand = await Stand.start({ rules: { profile: 'nextjs', origin_timeout: 20 }, origin: next })
    bare = await Stand.start({ rules: { origin_timeout: 20 }, origin: next })
  })
  after(async () => {
    await bare?.stop()
    await stand?.stop()
    await next?.stop()
  })

  const assertAlike = (one, other, what) => {
    assert.equal(one.status, other.status, `${what}\n${one}`)
    assert.equal(one.field('content-type'), other.field('content-type'), what)
    assert.equal(one.field('location'), other.field('location'), what)
    assert.equal(one.text, other.text, what)
  }

  for (const path of ['/', '/blog', '/blog/a', '/blog/b']) {
    test(`${path}: HTML and the router's data equal those of Next.js, on a miss and a hit`, async () => {
      const types = new Set()
      for (const [kind, fields] of Object.entries(KINDS)) {
        const expected = await follow(origin, path, fields)
        assert.equal(expected.status, 200, `${kind}\n${expected}`)
        types.add(`${expected.field('content-type')} ${expected.text.length}`)
        assertAlike(await follow(edge, path, fields), expected, `${path} ${kind}, first`)
        const isHit = await until(async () => (await follow(edge, path, fields)).hit, 5_000, 200)
        assert.ok(isHit, `${path} ${kind} is not stored`)
        assertAlike(await follow(edge, path, fields), expected, `${path} ${kind}, from the cache`)
      }
      assert.ok(types.size >= 3, 'the kinds are too assertAlike: the test is inconclusive')
      // In another order, with another cookie.
      for (const [kind, fields] of Object.entries(KINDS).reverse()) {
        assertAlike(await follow(edge, path, [...fields, ...cookie('_ga=1')]), await follow(origin, path, fields), `${path} ${kind}, again`)
      }
    })
  }

  test('without the profile data is HTML, and Cache-Status gives the reason', async () => {
    const answer = await bare.send({ host: HOST, path: '/blog/a', fields: RSC })
    assert.match(answer.field('content-type'), /text\/html/)
    assert.match(answer.field('cache-status'), /detail=(\S+\/)?vary-on-dropped/)
  })

  test('files are stored, and missing pages have the status of Next.js', async () => {
    const [file] = (await edge('/')).text.match(/\/_next\/static\/[^"]+\.js/)
    const expected = await origin(file)
    assertAlike(await edge(file), expected, file)
    assert.match(expected.field('cache-control'), /immutable/)
    assert.ok(await until(async () => (await edge(file)).hit, 5_000, 200), file)
    for (const path of ['/nope', '/blog/none']) assert.equal((await edge(path)).status, (await origin(path)).status, path)
  })

  test('page that reads a cookie is never stored, and bypasses the cache after its first response', async () => {
    const [first, second] = [await edge('/cart', cookie('my_cart=boat')), await edge('/cart', cookie('my_cart=boat'))]
    assert.match(first.field('cache-status'), /detail=(\S+\/)?cookie-withheld/)
    assert.match(second.text, /boat/, `${second}`)
    assert.match(second.field('cache-status'), /fwd=bypass.*detail=personal/)
    assert.doesNotMatch((await edge('/cart')).text, /boat/)
    assert.match((await edge('/cart', cookie('my_cart=oars'))).text, /oars/)
  })

  test('draft mode bypasses the cache, and others get no draft', async () => {
    const [line] = (await edge('/api/draft')).all('set-cookie')
    const bypass = cookie(line.split(';')[0])
    assert.match((await edge('/blog', bypass)).text, /Drafts/)
    assert.doesNotMatch((await edge('/blog')).text, /Drafts/)
  })

  test('revalidatePath does not purge; a purge of the URL affects HTML and data', async () => {
    const madeAt = async (fields) => (await follow(edge, '/blog/a', fields)).text.match(/made at[^\d]*(\d{13})/)?.[1]
    const old = { html: await madeAt([]), data: await madeAt(RSC) }
    assert.ok(old.html && old.data)
    const post = { host: HOST, method: 'POST', path: '/api/revalidate', fields: [['Content-Type', 'application/json']], body: '{"path":"/blog/a"}' }
    assert.equal((await stand.send(post)).status, 200)
    assert.equal(await madeAt([]), old.html, 'revalidatePath has purged the page')
    // Every URL of the page's data has another query.
    const receipt = await stand.purge(HOST, { files: [`http://${HOST}/blog/a`], prefixes: [`${HOST}/blog/a`] })
    assert.equal(receipt.status, 200, `${receipt}`)
    await sleep(LAG_SECONDS * 1000)
    assert.notEqual(await madeAt([]), old.html)
    assert.notEqual(await madeAt(RSC), old.data)
  })
})
