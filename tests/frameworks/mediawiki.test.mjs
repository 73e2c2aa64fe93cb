// profile = "mediawiki" in front of MediaWiki with SQLite, with purges by examples/mediawiki/EdgekeepRelayer.php: two readers,
// edits, a new page, a template, a move and a deletion. After each change, the edge's responses must equal the origin's.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startWorker } from '../../scripts/workerd.mjs'
import { FORM, Ground, Reader, Tally, responds, form, freePort, missing, sleep } from './ground.mjs'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const MEDIAWIKI = '/usr/share/mediawiki'
const LAG_SECONDS = 1
const here = (name) => fileURLToPath(new URL(name, import.meta.url))

const lacks = missing({
  files: { [`${MEDIAWIKI}/includes/WebStart.php`]: 'mediawiki' },
  programs: { php: 'php-cli' },
  php: ['sqlite3', 'curl', 'mbstring', 'intl', 'xml'],
})

describe('MediaWiki', { skip: lacks, timeout: 900_000 }, () => {
  const ground = new Ground()
  const tally = new Tally()
  const anonymous = new Reader('anonymous')
  const editor = new Reader('editor')
  let worker, host, origin, config
  const paths = ['/index.php/Main_Page', '/index.php/Page_one', '/index.php/Page_two', '/index.php?title=Page_one&action=history', '/index.php?title=Page_one&action=raw', '/index.php/Template:Box', '/index.php/Nothing_here', '/index.php/Moved_page']

  before(async () => {
    const port = await freePort()
    origin = await freePort()
    host = `127.0.0.1:${port}`
    const database = join(ground.folder, 'db')
    mkdirSync(database)
    ground.run('php', [`${MEDIAWIKI}/maintenance/install.php`, '--dbtype=sqlite', `--dbpath=${database}`, '--dbname=wiki', `--server=http://${host}`, '--scriptpath=', '--pass=secret-of-editor', `--confpath=${ground.folder}`, 'A wiki', 'Editor'])
    config = join(ground.folder, 'LocalSettings.php')
    const relayer = join(ground.folder, 'EdgekeepRelayer.php')
    copyFileSync(here('../../examples/mediawiki/EdgekeepRelayer.php'), relayer)
    appendFileSync(config, `
require_once '${relayer}';
$wgUseCdn = true;
$wgCdnServersNoPurge = [ '127.0.0.1' ];
$wgCdnMaxAge = 3600;
$wgEventRelayerConfig['cdn-url-purges'] = [ 'class' => EdgekeepRelayer::class, 'site' => 'http://${host}', 'secret' => '${SECRET}' ];
$wgJobRunRate = 0;
$wgMainCacheType = CACHE_DB;
$wgParserOutputHooks = [];
$wgRateLimits = [];
`)
    await ground.start('php', ['-S', `127.0.0.1:${origin}`, '-t', MEDIAWIKI], {
      env: { ...process.env, PHP_CLI_SERVER_WORKERS: '4', MW_CONFIG_FILE: config },
      ready: () => responds(origin),
    })
    worker = await startWorker({ rules: { origin: `http://127.0.0.1:${origin}`, profile: 'mediawiki', max_purge_lag: LAG_SECONDS }, secrets: SECRET, port, onLog: () => {} })
    const { text } = await editor.ask(edge('/api.php?action=query&meta=tokens&type=login&format=json'))
    const lgtoken = JSON.parse(text).query.tokens.logintoken
    const login = await editor.ask({ ...edge('/api.php?action=login&format=json'), method: 'POST', headers: FORM, body: form({ lgname: 'Editor', lgpassword: 'secret-of-editor', lgtoken }) })
    assert.equal(JSON.parse(login.text).login.result, 'Success', login.text)
    await edit('Template:Box', 'The box, first.')
    await edit('Page one', 'Text of one. {{Box}}')
    await edit('Page two', 'Text of two.')
    runJobs()
  })
  after(async () => {
    await worker?.stop()
    await ground.stop()
    if (tally.compared > 0) console.log(`MediaWiki: ${tally.text}`)
  })

  const edge = (path) => ({ port: Number(host.split(':')[1]), host, path })
  const direct = (path) => ({ port: origin, host, path })
  const runJobs = () => ground.run('php', [`${MEDIAWIKI}/maintenance/runJobs.php`, `--conf=${config}`])

  /** Sends a call of the editor to the API through the edge. */
  async function act(fields) {
    const { text } = await editor.ask(edge('/api.php?action=query&meta=tokens&format=json'))
    const token = JSON.parse(text).query.tokens.csrftoken
    const answer = await editor.ask({ ...edge('/api.php'), method: 'POST', headers: FORM, body: form({ ...fields, format: 'json', token }) })
    assert.ok(!answer.text.includes('"error"'), answer.text)
  }
  const edit = (title, text) => act({ action: 'edit', title, text })

  /** Removes differences between two responses of MediaWiki itself. */
  const clean = (text) =>
    text
      .replace(/"wgRequestId":"[^"]*"|"wgBackendResponseTime":\d+|"wgPageParseReport":\{.*?\}\}\}?/gs, 'own')
      .replace(/<!--.*?-->/gs, '')
      .replace(/"(csrfToken|patrolToken|watchToken)":"[^"]*"/g, 'token')
      .replace(/"(wgUserNewMsgRevisionId|wgUserEditCount)":[^,}]*/g, 'count')

  async function compareAfter(label) {
    runJobs()
    await sleep(LAG_SECONDS * 1000 + 300)
    const from = tally.differences.length
    for (const reader of [anonymous, editor]) {
      for (const path of paths) {
        const right = await reader.ask(direct(path))
        for (const again of reader === anonymous ? [1, 2, 3] : [1]) {
          tally.compare(`${label}, ${reader.name}, ${path}, ${again}`, await reader.ask(edge(path)), right, { clean, counts: reader === anonymous })
        }
      }
    }
    assert.deepEqual(tally.differences.slice(from), [])
  }
  const assertShows = async (path, words) => assert.ok((await anonymous.ask(edge(path))).text.includes(words), `${path} does not contain ${words}`)

  it('responses equal the origin, on misses and hits', () => compareAfter('at first'))

  it('edit is visible after its purge', async () => {
    await edit('Page one', 'Other text of one. {{Box}}')
    await compareAfter('an edit')
    await assertShows('/index.php/Page_one', 'Other text of one.')
  })

  it('edit of a template is visible on the pages with it', async () => {
    await edit('Template:Box', 'The box, second.')
    await compareAfter('a template')
    await assertShows('/index.php/Page_one', 'The box, second.')
  })

  it('new page replaces a stored 404', async () => {
    await edit('Nothing here', 'Something.')
    await compareAfter('a new page')
    await assertShows('/index.php/Nothing_here', 'Something.')
  })

  it('moved page is visible at its new URL', async () => {
    await act({ action: 'move', from: 'Page two', to: 'Moved page' })
    await compareAfter('a move')
    await assertShows('/index.php/Moved_page', 'Text of two.')
  })

  it('deleted page is a 404', async () => {
    await act({ action: 'delete', title: 'Page one' })
    await compareAfter('a deletion')
    assert.equal((await anonymous.ask(edge('/index.php/Page_one'))).status, 404)
  })

  it('more than a fifth of the anonymous responses were hits', () => {
    assert.ok(tally.hits / tally.countable > 0.2, tally.text)
    assert.equal(tally.differences.length, 0)
  })
})
