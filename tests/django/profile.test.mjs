// profile = "django" alone, in front of a Django that sends every response as public, including tokens (careless.py).
// Personal responses must not be stored nevertheless, and other responses must be shared.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ROOT } from '../../scripts/tools.mjs'
import { send } from '../workerd/wire.mjs'
import { Reader, Stand, tokenOf } from './stand.mjs'

const FORM = '/comment/three-flashes-then-dark/'
const GREETING = '/fragments/greeting/'
const CARELESS = { DJANGO_SETTINGS_MODULE: 'careless', PYTHONPATH: join(ROOT, 'tests', 'django') }
const profile = (name) => ({ profile: name, defaults: {}, rules: [] })

const cookie = (value) => ({ fields: [['Cookie', value]] })
const secretOf = (answer) => answer.all('set-cookie').find((line) => line.startsWith('csrftoken='))?.match(/csrftoken=(\w+)/)[1]

describe('profile django with a careless Django', { timeout: 300_000 }, () => {
  let stand
  let bare // the same Django behind a worker without a profile
  before(async () => {
    stand = await Stand.start({ rules: profile('django'), env: CARELESS })
    bare = await stand.another(profile('none'))
  })
  after(async () => {
    await bare?.stop()
    await stand?.stop()
  })

  test('Django sets the CSRF cookie with each token in a page, also if the request has one', async () => {
    const ask = (more) => send(stand.django.url, { host: stand.host, path: FORM, ...more })
    const first = await ask()
    const secret = secretOf(first)
    assert.match(secret, /^\w{32}$/, `${first}`)
    const again = await ask(cookie(`csrftoken=${secret}`))
    assert.equal(secretOf(again), secret, 'the cookie has another secret')
    for (const answer of [first, again]) {
      assert.match(answer.field('vary'), /Cookie/)
      assert.match(answer.field('cache-control'), /^public, max-age=600/)
      assert.ok(tokenOf(answer))
    }
    // A page without a form sets no cookie.
    const page = await send(stand.django.url, { host: stand.host, path: '/about/', ...cookie(`csrftoken=${secret}`) })
    assert.deepEqual(page.all('set-cookie'), [])
  })

  test('page with a token is never stored, and log and Cache-Status give the reason', async () => {
    const secrets = new Set()
    const tokens = new Set()
    for (const own of [undefined, 'a'.repeat(32), 'b'.repeat(32)]) {
      for (let i = 0; i < 2; i++) {
        const answer = await stand.get(FORM, own && cookie(`csrftoken=${own}; _ga=GA1`))
        assert.ok(!answer.hit && !answer.cache.has('stored'), `${answer}`)
        // The first response had a token: from then on requests with one are a bypass, so that it stays valid in other tabs.
        assert.match(answer.field('cache-status'), own ? /fwd=bypass.*detail=personal/ : /detail=csrf-token/)
        if (own) assert.equal(secretOf(answer), own, 'the reader gets another token')
        secrets.add(secretOf(answer))
        tokens.add(tokenOf(answer))
      }
    }
    assert.equal(secrets.size, 4)
    assert.equal(tokens.size, 6)
    const lines = stand.log.filter(({ path }) => path === FORM)
    assert.equal(lines.length, 6)
    for (const { stores } of lines) assert.deepEqual(stores, [])
    for (const { notes } of lines.slice(0, 2)) assert.match(notes.join(), /csrf-token: the answer sets a CSRF cookie/)
  })

  test('page with a token is stored without the profile', async () => {
    const first = await bare.get(FORM)
    assert.ok(first.cache.has('stored'), `${first}`)
    const other = await bare.getHit(FORM)
    assert.equal(tokenOf(other), tokenOf(first), 'another token: the test above is inconclusive')
  })

  test('Vary: Cookie separates requests with a session; all others share a page', async () => {
    const first = await stand.get(GREETING, cookie('csrftoken=x; _ga=1; theme=dark'))
    assert.match(first.field('vary'), /Cookie/)
    assert.ok(first.cache.has('stored'), `${first}`)
    await stand.getHit(GREETING)
    const requestCount = stand.requests().length
    for (const cookies of ['csrftoken=y', '_ga=2; _gid=3', 'theme=light', 'member=1']) {
      const answer = await stand.get(GREETING, cookie(cookies))
      assert.ok(answer.hit, `${cookies}\n${answer}`)
      assert.equal(answer.text, first.text)
    }
    assert.equal(stand.requests().length, requestCount)
    const [bram, carys] = [await new Reader(stand).signIn('bram'), await new Reader(stand).signIn('carys')]
    for (const [reader, name] of [[bram, 'Bram'], [carys, 'Carys'], [bram, 'Bram']]) {
      const answer = await reader.get(GREETING)
      assert.match(answer.text, new RegExp(name))
      assert.match(answer.field('cache-status'), /fwd=bypass.*detail=cookie/)
      assert.ok(!answer.cache.has('stored'))
    }
    assert.ok((await stand.get(GREETING)).hit, 'not a hit after personal requests')
  })

  test('sign-in pages and the admin bypass the cache', async () => {
    for (const path of ['/accounts/login/', '/accounts/signup/', '/admin/login/']) {
      const secret = 'c'.repeat(32)
      const answer = await stand.get(path, cookie(`csrftoken=${secret}`))
      assert.match(answer.field('cache-status'), /fwd=bypass.*detail=rule/, path)
      assert.equal(secretOf(answer), secret, 'the token is replaced')
    }
  })

  test('hashed files are immutable, others are not; both are tagged', async () => {
    const [css] = (await stand.get('/')).text.match(/\/static\/blog\.[0-9a-f]{12}\.css/)
    const hashed = await stand.getHit(css)
    assert.match(hashed.field('cache-control'), /^max-age=\d+, immutable$/)
    assert.ok(hashed.cache.get('ttl') > 31_000_000, `${hashed}`)
    const plain = await stand.getHit('/static/blog.css')
    assert.doesNotMatch(plain.field('cache-control'), /immutable/)
    assert.ok(plain.cache.get('ttl') <= 3600)
    await stand.purge({ tags: ['static'] })
    for (const path of [css, '/static/blog.css']) assert.ok(!(await stand.get(path)).hit, path)
  })

  test('search is keyed by q and page; the API varies on Accept', async () => {
    const first = await stand.get('/search/?q=tide&page=2&from=menu')
    assert.ok(first.cache.has('stored'), `${first}`)
    assert.equal((await stand.getHit('/search/?page=2&utm_source=mail&q=tide')).text, first.text)
    assert.ok(!(await stand.get('/search/?page=1&q=tide')).hit)
    const json = { fields: [['Accept', 'application/json']] }
    await stand.getHit('/api/articles/', json)
    assert.ok(!(await stand.get('/api/articles/', { fields: [['Accept', 'text/html']] })).hit)
    assert.ok((await stand.get('/api/articles/', json)).hit)
  })
})
