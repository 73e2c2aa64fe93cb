// Requests for the blog's pages by Zipf's law: how many of them reach Django, with and without the worker. docs/django.md has
// the table that this test prints with LOAD_REQUESTS=1000.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startBlog } from '../../scripts/django/blog.mjs'
import { send } from '../workerd/wire.mjs'
import { Reader, Stand, formOf, freePort, tokenOf } from './stand.mjs'

/** Three runs of 300 take half a minute; of a thousand, two minutes. */
const REQUESTS = Number(process.env.LOAD_REQUESTS ?? 300)
const EDIT_EVERY = 50

describe(`${REQUESTS} requests`, { timeout: 1_200_000 }, () => {
  let stand
  let twin // the same blog in another process, whose requests are not counted, for comparison
  let pages
  let ranks
  const rows = []

  before(async () => {
    stand = await Stand.start({ processes: 1 })
    twin = await startBlog({ port: await freePort(), env: { ...stand.env, BLOG_REQUEST_LOG: '' }, workers: 1, onLog: () => {} })
    pages = await allPages()
    ranks = zipf(pages.length, REQUESTS)
  })
  after(async () => {
    await twin?.stop()
    await stand?.stop()
  })

  test('requests without the worker all reach Django', async () => {
    rows.push(await play('straight to Django', { base: stand.django.url }))
    assert.equal(rows.at(-1).requests, REQUESTS)
  })

  test('Django gets one request for each page behind the worker', async () => {
    const row = await play('behind Edgekeep')
    rows.push(row)
    const distinct = new Set(ranks).size
    assert.ok(row.requests >= distinct && row.requests <= distinct + 3, `${row.requests} requests for ${distinct} pages\n${stand.about()}`)
    assert.ok(row.hits >= REQUESTS - distinct - 3)
    assert.ok(row.queries < rows[0].queries)
  })

  test('edits leave no outdated hit, and only pages with the edit are fetched again', async () => {
    await stand.purge({ purge_everything: true })
    await stand.django.stop()
    await stand.startDjango() // with an empty application tier, as before
    const editor = await new Reader(stand).signIn('ada')
    const row = await play(`… and an edit every ${EDIT_EVERY} requests`, {
      between: async (number) => {
        if (number % EDIT_EVERY === EDIT_EVERY - 1) await edit(editor, 300 - number / EDIT_EVERY, number)
      },
      compare: true,
    })
    rows.push(row)
    assert.equal(row.wrong, 0)
    assert.ok(row.requests <= rows[1].requests + 9 * (REQUESTS / EDIT_EVERY), `${row.requests}`)
    // A page is fetched for its first request, and after an edit that it shows.
    assert.ok(row.hits >= rows[1].hits - 9 * (REQUESTS / EDIT_EVERY), `${row.hits}`)
    console.log(`${pages.length} pages, of which ${new Set(ranks).size} were requested\n${table(rows)}`)
  })

  async function play(name, { base, between = async () => {}, compare = false } = {}) {
    const from = stand.requests().length
    const times = []
    let hits = 0
    let wrong = 0
    for (const [number, rank] of ranks.entries()) {
      const path = pages[rank]
      const start = performance.now()
      const fields = base ? [['X-Forwarded-Host', stand.host]] : []
      const response = base ? send(base, { host: stand.host, path, fields }) : stand.get(path)
      const answer = await response.catch((error) => assert.fail(`request ${number}: ${error.message}\n${stand.about()}`))
      times.push(performance.now() - start)
      assert.equal(answer.status, 200, `request ${number}: ${path}\n${answer}\n${stand.about()}`)
      hits += answer.hit
      if (compare && answer.hit) wrong += (await send(twin.url, { host: stand.host, path, fields: [['X-Forwarded-Host', stand.host]] })).text !== answer.text
      await between(number)
    }
    const requests = stand.requests(from).filter(({ path }) => !/^\/(admin|accounts)\//.test(path)) // without the editor's requests
    const sum = (field) => requests.reduce((total, line) => total + line[field], 0)
    times.sort((a, b) => a - b)
    return { name, hits, wrong, requests: requests.length, queries: sum('queries'), ms: sum('ms'), median: times[Math.floor(REQUESTS / 2)] }
  }

  async function edit(editor, article, number) {
    const address = `/admin/blog/article/${Math.ceil(article)}/change/`
    const page = await editor.get(address)
    const form = { ...formOf(page), csrfmiddlewaretoken: tokenOf(page), summary: `As it is since request ${number}.` }
    const answer = await editor.post(address, form)
    assert.equal(answer.status, 302, `${answer}`)
  }

  /** Every page that a reader or a program may request: those of the sitemap, of lists, months, feeds, the API. */
  async function allPages() {
    const ask = async (path) => (await send(twin.url, { host: stand.host, path })).text
    const named = [...(await ask('/sitemap.xml')).matchAll(/<loc>http:\/\/[^/]+([^<]*)<\/loc>/g)].map(([, path]) => path)
    const months = [...(await ask('/archive/')).matchAll(/href="(\/archive\/\d+\/\d+\/)"/g)].map(([, path]) => path)
    const feeds = ['/feed/', ...named.filter((path) => /^\/tags\/./.test(path)).map((path) => `${path}feed/`)]
    const lists = Array.from({ length: 22 }, (_, i) => `/page/${i + 2}/`)
    const api = Array.from({ length: 15 }, (_, i) => `/api/articles/?page=${i + 1}`)
    const others = [...named.filter((path) => path !== '/'), ...months, ...feeds, ...lists, ...api]
    return ['/', ...shuffled(others)]
  }
})

/** A seeded generator of numbers from 0 up to 1: mulberry32. */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function shuffled(things) {
  const next = generator(1)
  const found = [...things]
  for (let i = found.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    ;[found[i], found[j]] = [found[j], found[i]]
  }
  return found
}

/** `count` ranks below `size`: the page of rank r is requested 1/(r+1) as often as the first. */
function zipf(size, count) {
  const next = generator(2)
  const sums = []
  for (let rank = 0; rank < size; rank++) sums.push((sums.at(-1) ?? 0) + 1 / (rank + 1))
  return Array.from({ length: count }, () => {
    const at = next() * sums.at(-1)
    return sums.findIndex((sum) => sum > at)
  })
}

function table(rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    line(['', ...rows.map((row) => row.name)]),
    line(['---', ...rows.map(() => '---')]),
    line(['hits', ...rows.map((row) => `${((row.hits * 100) / REQUESTS).toFixed(1)} %`)]),
    line(['requests to Django', ...rows.map((row) => row.requests)]),
    line(['database queries', ...rows.map((row) => row.queries)]),
    line(["Django's time", ...rows.map((row) => `${(row.ms / 1000).toFixed(1)} s`)]),
    line(['median answer', ...rows.map((row) => `${row.median.toFixed(1)} ms`)]),
    line(['old answers', ...rows.map((row) => row.wrong)]),
  ].join('\n')
}
