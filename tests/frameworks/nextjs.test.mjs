// profile = "nextjs" before Next.js itself: one conversation with the origin and with the worker in front of it, answer by
// answer. What differs is what a cache may change.

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

/** The answer, or, where Next.js names the address of a page's data, the answer there. */
async function follow(ask, path, fields) {
  const answer = await ask(path, fields)
  const [location] = answer.all('location')
  return answer.status === 307 && location?.includes('_rsc') ? ask(location, fields) : answer
}

describe('the profile nextjs before Next.js', { timeout: 900_000 }, () => {
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

  const alike = (one, other, what) => {
    assert.equal(one.status, other.status, `${what}\n${one}`)
    assert.equal(one.field('content-type'), other.field('content-type'), what)
    assert.equal(one.field('location'), other.field('location'), what)
    assert.equal(one.text, other.text, what)
  }

  for (const path of ['/', '/blog', '/blog/a', '/blog/b']) {
    test(`${path}: HTML and the router's data are what Next.js says, from the cache as well`, async () => {
      const types = new Set()
      for (const [kind, fields] of Object.entries(KINDS)) {
        const wanted = await follow(origin, path, fields)
        assert.equal(wanted.status, 200, `${kind}\n${wanted}`)
        types.add(`${wanted.field('content-type')} ${wanted.text.length}`)
        alike(await follow(edge, path, fields), wanted, `${path} ${kind}, first`)
        const isHit = await until(async () => (await follow(edge, path, fields)).hit, 5_000, 200)
        assert.ok(isHit, `${path} ${kind} is kept`)
        alike(await follow(edge, path, fields), wanted, `${path} ${kind}, from the cache`)
      }
      assert.ok(types.size >= 3, 'so that a mix-up shows')
      // In another order, from another reader.
      for (const [kind, fields] of Object.entries(KINDS).reverse()) {
        alike(await follow(edge, path, [...fields, ...cookie('_ga=1')]), await follow(origin, path, fields), `${path} ${kind}, again`)
      }
    })
  }

  test('without the profile data is HTML, and Cache-Status says why', async () => {
    const answer = await bare.send({ host: HOST, path: '/blog/a', fields: RSC })
    assert.match(answer.field('content-type'), /text\/html/)
    assert.match(answer.field('cache-status'), /detail=(\S+\/)?vary-on-dropped/)
  })

  test('files and pages that are not there', async () => {
    const [file] = (await edge('/')).text.match(/\/_next\/static\/[^"]+\.js/)
    const wanted = await origin(file)
    alike(await edge(file), wanted, file)
    assert.match(wanted.field('cache-control'), /immutable/)
    assert.ok(await until(async () => (await edge(file)).hit, 5_000, 200), file)
    for (const path of ['/nope', '/blog/none']) assert.equal((await edge(path)).status, (await origin(path)).status, path)
  })

  test('a page of one reader: never stored, and whole once it is known', async () => {
    const [first, second] = [await edge('/cart', cookie('my_cart=boat')), await edge('/cart', cookie('my_cart=boat'))]
    assert.match(first.field('cache-status'), /detail=(\S+\/)?cookie-withheld/)
    assert.match(second.text, /boat/, `${second}`)
    assert.match(second.field('cache-status'), /fwd=bypass.*detail=personal/)
    assert.doesNotMatch((await edge('/cart')).text, /boat/)
    assert.match((await edge('/cart', cookie('my_cart=oars'))).text, /oars/)
  })

  test('draft mode passes, and shows nobody else a draft', async () => {
    const [line] = (await edge('/api/draft')).all('set-cookie')
    const bypass = cookie(line.split(';')[0])
    assert.match((await edge('/blog', bypass)).text, /Drafts/)
    assert.doesNotMatch((await edge('/blog')).text, /Drafts/)
  })

  test('revalidatePath reaches Next.js alone; a purge of the address takes HTML and data', async () => {
    const madeAt = async (fields) => (await follow(edge, '/blog/a', fields)).text.match(/made at[^\d]*(\d{13})/)?.[1]
    const old = { html: await madeAt([]), data: await madeAt(RSC) }
    assert.ok(old.html && old.data)
    const post = { host: HOST, method: 'POST', path: '/api/revalidate', fields: [['Content-Type', 'application/json']], body: '{"path":"/blog/a"}' }
    assert.equal((await stand.send(post)).status, 200)
    assert.equal(await madeAt([]), old.html, 'so the purge is needed')
    // Every address of the page's data has a query of its own.
    const receipt = await stand.purge(HOST, { files: [`http://${HOST}/blog/a`], prefixes: [`${HOST}/blog/a`] })
    assert.equal(receipt.status, 200, `${receipt}`)
    await sleep(LAG_SECONDS * 1000)
    assert.notEqual(await madeAt([]), old.html)
    assert.notEqual(await madeAt(RSC), old.data)
  })
})
