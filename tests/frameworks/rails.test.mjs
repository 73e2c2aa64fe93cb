// profile = "rails" before Rails: a site made by `rails new`, with the sources in tests/frameworks/rails, which follow docs/frameworks/rails.md.
// A conversation of a reader, a visitor who comments and a member who edits. After each change, the edge must say what the origin says.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startWorker } from '../../scripts/workerd.mjs'
import { FORM, Ground, Reader, Tally, answers, form, freePort, missing, sleep } from './ground.mjs'

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
      ready: () => answers(origin),
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
  const past = (path) => ({ port: origin, host: `127.0.0.1:${origin}`, path, headers: { 'x-forwarded-host': host } })

  /** Fills in the form of a page, and sends it, through the edge. */
  async function send(reader, page, action, fields) {
    const { status, text } = await reader.ask(edge(page))
    assert.equal(status, 200, text)
    const token = /name="authenticity_token" value="([^"]*)"/.exec(text)?.[1]
    assert.ok(token, text)
    const answer = await reader.ask({ ...edge(action), method: 'POST', headers: FORM, body: form({ ...fields, authenticity_token: token }) })
    assert.equal(answer.status, 302, answer.text)
    return answer
  }

  /** Tokens are masked anew each time. */
  const clean = (text) => text.replace(/name="authenticity_token" value="[^"]*"/g, 'token')

  async function changed(label) {
    await sleep(LAG_SECONDS * 1000 + 300)
    const from = tally.differences.length
    for (const reader of [anonymous, visitor, member]) {
      for (const path of paths) {
        // The forms' session, which readers past the edge do not keep.
        const right = await new Copy(reader).ask(past(path))
        for (const again of reader === anonymous ? [1, 2, 3] : [1]) {
          tally.compare(`${label}, ${reader.name}, ${path}, ${again}`, await new Copy(reader).ask(edge(path)), right, { clean, counts: reader === anonymous })
        }
      }
    }
    assert.deepEqual(tally.differences.slice(from), [])
  }

  /** A reader whose cookies stay as they are: what comes in a comparison is another session. */
  class Copy extends Reader {
    constructor(reader) {
      super(reader.name)
      this.cookies = new Map(reader.cookies)
    }
  }

  const holds = async (path, words, reader = anonymous) => assert.ok((await reader.ask(edge(path))).text.includes(words), `${path} does not have ${words}`)

  it('answers like the origin, cold and warm', () => changed('at first'))

  it('a page for all is a hit, one that says nothing is not stored', async () => {
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

  it('an edit', async () => {
    await send(member, '/articles/1/edit', '/articles/1', { _method: 'patch', 'article[title]': 'Another title', 'article[text]': 'Another text.' })
    await holds('/articles/1', 'Saved.', member)
    await changed('an edit')
    await holds('/articles/1', 'Another text.')
    await holds('/articles/1.json', 'Another text.')
    await holds('/', 'Another title')
  })

  it('a comment, whose writer alone is thanked', async () => {
    await send(visitor, '/articles/2/comments/new', '/articles/2/comments', { 'comment[author]': 'Vera', 'comment[text]': 'A comment.' })
    await holds('/articles/2', 'Thanks.', visitor)
    await changed('a comment')
    await holds('/articles/2', 'Vera: A comment.')
    assert.ok(!(await anonymous.ask(edge('/articles/2'))).text.includes('Thanks.'))
  })

  it('a new article where there was none', async () => {
    assert.equal((await anonymous.ask(edge('/articles/5'))).status, 404)
    await send(member, '/articles/1/edit', '/articles', { 'article[title]': 'The fifth', 'article[text]': 'Five.' })
    await changed('a new article')
    await holds('/articles/5', 'Five.')
    await holds('/', 'The fifth')
  })

  it('a deletion', async () => {
    await send(member, '/articles/3/edit', '/articles/3', { _method: 'delete' })
    await changed('a deletion')
    assert.equal((await anonymous.ask(edge('/articles/3'))).status, 404)
  })

  it('a frame of a page, and what a script asks for, is no page', async () => {
    for (let n = 0; n < 2; n += 1) {
      // Vary names the second, not the first.
      for (const headers of [{ 'turbo-frame': 'x' }, { 'x-requested-with': 'XMLHttpRequest', accept: 'text/html, */*; q=0.01' }]) {
        const frame = await anonymous.ask({ ...edge('/articles/2'), headers })
        assert.ok(frame.text.startsWith('<turbo-frame>'), frame.text)
      }
      const page = await anonymous.ask(edge('/articles/2'))
      assert.ok(page.text.startsWith('<!DOCTYPE html>'), page.text)
    }
  })

  it('a page in two forms at one address', async () => {
    for (let n = 0; n < 2; n += 1) {
      const data = await anonymous.ask({ ...edge('/articles/2'), headers: { accept: 'application/json' } })
      assert.equal(JSON.parse(data.text).id, 2)
      const page = await anonymous.ask({ ...edge('/articles/2'), headers: { accept: 'text/html' } })
      assert.ok(page.text.startsWith('<!DOCTYPE html>'), page.text)
    }
  })

  it('an asset with a digest in its name is a hit', async () => {
    const name = readdirSync(join(root, 'public/assets')).find((file) => /^application-\w{64}\.css$/.test(file))
    await anonymous.ask(edge(`/assets/${name}`))
    await sleep(300)
    const { headers, text } = await anonymous.ask(edge(`/assets/${name}`))
    assert.match(headers['cache-status'], /; hit; ttl=3153\d{4}/)
    assert.equal(text, readFileSync(join(root, 'public/assets', name), 'utf8'))
  })

  it('an account is its reader\'s alone', async () => {
    await holds('/account', 'The account of Mia.', member)
    assert.equal((await anonymous.ask(edge('/account'))).status, 302)
    assert.ok(!(await visitor.ask(edge('/account'))).text.includes('Mia'))
  })

  it('most answers that may be stored were hits', () => {
    // Of ten addresses, five are for all; of three questions, the first comes after a purge.
    assert.ok(tally.hits / tally.asked > 0.25, tally.text)
    assert.equal(tally.differences.length, 0)
  })
})
