// profile = "rails" in front of Rails: a site made by `rails new` with the sources in tests/frameworks/rails, which follow
// docs/frameworks/rails.md. An anonymous reader, a commenting visitor and an editing member. After each change, the edge's
// responses must equal the origin's.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startWorker } from '../../scripts/workerd.mjs'
import { FORM, Ground, Reader, Tally, responds, form, freePort, missing, sleep } from './ground.mjs'

const TOKEN = `token_${'rails'.repeat(8)}`
const LAG_SECONDS = 1
const WITHOUT = ['git', 'bundle', 'javascript', 'spring', 'listen', 'bootsnap', 'action-mailer', 'action-mailbox', 'action-text', 'active-storage', 'action-cable', 'test', 'system-test']

const lacks = missing({
  programs: { rails: 'ruby-rails', bundle: 'ruby-rails', puma: 'puma' },
  files: { '/usr/share/doc/ruby-sqlite3': 'ruby-sqlite3' },
})

describe('Rails', { skip: lacks, timeout: 900_000 }, () => {
  const ground = new Ground()
  const tally = new Tally()
  const anonymous = new Reader('anonymous')
  const visitor = new Reader('visitor')
  const member = new Reader('member')
  const paths = ['/', '/articles/1', '/articles/2', '/articles/1.json', '/articles/5', '/news', '/articles/1/comments/new', '/session/new', '/account', '/articles/3/edit']
  let worker, host, origin, root

  before(async () => {
    const port = await freePort()
    origin = await freePort()
    host = `127.0.0.1:${port}`
    ground.run('rails', ['new', 'app', ...WITHOUT.map((name) => `--skip-${name}`)], { cwd: ground.folder })
    root = join(ground.folder, 'app')
    cpSync(fileURLToPath(new URL('rails', import.meta.url)), root, { recursive: true })
    const env = { ...process.env, RAILS_ENV: 'production', SECRET_KEY_BASE: 'of-a-test', SITE_HOST: host, EDGEKEEP_TOKEN: TOKEN }
    ground.run('bin/rails', ['db:schema:load', 'db:seed', 'assets:precompile'], { cwd: root, env })
    await ground.start('bundle', ['exec', 'puma', '-e', 'production', '-b', `tcp://127.0.0.1:${origin}`, '-C', '-'], {
      cwd: root,
      env: { ...env, SITE: `http://${host}` },
      ready: () => responds(origin),
    })
    worker = await startWorker({ rules: { origin: `http://127.0.0.1:${origin}`, profile: 'rails', max_purge_lag: LAG_SECONDS }, secrets: TOKEN, port, onLog: () => {} })
    const signedIn = await send(member, '/session/new', '/session', { name: 'Mia' })
    assert.equal(signedIn.status, 302, signedIn.text)
  })
  after(async () => {
    await worker?.stop()
    await ground.stop()
    if (tally.compared > 0) console.log(`Rails: ${tally.text}`)
  })

  const edge = (path) => ({ port: Number(host.split(':')[1]), host, path })
  const direct = (path) => ({ port: origin, host: `127.0.0.1:${origin}`, path, headers: { 'x-forwarded-host': host } })

  /** Sends the form of a page through the edge. */
  async function send(reader, page, action, fields) {
    const { status, text } = await reader.ask(edge(page))
    assert.equal(status, 200, text)
    const token = /name="authenticity_token" value="([^"]*)"/.exec(text)?.[1]
    assert.ok(token, text)
    const answer = await reader.ask({ ...edge(action), method: 'POST', headers: FORM, body: form({ ...fields, authenticity_token: token }) })
    assert.equal(answer.status, 302, answer.text)
    return answer
  }

  /** Removes tokens, which have a new mask in each response. */
  const clean = (text) => text.replace(/name="authenticity_token" value="[^"]*"/g, 'token')

  async function compareAfter(label) {
    await sleep(LAG_SECONDS * 1000 + 300)
    const from = tally.differences.length
    for (const reader of [anonymous, visitor, member]) {
      for (const path of paths) {
        // A copy, because the sessions of forms are not kept.
        const right = await new Copy(reader).ask(direct(path))
        for (const again of reader === anonymous ? [1, 2, 3] : [1]) {
          tally.compare(`${label}, ${reader.name}, ${path}, ${again}`, await new Copy(reader).ask(edge(path)), right, { clean, counts: reader === anonymous })
        }
      }
    }
    assert.deepEqual(tally.differences.slice(from), [])
  }

  /** A copy of a reader, so that cookies of a comparison do not change the reader's session. */
  class Copy extends Reader {
    constructor(reader) {
      super(reader.name)
      this.cookies = new Map(reader.cookies)
    }
  }

  const assertShows = async (path, words, reader = anonymous) => assert.ok((await reader.ask(edge(path))).text.includes(words), `${path} does not contain ${words}`)

  it('responses equal the origin, on misses and hits', () => compareAfter('at first'))

  it('public page is a hit; page without Cache-Control of the site is not stored', async () => {
    const { headers } = await anonymous.ask(edge('/articles/2'))
    assert.match(headers['cache-status'], /; hit/)
    assert.equal(headers['set-cookie'], undefined)
    assert.ok(!/vary-on-dropped/.test((await anonymous.ask(edge('/articles/2?x=1'))).headers['cache-status']))
    for (let n = 0; n < 2; n += 1) {
      const news = await anonymous.ask(edge('/news'))
      assert.match(news.headers['cache-status'], /fwd-status=200; detail=\S*private/)
      const formPage = await new Reader('another').ask(edge('/articles/1/comments/new'))
      assert.match(formPage.headers['set-cookie']?.join(' ') ?? '', /_app_session=/)
    }
  })

  it('edit is visible on every page with it', async () => {
    await send(member, '/articles/1/edit', '/articles/1', { _method: 'patch', 'article[title]': 'Another title', 'article[text]': 'Another text.' })
    await assertShows('/articles/1', 'Saved.', member)
    await compareAfter('an edit')
    await assertShows('/articles/1', 'Another text.')
    await assertShows('/articles/1.json', 'Another text.')
    await assertShows('/', 'Another title')
  })

  it('comment is visible to all, and its flash message only to its writer', async () => {
    await send(visitor, '/articles/2/comments/new', '/articles/2/comments', { 'comment[author]': 'Vera', 'comment[text]': 'A comment.' })
    await assertShows('/articles/2', 'Thanks.', visitor)
    await compareAfter('a comment')
    await assertShows('/articles/2', 'Vera: A comment.')
    assert.ok(!(await anonymous.ask(edge('/articles/2'))).text.includes('Thanks.'))
  })

  it('new article replaces a stored 404', async () => {
    assert.equal((await anonymous.ask(edge('/articles/5'))).status, 404)
    await send(member, '/articles/1/edit', '/articles', { 'article[title]': 'The fifth', 'article[text]': 'Five.' })
    await compareAfter('a new article')
    await assertShows('/articles/5', 'Five.')
    await assertShows('/', 'The fifth')
  })

  it('deleted article is a 404', async () => {
    await send(member, '/articles/3/edit', '/articles/3', { _method: 'delete' })
    await compareAfter('a deletion')
    assert.equal((await anonymous.ask(edge('/articles/3'))).status, 404)
  })

  it('Turbo frames and XMLHttpRequest responses are not served as pages', async () => {
    for (let n = 0; n < 2; n += 1) {
      // Vary lists the field of the second, not of the first.
      for (const headers of [{ 'turbo-frame': 'x' }, { 'x-requested-with': 'XMLHttpRequest', accept: 'text/html, */*; q=0.01' }]) {
        const frame = await anonymous.ask({ ...edge('/articles/2'), headers })
        assert.ok(frame.text.startsWith('<turbo-frame>'), frame.text)
      }
      const page = await anonymous.ask(edge('/articles/2'))
      assert.ok(page.text.startsWith('<!DOCTYPE html>'), page.text)
    }
  })

  it('JSON and HTML of one URL are separate variants', async () => {
    for (let n = 0; n < 2; n += 1) {
      const data = await anonymous.ask({ ...edge('/articles/2'), headers: { accept: 'application/json' } })
      assert.equal(JSON.parse(data.text).id, 2)
      const page = await anonymous.ask({ ...edge('/articles/2'), headers: { accept: 'text/html' } })
      assert.ok(page.text.startsWith('<!DOCTYPE html>'), page.text)
    }
  })

  it('asset with a digest in its name is a hit', async () => {
    const name = readdirSync(join(root, 'public/assets')).find((file) => /^application-\w{64}\.css$/.test(file))
    await anonymous.ask(edge(`/assets/${name}`))
    await sleep(300)
    const { headers, text } = await anonymous.ask(edge(`/assets/${name}`))
    assert.match(headers['cache-status'], /; hit; ttl=3153\d{4}/)
    assert.equal(text, readFileSync(join(root, 'public/assets', name), 'utf8'))
  })

  it('account page is served only to its reader', async () => {
    await assertShows('/account', 'The account of Mia.', member)
    assert.equal((await anonymous.ask(edge('/account'))).status, 302)
    assert.ok(!(await visitor.ask(edge('/account'))).text.includes('Mia'))
  })

  it('more than a quarter of the anonymous responses were hits', () => {
    // Five of ten URLs are public; the first of three requests follows a purge.
    assert.ok(tally.hits / tally.countable > 0.25, tally.text)
    assert.equal(tally.differences.length, 0)
  })
})
