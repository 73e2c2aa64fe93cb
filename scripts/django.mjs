// npm run django: a real Django blog under gunicorn, and the worker in workerd in front of it.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { environment, prepareBlog, startBlog } from './django/blog.mjs'
import { BLOG, prepareVenv } from './django/venv.mjs'
import { readRules } from './rules.mjs'
import { nextFreePort, purgeFunction, showLog } from './start.mjs'
import { Problem, main, portFrom, say, untilStopped } from './tools.mjs'

const COMMAND = 'npm run django'

async function django(args) {
  const wanted = readPort(args)
  await prepareVenv()
  await build()
  const { startWorker } = await import('./workerd.mjs')
  const rules = await readRules(join(BLOG, 'edgekeep.toml'))
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const port = await nextFreePort(wanted, COMMAND)
  const edge = `http://127.0.0.1:${port}`
  const env = environment({ data: join(BLOG, '.data'), edge, secret, countQueries: true })
  say('Preparing the blog (its articles are made the first time) ...')
  // Nothing to purge: the edge has not started yet.
  await prepareBlog({ ...env, EDGEKEEP_SECRET: '' })
  const blog = await startBlog({ port: await nextFreePort(port + 1, COMMAND), env })
  let worker
  try {
    worker = await startWorker({ rules: { ...rules, origin: blog.url }, secrets: secret, port, onLog: showLog })
    console.log(welcome(edge, blog, secret))
    await untilStopped()
    say('\nStopping ...')
  } finally {
    await worker?.stop()
    await blog.stop()
  }
}

function readPort(args) {
  try {
    return portFrom(parseArgs({ args, options: { port: { type: 'string', default: '8787' } } }).values.port)
  } catch (error) {
    throw new Problem(`${error.message}\nUsage: ${COMMAND} [-- --port N]`)
  }
}

function welcome(edge, blog, secret) {
  const show = (path, more = '') => `curl -so /dev/null -D - ${more}'${edge}${path}'`
  const article = 'three-flashes-then-dark'
  const tries = [
    ['the first time Django makes the page: see X-DB-Queries, and the tags of what it shows', show('/'), 'fwd=uri-miss; fwd-status=200; stored; ttl=86400'],
    ['then it is a hit, and Django hears nothing of it', show('/'), 'hit; ttl=86399; detail=cache-api'],
    ['what hangs on an address makes no other page', show('/?utm_source=mail&x=1'), 'hit'],
    ['a search is kept by its words and its page alone', show('/search/?q=tide&from=menu'), 'fwd=uri-miss; stored; then the same with &from=mail: hit'],
    ['JSON, and a conditional request', `${show(`/api/articles/${article}/`)} -w '%{http_code}\\n' --etag-save /tmp/etag\n      ${show(`/api/articles/${article}/`)} --etag-compare /tmp/etag`, '304, answered at the edge'],
    ['GraphQL by GET', `curl -sD - '${edge}/graphql?query=%7Barticles(first:3)%7Btitle%20author%7Bname%7D%7D%7D'`, 'stored; then hit'],
    ['a drawing of a cover, and a style sheet: kept for a year', show(`/covers/${article}.svg`), 'ttl=31536000'],
    ['a form has a token of its reader, so it passes by', show(`/comment/${article}/`), 'fwd=bypass; fwd-status=200; detail=rule'],
    [`in a browser, sign in as ada, with the password tideline-and-furrow: ${edge}/accounts/login/`],
    ['... the greeting in the corner is a fragment: stored for strangers, never for who has a session', show('/fragments/greeting/', `-H 'Cookie: sessionid=x' `), 'fwd=bypass; Cache-Control: private, no-store; without the cookie: stored, then hit'],
    ['... and it is put into the page that everybody shares', show('/', `-H 'Cookie: sessionid=x' `), 'hit; detail=cache-api/esi; Cache-Control: private, no-cache'],
    [`... change the title of an article of hers: ${edge}/write/`, show('/'), 'fwd=uri-miss; detail=purged: the front page is new'],
    ['... and other pages still are where they were', show('/archive/'), 'hit, if it was asked for before'],
    [`write a comment: ${edge}/comment/${article}/`, show(`/articles/${article}/`), 'detail=purged, then hit; the front page is a hit throughout, as it does not show comments'],
    ['the pages that name an author are gone', `edgekeep_purge '{"tags":["author-4"]}'`],
    ['stop Django: readers read on', `kill -STOP -- -${blog.pid}; edgekeep_purge '{"tags":["front"],"soft":true}'; ${show('/')}`, 'hit; ttl=0; detail=cache-api/stale-while-revalidate'],
    ['... and let it go on', `kill -CONT -- -${blog.pid}`],
  ]
  const lines = tries.map(([what, command, status]) => `  ${what}${command ? `\n      ${command}` : ''}${status ? `\n      -> ${status}` : ''}`)
  return `
  Edgekeep    ${edge}   <- open this in a browser
  Django      ${blog.url}   the same blog, uncached
  the admin   ${edge}/admin/   ada, tideline-and-furrow

A signed purge by hand (Django sends its own when something changes): paste this into a shell as it is.

${purgeFunction(edge, secret)}
What to try, and what the field Cache-Status then says:

${lines.join('\n')}

Ctrl-C ends both. The requests from now on:
`
}

await main(import.meta.url, django)
