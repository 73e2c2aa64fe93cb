// The dashboard in a real Chromium, with the built worker behind it: sign-in, statistics, explanations, purges, history;
// its size and policy; a narrow screen, the keyboard, and axe-core. Takes the screenshot of docs/dashboard.md.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ROOT } from '../../scripts/tools.mjs'
import { Browser } from '../django/browser.mjs'
import { findChromium } from '../django/chromium.mjs'
import { SECRET, Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const TOKEN = `token_${'0123456789abcdef'.repeat(2)}`
const EDITOR = `token_${'fedcba9876543210'.repeat(2)}`
const LIMIT = { timeout: 120_000 }
const BYTES_MAX = 60_000
const PICTURE = join(ROOT, 'docs', 'dashboard.png')
const PICTURE_BYTES_MAX = 150_000
const FILES = ['', 'app.js', 'style.css']
/** A tag and a path that would run as HTML. */
const HOSTILE = '<img/src=x/onerror=document.title=1>'

const rules = {
  dashboard: true,
  stats_interval: 1,
  keys: [{ name: 'editor', secret: 'EDITOR_SECRETS', may: { tags: ['news*'] } }],
}
const start = (more = {}) => Stand.start({ rules: { ...rules, ...more }, vars: { EDITOR_SECRETS: EDITOR }, secrets: `${SECRET} ${TOKEN}` })

describe('the dashboard', LIMIT, () => {
  let stand, host
  before(async () => {
    stand = await start()
    host = new URL(stand.worker.url()).host
  })
  after(() => stand?.stop())

  it('is off unless it is switched on', async () => {
    const other = await start({ dashboard: false })
    try {
      for (const name of FILES) {
        const answer = await other.get('a.test', `/.edgekeep/${name}`)
        assert.equal(answer.status, 404, String(answer))
        assert.match(answer.text, /No such address/)
      }
    } finally {
      await other.stop()
    }
  })

  it('has a strict policy, is small, and is not stored', async () => {
    let bytes = 0
    for (const name of FILES) {
      const answer = await stand.get(host, `/.edgekeep/${name}`)
      assert.equal(answer.status, 200, String(answer))
      assert.equal(answer.field('content-security-policy'), "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
      assert.equal(answer.field('cache-control'), 'no-cache')
      assert.equal(answer.field('x-content-type-options'), 'nosniff')
      bytes += gzipSync(answer.text).length
      for (const known of [answer.field('etag'), `W/${answer.field('etag')}`, `"x", ${answer.field('etag')}`]) {
        const again = await stand.get(host, `/.edgekeep/${name}`, [['If-None-Match', known]])
        assert.deepEqual([again.status, again.text], [304, ''])
      }
      const head = await stand.send({ host, method: 'HEAD', path: `/.edgekeep/${name}` })
      assert.deepEqual([head.status, head.text], [200, ''])
      assert.equal((await stand.send({ host, method: 'POST', path: `/.edgekeep/${name}` })).status, 404)
    }
    assert.ok(bytes <= BYTES_MAX, `${bytes} bytes`)
    const { text: script } = await stand.get(host, '/.edgekeep/app.js')
    assert.match(script, /Copyright \(c\) 2022 Leon Sorokin[^]*Permission is hereby granted/, 'the licence of uPlot')
    assert.equal((await stand.inKv(host)).length, 0)
  })
})

const chromium = await findChromium()
const skip = chromium.missing ?? false
assert.ok(!skip || !process.env.REQUIRE_BROWSER, skip)

describe('the dashboard in a browser', { skip, ...LIMIT }, () => {
  let stand, host, site, browser
  before(async () => {
    stand = await start()
    site = stand.worker.url()
    host = new URL(site).host
    // The chart library does not know the language of the locale `C`.
    browser = await Browser.start({ ...chromium, env: { ...chromium.env, LC_ALL: 'en_US.UTF-8', LANGUAGE: 'en_US' } })
  })
  after(async () => {
    await browser?.stop()
    await stand?.stop()
  })

  const text = (id) => browser.evaluate(`document.getElementById(${JSON.stringify(id)}).innerText`)
  const click = (selector) => browser.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`)
  const type = (id, value) => browser.evaluate(`(() => {
    const field = document.getElementById(${JSON.stringify(id)})
    field.value = ${JSON.stringify(value)}
    for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }))
  })()`)
  async function shows(id, pattern, ms = 10_000) {
    let found = ''
    const done = await until(async () => pattern.test((found = await text(id))), ms, 100)
    assert.ok(done, `${id} does not show ${pattern}, but:\n${found}\n${browser.messages.join('\n')}`)
  }
  async function signIn(token = TOKEN, script) {
    await browser.go(`${site}/.edgekeep/`)
    await browser.evaluate('sessionStorage.clear()')
    await browser.go(`${site}/.edgekeep/`)
    if (script) await browser.evaluate(script)
    await type('token', token)
    await click('#sign-in button')
  }
  const signedIn = () => until(() => browser.evaluate('!document.getElementById("content").hidden'), 5_000, 50)

  /** Has some traffic in the statistics, all of it: a report may come between two requests. */
  let personal = 0
  async function traffic() {
    const fields = [['Cache-Control', 'max-age=600'], ['Cache-Tag', `news,${HOSTILE}`]]
    for (const name of ['a', 'b', 'c']) stand.origin.on(host, `/${name}`, { status: 200, fields, body: 'page'.repeat(100) })
    stand.origin.on(host, '/personal', { status: 200, fields: [['Cache-Control', 'private']], body: 'x' })
    for (const name of ['a', 'b', 'c']) await stand.getHit(host, `/${name}`)
    for (let n = 0; n < 20; n++) await stand.get(host, `/${'abc'[n % 3]}`)
    for (let n = 0; n < 4; n++, personal++) await stand.get(host, '/personal')
    const isCounted = await until(async () => {
      await stand.get(host, '/a')
      const answer = await stand.get(host, '/.edgekeep/stats', [['Authorization', `Bearer ${TOKEN}`]])
      const { rows } = JSON.parse(answer.text)
      return rows.reduce((sum, { reason, requests }) => sum + (reason === 'private' ? requests : 0), 0) === personal
    }, 10_000, 300)
    assert.ok(isCounted, 'the statistics lack requests')
  }

  it('refuses a wrong token, and keeps a right one in the tab only', async () => {
    await signIn(`token_${'x'.repeat(40)}`)
    await shows('status', /^This token is not accepted\.$/)
    assert.equal(await browser.evaluate('sessionStorage.length'), 0)
    await type('token', TOKEN)
    await click('#sign-in button')
    assert.ok(await signedIn())
    assert.deepEqual(await browser.evaluate('[localStorage.length, document.cookie, document.getElementById("token").value]'), [0, '', ''])
    await shows('figures', /Hit rate/)
    await click('#sign-out')
    const state = '[sessionStorage.length, document.getElementById("content").hidden, document.querySelectorAll("tbody tr").length].join()'
    assert.ok(await until(() => browser.evaluate(state).then((text) => text === '0,true,0', () => false), 5_000, 50), 'what was shown stays in the page')
  })

  it('shows statistics with the reasons of misses', async () => {
    await traffic()
    await signIn()
    await shows('figures', /Hit rate\s+\d+\.\d %\s+\d+\.\d %/)
    await shows('rules', /defaults\s+\d+\s+\d+\.\d %[^]*miss \(private\): 4/)
    await shows('breakers', /→ http:\/\/127\.0\.0\.1:\d+: closed/)
    assert.match(await browser.evaluate('document.getElementById("chart-requests").getAttribute("aria-label")'), /In the last hour: Requests \d+, Hits \d+\./)
    assert.equal(await browser.evaluate('document.querySelectorAll(".chart canvas").length'), 2)
  })

  it('explains, purges after a dry run, and follows the order in the history', async () => {
    await traffic()
    await signIn()
    await type('explain-url', `${site}/a?utm_source=x`)
    await click('#explain-form button')
    await shows('explanation', /hit – A client would get the stored response\.[^]*query dropped: utm_source=x \(drop_tracking\)[^]*cache-api: fresh, status 200/)
    await type('purge-kind', 'tags')
    await type('purge-values', HOSTILE)
    await click('#purge-form button')
    await shows('purge-result', /Dry run: nothing is done yet[^]*hard: tag:<img/)
    assert.ok((await stand.get(host, '/a')).hit, 'a dry run purges nothing')
    await type('purge-values', 'news')
    assert.equal(await text('purge-result'), '', 'a changed form needs another dry run')
    await click('#purge-form button')
    await shows('purge-result', /hard: tag:news/)
    await click('#purge-result button')
    await shows('purge-result', /In force everywhere\./)
    assert.ok(!(await stand.get(host, '/a')).hit)
    await shows('orders', /default\s+tag:news/)
    await type('explain-url', `${site}/b`)
    await click('#explain-form button')
    await shows('explanation', /cache-api: purged, [^]*hard purge \d+: tag:news/)
    await type('explain-url', 'http://other.test/')
    await click('#explain-form button')
    await shows('explanation', /the url has another host/)
  })

  it('is told of orders by events, without asking again', async () => {
    await signIn()
    const asked = () => browser.evaluate('performance.getEntriesByType("resource").filter(({ name }) => name.includes("purges?after")).length')
    // Two orders by events: then the connection is open, whatever was asked before.
    const order = async (tag) => {
      assert.equal((await stand.purge(host, { tags: [tag] })).status, 200)
      await shows('orders', new RegExp(`default\\s+tag:${tag}`))
    }
    await order('told-1')
    await order('told-2')
    const before = await asked()
    stand.origin.on(host, '/a', { status: 200, fields: [['Cache-Control', 'max-age=600']], body: 'page' })
    const receipt = await stand.purge(host, { files: [{ url: `${site}/a`, soft: true }], refresh: true })
    assert.equal(receipt.status, 200, String(receipt))
    await shows('orders', /\(soft\)\s+refresh: 1 done, 0 pending, 0 failed/)
    await sleep(6_000)
    assert.equal(await asked(), before)
  })

  it('reads the history again and again where no events come', async () => {
    await signIn(TOKEN, 'window.WebSocket = class { constructor() { throw new Error("not here") } }')
    assert.equal((await stand.purge(host, { tags: ['polled'] })).status, 200)
    await shows('orders', /default\s+tag:polled/)
  })

  it('needs a confirmation to purge everything', async () => {
    await signIn()
    assert.ok(await signedIn())
    await type('purge-kind', 'everything')
    await click('#purge-form button')
    await shows('purge-result', /hard: everything/)
    assert.equal(await browser.evaluate('document.querySelector("#purge-result button").disabled'), true)
    await click('#purge-confirm')
    assert.equal(await browser.evaluate('document.querySelector("#purge-result button").disabled'), false)
  })

  it('shows a limited key what it may, and what it may not', async () => {
    await signIn(EDITOR)
    await shows('statistics-problem', /only a key with stats = true or admin = true/)
    await type('purge-kind', 'tags')
    await type('purge-values', 'news-1\nother')
    await click('#purge-form button')
    await shows('purge-result', /tags\[1\]: the key editor may not purge tag:other[^]*cannot be sent/)
    assert.equal(await browser.evaluate('document.querySelectorAll("#purge-result button").length'), 0)
  })

  it('runs nothing that comes as text', async () => {
    await signIn()
    await type('purge-kind', 'tags')
    await type('purge-values', HOSTILE)
    await click('#purge-form button')
    await shows('purge-result', /hard: tag:<img/)
    await click('#purge-result button')
    await shows('orders', /tag:<img\/src=x/)
    assert.equal(await browser.evaluate('document.images.length'), 0)
    assert.equal(await browser.evaluate('document.title'), 'Edgekeep')
    assert.deepEqual(browser.messages, [])
  })

  it('works with the keyboard alone', async () => {
    await browser.go(`${site}/.edgekeep/`)
    await browser.evaluate('sessionStorage.clear()')
    await browser.go(`${site}/.edgekeep/`)
    const press = async (key, code, text) => {
      const more = { key, code, windowsVirtualKeyCode: { Tab: 9, Enter: 13, ' ': 32 }[key], ...(text && { text }) }
      for (const kind of ['keyDown', 'keyUp']) await browser.call('Input.dispatchKeyEvent', { type: kind, ...more })
    }
    const focused = () => browser.evaluate('document.activeElement.id || document.activeElement.innerText')
    for (let n = 0; n < 5 && (await focused()) !== 'token'; n++) await press('Tab', 'Tab')
    assert.equal(await focused(), 'token')
    await browser.call('Input.insertText', { text: TOKEN })
    await press('Enter', 'Enter', '\r')
    assert.ok(await signedIn())
    const seen = new Set()
    for (let n = 0; n < 40; n++) {
      await press('Tab', 'Tab')
      seen.add(await focused())
    }
    for (const id of ['explain-url', 'explain-fields', 'purge-kind', 'purge-values', 'purge-soft', 'Dry run', 'Explain', 'History']) assert.ok(seen.has(id), `${id} of ${[...seen]}`)
  })

  it('fits a narrow screen, in light and dark, without violations of axe', async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    await traffic()
    await signIn()
    await shows('rules', /defaults/)
    await type('explain-url', `${site}/a`)
    await click('#explain-form button')
    await shows('explanation', /Cache-Status/)
    for (const view of [{ width: 360, height: 800, mobile: true, dark: true }, { width: 1200, height: 1500 }]) {
      const png = await browser.screenshot(view)
      if (view.width === 360) {
        const wide = await browser.evaluate('document.documentElement.scrollWidth')
        assert.ok(wide <= 360, `it is ${wide} wide`)
        const [red] = (await browser.evaluate('getComputedStyle(document.body).backgroundColor')).match(/\d+/)
        assert.ok(Number(red) < 60, 'it is not dark')
      } else {
        assert.ok(png.length > 20_000 && png.length < PICTURE_BYTES_MAX, `${png.length} bytes`)
        if (process.env.UPDATE_SCREENSHOT) writeFileSync(PICTURE, png)
      }
      await browser.evaluate(axe)
      const violations = await browser.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
        .then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])))`)
      assert.equal(violations, '[]')
    }
    await browser.call('Emulation.clearDeviceMetricsOverride')
  })
})
