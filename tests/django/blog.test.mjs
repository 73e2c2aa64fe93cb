// The example blog, a real Django under gunicorn, behind the built worker: its responses to readers while it changes.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { LAG_SECONDS, Reader, Stand, formOf, sleep, tokenOf, until } from './stand.mjs'

const HARBOUR = 'the-harbour-at-four-in-the-morning'
const FLASHES = 'three-flashes-then-dark'
const TITLES = encodeURIComponent('{articles(first:5){title}}')

/** Pages with the title of the harbour's article, and pages without it. */
const SHOWS = [
  '/', `/articles/${HARBOUR}/`, '/tags/harbours/', '/tags/tides/', '/authors/ada-merriweather/', '/archive/2026/10/', '/feed/',
  '/tags/harbours/feed/', '/api/articles/', `/api/articles/${HARBOUR}/`, `/graphql?query=${TITLES}`, '/search/?q=harbour',
]
const OTHERS = [
  '/page/2/', '/page/3/', `/articles/${FLASHES}/`, '/articles/rye-and-the-long-friday/', '/archive/', '/archive/2026/8/', '/tags/',
  '/tags/cheese/', '/tags/cheese/feed/', '/authors/ewan-sinclair/', '/about/', '/api/articles/?page=2', `/api/articles/${FLASHES}/`,
  `/covers/${FLASHES}.svg`,
]

/** Changes the title by the editor's form, like a browser. */
async function retitle(editor, id, title) {
  const page = await editor.get(`/write/${id}/`)
  const { next, username, ...form } = { ...formOf(page), csrfmiddlewaretoken: tokenOf(page), title }
  delete form.q
  const answer = await editor.post(`/write/${id}/`, form)
  assert.equal(answer.status, 302, `${answer}`)
  return answer
}

describe('Django blog behind the worker', { timeout: 600_000 }, () => {
  let stand
  let editor
  let id
  before(async () => {
    stand = await Stand.start({ workers: ['a', 'b', 'c'] })
    editor = await new Reader(stand, { at: 'a' }).signIn('ada')
    ;[, id] = (await editor.get('/write/')).text.match(/href="\/write\/(\d+)\/">The harbour at four/)
  })
  after(() => stand?.stop())

  test('pages are stored; files have hashed names and are fresh for a year', async () => {
    for (const path of [...SHOWS, ...OTHERS]) {
      const first = await stand.get(path)
      assert.equal(first.status, 200, `${path}\n${first}`)
      assert.equal(first.all('set-cookie').length, 0, path)
      assert.ok(first.cache.has('stored') || first.hit, `${path}\n${first}`)
      const hit = await stand.getHit(path)
      assert.equal(hit.text, first.text, path)
    }
    const [, css] = (await stand.get('/')).text.match(/href="(\/static\/blog\.[0-9a-f]{12}\.css)"/)
    const file = await stand.getHit(css)
    assert.match(file.field('cache-control'), /^max-age=31536\d{3}, immutable$/)
    const again = await stand.get(css, { fields: [['If-Modified-Since', file.field('last-modified')]] })
    assert.equal(again.status, 304)
  })

  test('edit is visible at once on every page with it, and all other pages are hits', async () => {
    for (const path of [...SHOWS, ...OTHERS]) {
      for (const at of ['a', 'b']) await stand.getHit(path, { at })
    }
    const old = 'The harbour at four in the morning'
    const title = 'The harbour, an hour later'
    await retitle(editor, id, title)
    const saved = Date.now()
    for (const path of SHOWS) {
      const answer = await stand.get(path, { at: 'a' })
      assert.ok(answer.text.includes(title) && !answer.text.includes(old), `${path} is old\n${answer}`)
      assert.match(answer.field('cache-status'), /purged/, path)
    }
    for (const path of OTHERS) assert.ok((await stand.get(path, { at: 'a' })).hit, `${path} is not a hit\n${stand.about()}`)
    // Another isolate receives the purge within max_purge_lag (and then waits for Django, on a machine that may be busy).
    const purged = await until(async () => (await stand.get('/', { at: 'b' })).text.includes(title), LAG_SECONDS * 1000 + 3000, 20)
    assert.ok(purged, `isolate b has not received the purge after ${Date.now() - saved} ms`)
    await sleep(Math.max(0, saved + LAG_SECONDS * 1000 - Date.now()))
    for (const path of SHOWS) assert.ok((await stand.get(path, { at: 'b' })).text.includes(title), `${path} is old in b`)
    for (const path of OTHERS) assert.ok((await stand.get(path, { at: 'b' })).hit, `${path} is not a hit in b`)
    await retitle(editor, id, old)
  })

  test('edit in the admin purges', async () => {
    await stand.getHit('/about/')
    await stand.getHit('/archive/')
    const page = await editor.get('/admin/blog/author/1/change/')
    const form = { ...formOf(page), csrfmiddlewaretoken: tokenOf(page), bio: 'Keeps bees, and has sold the boat.' }
    const answer = await editor.post('/admin/blog/author/1/change/', form)
    assert.equal(answer.status, 302, `${answer}`)
    assert.match((await stand.get('/about/')).text, /has sold the boat/)
    assert.ok((await stand.get('/archive/')).hit)
  })

  test('personal pages of signed-in readers are served to no other reader', async () => {
    const [bram, carys] = await Promise.all([new Reader(stand, { at: 'a' }).signIn('bram'), new Reader(stand, { at: 'a' }).signIn('carys')])
    const personal = ['/fragments/greeting/', '/accounts/profile/', `/comment/${FLASHES}/`, `/fragments/comment-form/${FLASHES}/`]
    const tokens = { Bram: new Set(), Carys: new Set() }
    for (let round = 0; round < 3; round++) {
      for (const at of ['a', 'b']) {
        for (const path of personal) {
          const [bramsPage, carysPage, anonymousPage] = await Promise.all([bram.get(path, { at }), carys.get(path, { at }), stand.get(path, { at })])
          assert.ok(!bramsPage.text.includes('Carys'), `${path}: Bram got\n${bramsPage}`)
          assert.ok(!carysPage.text.includes('Bram'), `${path}: Carys got\n${carysPage}`)
          assert.ok(!/Bram|Carys/.test(anonymousPage.text), `${path}: an anonymous reader got\n${anonymousPage}`)
          assert.match(bramsPage.text, /Bram/)
          assert.match(carysPage.text, /Carys/)
          // Readers without a session share a greeting.
          for (const answer of path === '/fragments/greeting/' ? [bramsPage, carysPage] : [bramsPage, carysPage, anonymousPage]) {
            assert.ok(!answer.hit && !answer.cache.has('stored'), `${path}\n${answer}`)
            assert.match(answer.field('cache-control'), /private/)
          }
          for (const [name, answer] of [['Bram', bramsPage], ['Carys', carysPage]]) {
            for (const [, token] of answer.text.matchAll(/csrfmiddlewaretoken" value="(\w+)"/g)) tokens[name].add(token)
          }
        }
      }
    }
    assert.ok(tokens.Bram.size > 5 && tokens.Carys.size > 5)
    assert.ok([...tokens.Bram].every((token) => !tokens.Carys.has(token)))
    const stolen = await carys.post(`/comment/${FLASHES}/`, { name: 'Carys', text: 'x', csrfmiddlewaretoken: [...tokens.Bram][0] })
    assert.equal(stolen.status, 403)
  })

  test('readers share a stored page, with their own names from fragments', async () => {
    const [bram, carys] = await Promise.all([new Reader(stand).signIn('bram'), new Reader(stand).signIn('carys')])
    bram.forget('wrote')
    carys.forget('wrote')
    const corner = ({ text }) => text.match(/<div class="reader">(.*?)<\/div>/s)?.[1]
    const rest = ({ text }) => text.replace(/<div class="reader">.*?<\/div>/s, '')
    for (const path of ['/', `/articles/${FLASHES}/`, '/archive/', '/search/?q=tide', '/nothing-here/']) {
      await stand.getHit(path)
      const requestCount = stand.requests().length
      const [bramsPage, carysPage, anonymousPage] = await Promise.all([bram.get(path), carys.get(path), stand.get(path)])
      for (const answer of [bramsPage, carysPage, anonymousPage]) {
        assert.ok(answer.hit, `${path}\n${answer}`)
        assert.equal(answer.field('cache-control'), 'private, no-cache')
        for (const name of ['etag', 'surrogate-control', 'cdn-cache-control', 'set-cookie']) assert.equal(answer.field(name), undefined, name)
        assert.equal(rest(answer), rest(anonymousPage))
        assert.ok(!answer.text.includes('<esi:'), `${path}\n${answer}`)
      }
      assert.match(corner(bramsPage), /^<span class="greeting">Good \w+, <a href="[^"]+">Bram<\/a>/)
      assert.match(corner(carysPage), /^<span class="greeting">Good \w+, <a href="[^"]+">Carys<\/a>/)
      assert.equal(corner(anonymousPage), '<a href="/accounts/profile/">Sign in</a>')
      const since = stand.requests(requestCount).map((line) => line.path)
      assert.deepEqual(since, ['/fragments/greeting/', '/fragments/greeting/'], 'Django got other requests than for two fragments')
    }
    // A page that bypasses the cache is sent as Django renders it, with the name.
    const own = await bram.get('/accounts/profile/')
    assert.match(corner(own), /Bram/)
    assert.match(own.field('cache-status'), /detail=rule$/)
  })

  test('ESI tags in comments are escaped', async () => {
    const page = `/articles/${FLASHES}/`
    const text = 'Look: <esi:include src="/fragments/greeting/"/><!--esi x-->'
    const writer = new Reader(stand)
    const answer = await writer.post(`/comment/${FLASHES}/`, { name: '<esi:remove>', text }, { from: `/fragments/comment-form/${FLASHES}/` })
    assert.equal(answer.status, 303, `${answer}`)
    for (const shown of [await stand.get(page), await stand.getHit(page)]) {
      assert.ok(shown.text.includes('Look: &lt;esi:include src=&quot;/fragments/greeting/&quot;/&gt;&lt;!--esi x--&gt;'), `${shown}`)
      assert.ok(shown.text.includes('&lt;esi:remove&gt;'))
    }
  })

  test('comment is visible to its writer at once in every isolate, and to others after the purge', async () => {
    const page = `/articles/${FLASHES}/`
    // Isolate a gets Django's purge, b the comment; c receives neither before max_purge_lag.
    for (const at of ['a', 'b', 'c']) await stand.getHit(page, { at })
    for (const at of ['a', 'b', 'c']) await stand.getHit('/', { at })
    const writer = new Reader(stand, { at: 'b' })
    const text = `I count along, ${Date.now()}.`
    const refused = await writer.post(`/comment/${FLASHES}/`, { name: 'Ines', text })
    assert.equal(refused.status, 403, 'a comment without a token is accepted')
    assert.ok((await stand.get(page, { at: 'a' })).hit, 'a refused comment has purged the page')
    const answer = await writer.post(`/comment/${FLASHES}/`, { name: 'Ines', text }, { from: `/fragments/comment-form/${FLASHES}/` })
    assert.equal(answer.status, 303, `${answer}`)
    const written = Date.now()
    for (const at of ['c', 'b', 'a']) {
      const own = await writer.get(page, { at })
      assert.ok(own.text.includes(text), `the comment is not visible to its writer in ${at}\n${own}`)
      assert.match(own.field('cache-status'), /fwd=bypass/)
    }
    assert.ok((await stand.get(page, { at: 'a' })).text.includes(text), 'the comment is not visible in the isolate that got the purge')
    await sleep(Math.max(0, written + LAG_SECONDS * 1000 - Date.now()))
    for (const at of ['b', 'c']) assert.ok((await stand.get(page, { at })).text.includes(text), `the comment is not visible in ${at} after max_purge_lag`)
    for (const at of ['a', 'b', 'c']) assert.ok((await stand.get('/', { at })).hit, 'a comment has purged the front page')
    writer.forget('wrote')
    assert.ok((await writer.get(page)).text.includes(text))
  })

  test('rollback purges nothing, and a commit of the same change purges once', async () => {
    const page = `/articles/${FLASHES}/`
    const change = (end) => `
from django.db import transaction
from blog.models import Article
try:
    with transaction.atomic():
        article = Article.objects.get(slug="${FLASHES}")
        article.summary = "It was never so dark."
        article.save()
        ${end}
except KeyError:
    pass`
    await stand.getHit(page)
    await stand.getHit('/')
    const purges = () => stand.log.filter((line) => line.event === 'purge').length
    const before = purges()
    await stand.python(change('raise KeyError'))
    await sleep(300)
    assert.equal(purges(), before)
    for (const path of [page, '/']) assert.ok((await stand.get(path)).hit, path)
    await stand.python(change('pass'))
    assert.equal(purges(), before + 1)
    for (const path of [page, '/']) assert.match((await stand.get(path)).text, /It was never so dark/, path)
  })

  test('uploaded picture is served under its digest as immutable', async () => {
    const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
    const page = await editor.get(`/write/${id}/`)
    const form = { ...formOf(page), csrfmiddlewaretoken: tokenOf(page) }
    const boundary = 'a-line-that-is-not-in-the-picture'
    const parts = Object.entries(form).flatMap(([name, value]) => [value].flat().map((each) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${each}\r\n`))
    const file = `--${boundary}\r\nContent-Disposition: form-data; name="cover"; filename="boat.png"\r\nContent-Type: image/png\r\n\r\n`
    const body = Buffer.concat([Buffer.from(parts.join('') + file), png, Buffer.from(`\r\n--${boundary}--\r\n`)])
    const answer = await editor.send(`/write/${id}/`, body, `multipart/form-data; boundary=${boundary}`)
    assert.equal(answer.status, 302, `${answer}`)
    const [cover] = (await stand.get('/')).text.match(/\/media\/covers\/[0-9a-f]{20}\.png/)
    const shown = await stand.getHit(cover)
    assert.deepEqual(shown.body, png)
    assert.equal(shown.field('content-type'), 'image/png')
    assert.match(shown.field('cache-control'), /immutable/)
  })

  test('conditional requests for the API, GraphQL and feeds get a 304 without Django', async () => {
    for (const path of [`/api/articles/${FLASHES}/`, `/graphql?query=${TITLES}`, '/feed/']) {
      const hit = await stand.getHit(path)
      const requestCount = stand.requests().length
      const again = await stand.get(path, { fields: [['If-None-Match', hit.field('etag')]] })
      assert.equal(again.status, 304, `${path}\n${again}`)
      assert.equal(again.body.length, 0)
      assert.equal(stand.requests().length, requestCount, 'Django got a request')
    }
  })

  test('stale pages are served while Django is down, and new ones after it restarts', async () => {
    const pages = [...SHOWS, ...OTHERS]
    const bram = await new Reader(stand).signIn('bram')
    bram.forget('wrote')
    for (const path of pages) await stand.getHit(path)
    await stand.django.stop('SIGKILL')
    try {
      await stand.purge({ purge_everything: true, soft: true })
      for (const path of pages) {
        const answer = await stand.get(path)
        assert.equal(answer.status, 200, `${path}\n${answer}`)
        assert.match(answer.field('cache-status'), /stale-(while-revalidate|if-error)/, path)
      }
      // 502, or 503 when the circuit breaker is open.
      assert.ok([502, 503].includes((await stand.get(`/comment/${FLASHES}/`)).status))
      // A signed-in reader gets the page without a greeting.
      const bramsPage = await bram.get('/archive/')
      assert.match(bramsPage.text, /<div class="reader"><\/div>/, `${bramsPage}`)
    } finally {
      await stand.startDjango()
    }
    const back = await until(async () => (await stand.get(`/comment/${FLASHES}/`)).status === 200, 60_000, 500)
    assert.ok(back, `the circuit breaker does not close\n${stand.about()}`)
    await retitle(editor, id, 'The harbour, after the flood')
    for (const path of SHOWS) assert.match((await stand.get(path)).text, /after the flood/, path)
  })
})
