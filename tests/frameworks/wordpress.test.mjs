// profile = "wordpress" in front of WordPress, with clients/wordpress/edgekeep.php: three readers, edits, comments, changes of
// status, menus, themes and options. After each change, the edge's responses must equal the origin's for the same reader.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startWorker } from '../../scripts/workerd.mjs'
import { FORM, Ground, Reader, Tally, responds, form, freePort, missing, sleep } from './ground.mjs'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const WORDPRESS = '/usr/share/wordpress'
const LAG_SECONDS = 1
const here = (name) => fileURLToPath(new URL(name, import.meta.url))

const lacks = missing({
  files: {
    [`${WORDPRESS}/wp-load.php`]: 'wordpress',
    [`${WORDPRESS}/wp-content/themes/twentytwentyone/style.css`]: 'wordpress-theme-twentytwentyone',
    [`${WORDPRESS}/wp-content/themes/twentytwentythree/style.css`]: 'wordpress-theme-twentytwentythree',
  },
  programs: { php: 'php-cli', mariadbd: 'mariadb-server-core', 'mariadb-install-db': 'mariadb-server-core' },
  php: ['mysqli', 'curl'],
})

describe('WordPress', { skip: lacks, timeout: 900_000 }, () => {
  const ground = new Ground()
  const tally = new Tally()
  const anonymous = new Reader('anonymous')
  const commenter = new Reader('commenter')
  const admin = new Reader('admin')
  let worker, made, host, origin, root, site, paths

  before(async () => {
    const [port, originPort] = [await freePort(), await freePort()]
    host = `127.0.0.1:${port}`
    site = `http://${host}`
    origin = originPort
    const socket = join(ground.folder, 'db.sock')
    const data = join(ground.folder, 'db')
    const user = process.getuid() === 0 ? ['--user=root'] : []
    ground.run('mariadb-install-db', ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db', ...user])
    const sql = (text) => `$db = mysqli_init(); exit(@$db->real_connect(null, 'root', '', null, 0, '${socket}') && $db->query('${text}') ? 0 : 1);`
    await ground.start('mariadbd', ['--no-defaults', `--datadir=${data}`, `--socket=${socket}`, '--skip-networking', '--innodb-flush-log-at-trx-commit=0', ...user], {
      ready: () => {
        try {
          ground.run('php', ['-r', sql('CREATE DATABASE IF NOT EXISTS wp')])
          return true
        } catch {
          return false
        }
      },
    })
    root = join(ground.folder, 'site')
    cpSync(WORDPRESS, root, { recursive: true, dereference: true, filter: (path) => !path.endsWith('wp-config.php') })
    mkdirSync(join(root, 'wp-content/mu-plugins'), { recursive: true })
    mkdirSync(join(root, 'wp-content/uploads'), { recursive: true })
    const config = { DB_NAME: 'wp', DB_USER: 'root', DB_PASSWORD: '', DB_HOST: `localhost:${socket}`, DB_CHARSET: 'utf8mb4', DB_COLLATE: '', WP_HOME: site, WP_SITEURL: site, EDGEKEEP_SECRET: SECRET, WP_HTTP_BLOCK_EXTERNAL: true, WP_ACCESSIBLE_HOSTS: '127.0.0.1', DISABLE_WP_CRON: true, AUTOMATIC_UPDATER_DISABLED: true, AUTH_KEY: 'a', SECURE_AUTH_KEY: 'b', LOGGED_IN_KEY: 'c', NONCE_KEY: 'd', AUTH_SALT: 'e', SECURE_AUTH_SALT: 'f', LOGGED_IN_SALT: 'g', NONCE_SALT: 'h' }
    const lines = Object.entries(config).map(([name, value]) => `define('${name}', ${typeof value === 'string' ? `'${value}'` : value});`)
    writeFileSync(join(root, 'wp-config.php'), `<?php\n${lines.join('\n')}\n$table_prefix = 'wp_';\nif (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');\nrequire_once ABSPATH . 'wp-settings.php';\n`)
    made = JSON.parse(ground.run('php', [here('wordpress/install.php'), root], { env: { ...process.env, WP_SITE: site } }).split('\n').at(-1))
    copyFileSync(here('../../clients/wordpress/edgekeep.php'), join(root, 'wp-content/mu-plugins/edgekeep.php'))
    await ground.start('php', ['-S', `127.0.0.1:${originPort}`, '-t', root, here('wordpress/router.php')], {
      env: { ...process.env, PHP_CLI_SERVER_WORKERS: '4' },
      ready: () => responds(originPort),
    })
    worker = await startWorker({ rules: { origin: `http://127.0.0.1:${originPort}`, profile: 'wordpress', max_purge_lag: LAG_SECONDS }, secrets: SECRET, port, onLog: () => {} })

    paths = ['/', '/page/2/', '/post-1/', '/post-2/', '/post-3/', '/post-8/', '/a-draft/', '/about/', '/contact/', '/category/news/', '/tag/all/', '/author/writer/', '/2026/01/', '/feed/', '/comments/feed/', '/post-2/feed/', '/?s=post', '/wp-json/wp/v2/posts', '/wp-sitemap.xml', '/wp-sitemap-posts-post-1.xml', '/nothing-here/']
    // The commenter has a cookie with the name.
    const comment = { comment_post_ID: made.posts[0], author: 'Carla', email: 'carla@example.com', comment: 'First.', 'wp-comment-cookies-consent': 'yes' }
    const response = await commenter.ask({ ...edge('/wp-comments-post.php'), method: 'POST', headers: FORM, body: form(comment) })
    assert.equal(response.status, 302, response.text)
    assert.ok([...commenter.cookies.keys()].some((name) => name.startsWith('comment_author_')))
    await admin.ask(edge('/wp-login.php'))
    const login = await admin.ask({ ...edge('/wp-login.php'), method: 'POST', headers: FORM, body: form({ log: 'admin', pwd: 'secret-of-admin', 'wp-submit': 'Log In', testcookie: 1, redirect_to: `${site}/wp-admin/` }) })
    assert.equal(login.status, 302, login.text)
  })
  after(async () => {
    await worker?.stop()
    await ground.stop()
    if (tally.compared > 0) console.log(`WordPress: ${tally.text}`)
  })

  const edge = (path) => ({ port: Number(host.split(':')[1]), host, path })
  const direct = (path) => ({ port: origin, host: `127.0.0.1:${origin}`, path, headers: { 'x-forwarded-host': host } })

  /** Removes differences between two responses of WordPress itself, a second apart. */
  const clean = (text) =>
    text
      .replace(/"nonce":"\w+"|_wpnonce=\w+|name="_wpnonce" value="\w+"|"\w*[nN]once":"\w+"/g, 'nonce')
      .replace(/name="ak_js"[^>]*value="\d+"|ak_js_\d+|id="(comment|author|email|url)-\w+"/g, 'time')
      .replace(/<lastBuildDate>[^<]*/g, 'built')
      // A draft has the current time, to the second.
      .replaceAll(/datetime="(\d{4}-\d\d-\d\d)T[^"]*"/g, (whole, day) => (new Date().toISOString().startsWith(day) ? 'now' : whole))
      .replace(/\b(wp-unique-id-|unique-id-|wp-container-)\d+/g, 'id')

  let turn = 0
  /** Anonymous readers request all pages twice, so that the second response is a hit; the others a third of the pages in turn. */
  async function compareAll(label) {
    const before = tally.differences.length
    turn += 1
    for (const reader of [anonymous, commenter, admin]) {
      for (const path of paths.filter((_, at) => reader === anonymous || (at + turn) % 3 === 0)) {
        const right = await reader.ask(direct(path))
        for (const again of reader === anonymous ? [1, 2] : [1]) {
          tally.compare(`${label}, ${reader.name}, ${path}, ${again}`, await reader.ask(edge(path)), right, { clean, counts: reader === anonymous })
        }
      }
    }
    const found = tally.differences.slice(before)
    for (const difference of found) console.log(difference)
    assert.deepEqual(found, [])
  }

  async function compareAfter(label) {
    await sleep(LAG_SECONDS * 1000 + 300)
    await compareAll(label)
  }

  /** Saves like the editor: by the REST API, with the administrator's cookies and nonce, through the edge. */
  async function save(path, fields, method = 'POST') {
    const { text: nonce } = await admin.ask(edge('/wp-admin/admin-ajax.php?action=rest-nonce'))
    const headers = { 'content-type': 'application/json', 'x-wp-nonce': nonce }
    const answer = await admin.ask({ ...edge(`/wp-json/wp/v2/${path}`), method, headers, body: JSON.stringify(fields) })
    assert.ok(answer.status < 300, `${answer.status} ${answer.text}`)
    return JSON.parse(answer.text)
  }

  const act = (php) => ground.run('php', [here('wordpress/act.php'), root, php], { env: { ...process.env, WP_SITE: site } })

  const assertShows = async (path, words, reader = anonymous) => {
    const { text } = await reader.ask(edge(path))
    assert.ok(text.includes(words), `${path} does not contain ${words}`)
  }

  it('responses equal the origin, on misses and hits', () => compareAll('at first'))

  it('edit is visible after its purge', async () => {
    await save(`posts/${made.posts[7]}`, { title: 'Post 8, edited', content: 'Other text.' })
    await compareAfter('an edit')
    await assertShows('/', 'Post 8, edited')
  })

  it('comment is visible when it is posted and edited, and removed as spam', async () => {
    const comment = { comment_post_ID: made.posts[1], author: 'Dora', email: 'dora@example.com', comment: 'A new comment.' }
    const send = () => new Reader('dora').ask({ ...edge('/wp-comments-post.php'), method: 'POST', headers: FORM, body: form(comment) })
    // WordPress accepts one comment in 15 s from an address, and the site's comments were posted just before.
    let response = await send()
    for (let tries = 0; response.status === 429 && tries < 20; tries++) {
      await sleep(1000)
      response = await send()
    }
    assert.equal(response.status, 302, response.text)
    await compareAfter('a comment')
    await assertShows('/post-2/', 'A new comment.')
    const [{ id }] = JSON.parse((await anonymous.ask(direct(`/wp-json/wp/v2/comments?post=${made.posts[1]}`))).text)
    await save(`comments/${id}`, { content: 'An edited comment.' })
    await compareAfter('an edited comment')
    await save(`comments/${id}`, { status: 'spam' })
    await compareAfter('a spammed comment')
    assert.ok(!(await anonymous.ask(edge('/post-2/'))).text.includes('An edited comment.'))
  })

  it('post is visible when it is published, and a 404 when it is private', async () => {
    assert.equal((await anonymous.ask(edge('/a-draft/'))).status, 404)
    await save(`posts/${made.draft}`, { status: 'publish' })
    await compareAfter('publishing')
    assert.equal((await anonymous.ask(edge('/a-draft/'))).status, 200)
    await save(`posts/${made.draft}`, { status: 'private' })
    await compareAfter('making it private')
    assert.equal((await anonymous.ask(edge('/a-draft/'))).status, 404)
    await save(`posts/${made.posts[2]}`, {}, 'DELETE')
    await compareAfter('the bin')
  })

  it('new slug, author, category and password of a post are in force', async () => {
    await save(`posts/${made.posts[0]}`, { slug: 'post-one', author: made.writer, categories: [made.news] })
    paths.push('/post-one/')
    await compareAfter('another address')
    assert.equal((await anonymous.ask(edge('/post-1/'))).status, 301)
    await save(`posts/${made.posts[3]}`, { password: 'open' })
    paths.push('/post-4/')
    await compareAfter('a password')
  })

  it('new names of a category and an author are visible', async () => {
    await save(`categories/${made.news}`, { name: 'Tidings' })
    await save(`users/${made.writer}`, { name: 'Another Writer' })
    await compareAfter('names')
    await assertShows('/post-2/', 'Tidings')
  })

  it('changes of a menu, an option and the theme are visible', async () => {
    act(`wp_update_nav_menu_item(${made.menu}, 0, ['menu-item-title' => 'A new entry', 'menu-item-url' => '/contact/', 'menu-item-status' => 'publish']);`)
    await compareAfter('a menu')
    await assertShows('/about/', 'A new entry')
    act(`update_option('blogname', 'Another name');`)
    await compareAfter('an option')
    await assertShows('/about/', 'Another name')
    act(`switch_theme('twentytwentythree');`)
    await compareAfter('a theme')
    await assertShows('/', 'twentytwentythree')
  })

  it('scheduled post is visible when cron publishes it', async () => {
    act(`wp_insert_post(['post_title' => 'Of tomorrow', 'post_name' => 'of-tomorrow', 'post_content' => 'x', 'post_status' => 'future', 'post_date' => date('Y-m-d H:i:s', time() + 3), 'post_date_gmt' => gmdate('Y-m-d H:i:s', time() + 3)]);`)
    paths.push('/of-tomorrow/')
    await compareAll('before its time')
    await sleep(3500)
    act(`do_action('publish_future_post', get_page_by_path('of-tomorrow', OBJECT, 'post')->ID);`)
    await compareAfter('its time')
    assert.equal((await anonymous.ask(edge('/of-tomorrow/'))).status, 200)
  })

  it('purges that failed are sent again once', async () => {
    act(`add_filter('pre_http_request', fn () => new WP_Error('down', 'the edge is down')); wp_update_post(['ID' => ${made.posts[7]}, 'post_content' => 'While it was down.']);`)
    act(`assert(count(get_option('edgekeep_queue')) === 1) || exit(1); do_action('edgekeep_retry'); get_option('edgekeep_queue') === [] || exit(1);`)
    await compareAfter('an outage')
    await assertShows('/post-8/', 'While it was down.')
  })

  it('more than 40 percent of the anonymous responses were hits', () => {
    // The first of two requests follows a purge, often of everything.
    assert.ok(tally.hits / tally.countable > 0.4, tally.text)
    assert.equal(tally.differences.length, 0)
  })
})
