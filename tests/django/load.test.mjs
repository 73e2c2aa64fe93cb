// Requests for the blog's pages, some of which are wanted far more often than others (Zipf's law): what of them Django hears, with
// and without the worker before it. docs/django.md shows the table that this prints with LOAD_REQUESTS=1000.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startBlog } from '../../scripts/django/blog.mjs'
import { send } from '../workerd/wire.mjs'
import { Reader, Stand, formOf, freePort, tokenOf } from './stand.mjs'

/** Three times these take half a minute; a thousand took two. */
const REQUESTS = Number(process.env.LOAD_REQUESTS ?? 300)
const EDIT_EVERY = 50

describe(`${REQUESTS} requests`, { timeout: 1_200_000 }, () => {
  let stand
  let twin // the same blog in another process, whose requests are not counted: what Django itself would say now
  let pages
  let wanted
  const rows = []

  before(async () => {
    stand = await Stand.start({ processes: 1 })
    twin = await startBlog({ port: await freePort(), env: { ...stand.env, BLOG_REQUEST_LOG: '' }, workers: 1, onLog: () => {} })
    pages = await allPages()
    wanted = zipf(pages.length, REQUESTS)
  })
  after(async () => {
    await twin?.stop()
    await stand?.stop()
  })

  test('straight to Django', async () => {
    rows.push(await play('straight to Django', { base: stand.django.url }))
    assert.equal(rows.at(-1).asked, REQUESTS)
  })

  test('behind the worker, Django is asked once for each page', async () => {
    const row = await play('behind Edgekeep')
    rows.push(row)
    const distinct = new Set(wanted).size
    assert.ok(row.asked >= distinct && row.asked <= distinct + 3, `${row.asked} requests for ${distinct} pages\n${stand.about()}`)
    assert.ok(row.hits >= REQUESTS - distinct - 3)
    assert.ok(row.queries < rows[0].queries)
  })

  test('with an edit now and then, no answer is old, and little is asked again', async () => {
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
    assert.ok(row.asked <= rows[1].asked + 9 * (REQUESTS / EDIT_EVERY), `${row.asked}`)
    // A page is asked for anew when it was never wanted before, and after an edit that shows on it.
    assert.ok(row.hits >= rows[1].hits - 9 * (REQUESTS / EDIT_EVERY), `${row.hits}`)
    console.log(`${pages.length} pages, of which ${new Set(wanted).size} were wanted\n${table(rows)}`)
  })

  async function play(name, { base, between = async () => {}, compare = false } = {}) {
    const from = stand.requests().length
    const times = []
    let hits = 0
    let wrong = 0
    for (const [number, rank] of wanted.entries()) {
      const path = pages[rank]
      const start = performance.now()
      const fields = base ? [['X-Forwarded-Host', stand.host]] : []
      const asking = base ? send(base, { host: stand.host, path, fields }) : stand.get(path)
      const answer = await asking.catch((error) => assert.fail(`request ${number}: ${error.message}\n${stand.about()}`))
      times.push(performance.now() - start)
      assert.equal(answer.status, 200, `request ${number}: ${path}\n${answer}\n${stand.about()}`)
      hits += answer.hit
      if (compare && answer.hit) wrong += (await send(twin.url, { host: stand.host, path, fields: [['X-Forwarded-Host', stand.host]] })).text !== answer.text
      await between(number)
    }
    const asked = stand.requests(from).filter(({ path }) => !/^\/(admin|accounts)\//.test(path)) // without the editor's own
    const sum = (field) => asked.reduce((total, line) => total + line[field], 0)
    times.sort((a, b) => a - b)
    return { name, hits, wrong, asked: asked.length, queries: sum('queries'), ms: sum('ms'), median: times[Math.floor(REQUESTS / 2)] }
  }

  async function edit(editor, article, number) {
    const address = `/admin/blog/article/${Math.ceil(article)}/change/`
    const page = await editor.get(address)
    const form = { ...formOf(page), csrfmiddlewaretoken: tokenOf(page), summary: `As it is since request ${number}.` }
    const answer = await editor.post(address, form)
    assert.equal(answer.status, 302, `${answer}`)
  }

  /** Every page that a reader or a program may ask for: what the sitemap names, the pages of lists, months, feeds, the API. */
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

/** A die that always falls the same way: mulberry32. */
function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function shuffled(things) {
  const roll = dice(1)
  const found = [...things]
  for (let i = found.length - 1; i > 0; i--) {
    const j = Math.floor(roll() * (i + 1))
    ;[found[i], found[j]] = [found[j], found[i]]
  }
  return found
}

/** `count` ranks below `size`: the page of rank r is wanted 1/(r+1) as often as the first. */
function zipf(size, count) {
  const roll = dice(2)
  const sums = []
  for (let rank = 0; rank < size; rank++) sums.push((sums.at(-1) ?? 0) + 1 / (rank + 1))
  return Array.from({ length: count }, () => {
    const at = roll() * sums.at(-1)
    return sums.findIndex((sum) => sum > at)
  })
}

function table(rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    line(['', ...rows.map((row) => row.name)]),
    line(['---', ...rows.map(() => '---')]),
    line(['hits', ...rows.map((row) => `${((row.hits * 100) / REQUESTS).toFixed(1)} %`)]),
    line(['requests to Django', ...rows.map((row) => row.asked)]),
    line(['database queries', ...rows.map((row) => row.queries)]),
    line(["Django's time", ...rows.map((row) => `${(row.ms / 1000).toFixed(1)} s`)]),
    line(['median answer', ...rows.map((row) => `${row.median.toFixed(1)} ms`)]),
    line(['old answers', ...rows.map((row) => row.wrong)]),
  ].join('\n')
}
