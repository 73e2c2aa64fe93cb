// The blog in a real browser, through the worker: the layout of the pages, and personal fragments in them. Takes the
// screenshot for the README and docs/django.md.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { BLOG } from '../../scripts/django/venv.mjs'
import { Browser } from './browser.mjs'
import { findChromium } from './chromium.mjs'
import { LAG_SECONDS, PASSWORD, Stand, sleep } from './stand.mjs'

const PICTURE = join(BLOG, 'screenshot.png')
const PICTURE_BYTES_MAX = 300_000

const chromium = await findChromium()
const skip = chromium.missing ?? false
assert.ok(!skip || !process.env.REQUIRE_BROWSER, skip)

describe('in a browser', { skip, timeout: 600_000 }, () => {
  let stand
  let browser
  let site
  before(async () => {
    stand = await Stand.start()
    site = `http://${stand.host}`
    browser = await Browser.start(chromium)
  })
  after(async () => {
    await browser?.stop()
    await stand?.stop()
  })

  test('front page is complete, for the screenshot of the README', async () => {
    await browser.go(`${site}/`)
    const png = await browser.screenshot({ width: 1200, height: 1030 })
    assert.equal(await browser.evaluate('[...document.images].filter((img) => img.naturalWidth === 0).length'), 0)
    assert.equal(await browser.evaluate('document.querySelectorAll(".card").length'), 12)
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1200, 1030])
    assert.ok(png.length > 60_000 && png.length < PICTURE_BYTES_MAX, `${png.length} bytes`)
    if (process.env.UPDATE_SCREENSHOT) writeFileSync(PICTURE, png)
  })

  test('pages fit a narrow screen, and are dark if the browser prefers it', async () => {
    for (const path of ['/', '/articles/three-flashes-then-dark/', '/archive/', '/tags/', '/search/?q=tide', '/accounts/login/']) {
      await browser.go(`${site}${path}`)
      await browser.screenshot({ width: 360, height: 800, dark: true, mobile: true })
      const wide = await browser.evaluate('document.documentElement.scrollWidth')
      assert.ok(wide <= 360, `${path} is ${wide} wide`)
      const [red] = (await browser.evaluate('getComputedStyle(document.body).backgroundColor')).match(/\d+/)
      assert.ok(Number(red) < 60, `${path} is not dark`)
    }
    await browser.call('Emulation.clearDeviceMetricsOverride')
  })

  test('signed-in reader gets a greeting, comments on a page, and the comment is visible', async () => {
    const page = `${site}/articles/three-flashes-then-dark/`
    await browser.go(page)
    assert.equal(await browser.evaluate('document.querySelector(".reader").innerText'), 'Sign in')
    const requestCount = stand.requests().length
    await browser.go(page)
    assert.equal(stand.requests().length, requestCount, 'Django got a request of an anonymous reader')

    await browser.go(`${site}/accounts/login/`)
    await browser.follow(`document.querySelector('#id_username').value = 'bram'; document.querySelector('#id_password').value = '${PASSWORD}'; document.querySelector('form[method=post]').submit()`)
    await browser.go(page)
    await browser.waitFor('/Good \\w+, Bram/.test(document.querySelector(".reader").innerText)')

    await browser.evaluate('document.querySelector("[data-form]").click()')
    await browser.waitFor('document.querySelector(".new-comment #id_name")?.value === "Bram"')
    await browser.follow('document.querySelector("#id_text").value = "Seen from the pier."; document.querySelector(".new-comment form").submit()')
    await browser.waitFor('document.querySelector(".comment:target")?.innerText.includes("Seen from the pier.")')
    assert.match((await stand.get('/articles/three-flashes-then-dark/')).text, /Seen from the pier/)

    await browser.follow('document.querySelector(".reader form").submit()')
    await browser.go(page)
    assert.equal(await browser.evaluate('document.querySelector(".reader").innerText'), 'Sign in')
    assert.equal(await browser.evaluate('document.body.innerText.includes("Seen from the pier.")'), true)
    assert.deepEqual(browser.messages, [])
  })

  test('reader is told that the page has changed, and only if it has', async () => {
    const change = (slug, title) => stand.python(`from blog.models import Article; import edgekeep
article = Article.objects.get(slug='${slug}'); article.title = '${title}'; article.save(); edgekeep.flush(10)`)
    const notice = 'document.querySelector(".changed")?.innerText ?? ""'
    await browser.go(`${site}/articles/three-flashes-then-dark/`)
    // The page asks for its changes after five seconds; then the process connects to the edge, for its first reader.
    await sleep(6_500)
    await change('the-harbour-at-four-in-the-morning', 'Another one')
    await sleep(LAG_SECONDS * 1000 + 1_000)
    assert.equal(await browser.evaluate(notice), '')
    await change('three-flashes-then-dark', 'Four Flashes')
    await browser.waitFor(`(${notice}).includes("This page has changed")`)
    await browser.follow('document.querySelector(".changed a").click()')
    assert.equal(await browser.evaluate('document.querySelector("h1").innerText'), 'Four Flashes')
    assert.deepEqual(browser.messages, [])
  })
})
