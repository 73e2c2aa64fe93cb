// The demo's origin: a small blog that renders a page slowly for every request.
//
// Browsers revalidate each time (`Cache-Control: no-cache`), because a browser cannot be purged. The edge may store a page
// (`CDN-Cache-Control`), because the blog purges what has changed (see purge.mjs).

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Blog, PAGE_SIZE, picture } from './blog.mjs'
import * as pages from './pages.mjs'

const RENDER_MILLISECONDS = 150
const MAX_FORM_BYTES = 8 * 1024
const MAX_SESSIONS = 1_000
const MAX_OUTAGE_SECONDS = 3_600

const PAGE = { 'Cache-Control': 'no-cache', 'CDN-Cache-Control': 'max-age=30, stale-while-revalidate=60' }
const ASSET = { 'Cache-Control': 'public, max-age=3600' }
const NEVER = { 'Cache-Control': 'private, no-store' }

const html = (body, more = {}) => ({ status: 200, type: 'text/html; charset=utf-8', fields: PAGE, slow: true, ...more, body })
const articleTags = (articles) => articles.map(({ slug }) => `article-${slug}`)
const missing = () =>
  html(pages.messagePage('Not found', 'There is no such page.'), {
    status: 404,
    fields: { 'Cache-Control': 'no-cache', 'CDN-Cache-Control': 'max-age=10' },
  })

/**
 * Starts the blog on a port of 127.0.0.1.
 *
 * @param {object} options
 * @param {number} [options.port]   0 takes a free one
 * @param {(tags: string[]) => Promise<void>} [options.purge] called with the tags that have changed
 * @param {(line: string) => void} [options.onLog]
 */
export async function startOrigin({ port = 0, purge = async () => {}, onLog = () => {} } = {}) {
  const site = { blog: new Blog(), sessions: new Map(), outageEnds: 0, purge, onLog }
  const style = { body: readFileSync(new URL('style.css', import.meta.url)) }
  style.etag = version(style.body.toString()).etag
  const server = createServer((request, response) => {
    answer(site, style, request)
      .catch((error) => {
        onLog(`the demo origin failed: ${error.stack}`)
        return { status: 500, type: 'text/plain', fields: NEVER, body: 'Internal error\n' }
      })
      .then((page) => send(request, response, page))
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(site, style, request) {
  const base = 'http://blog.invalid'
  if (!URL.canParse(request.url, base)) return missing()
  const url = new URL(request.url, base)
  if (url.pathname === '/demo/outage') return outage(site, request, url)
  if (Date.now() < site.outageEnds) {
    return { status: 503, type: 'text/plain', fields: { 'Cache-Control': 'no-store' }, body: 'The origin is down.\n' }
  }
  if (request.method === 'POST') return postComment(site, request, url)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, type: 'text/plain', fields: { ...NEVER, Allow: 'GET, HEAD, POST' }, body: 'Method not allowed\n' }
  }
  if (url.pathname === '/style.css') return { status: 200, type: 'text/css; charset=utf-8', fields: ASSET, ...style }
  const page = route(site, request, url)
  if (page.slow) await new Promise((resolve) => setTimeout(resolve, RENDER_MILLISECONDS))
  return page
}

function route({ blog, sessions }, request, url) {
  const [, folder, name, ...rest] = url.pathname.split('/')
  if (rest.length > 0) return missing()
  const decoded = name === undefined ? undefined : decode(name)
  if (folder === 'articles' && decoded) {
    const article = blog.article(decoded)
    return article ? html(pages.articlePage(article), version(article, articleTags([article]))) : missing()
  }
  if (folder === 'tags' && decoded) {
    const articles = blog.tagged(decoded)
    return articles.length > 0 ? html(pages.listPage(`Tag: ${decoded}`, articles), version(articles, articleTags(articles))) : missing()
  }
  if (folder === 'pictures' && decoded?.endsWith('.svg')) {
    const article = blog.article(decoded.slice(0, -'.svg'.length))
    return article ? { status: 200, type: 'image/svg+xml', fields: ASSET, etag: version(article.slug).etag, body: picture(article.slug) } : missing()
  }
  if (folder === 'api' && decoded === 'articles') return api(blog)
  if (decoded !== undefined) return missing()
  switch (folder) {
    case '':
      return front(blog, url.searchParams.get('page') ?? '1')
    case 'archive':
      return html(pages.archivePage(blog), version('archive', ['archive']))
    case 'tags':
      return html(pages.tagsPage(blog), version('tags', ['archive']))
    case 'search':
      return search(blog, (url.searchParams.get('q') ?? '').trim().slice(0, 100))
    case 'feed.xml':
      return feed(blog, request)
    case 'account':
      return account(sessions, request)
    default:
      return missing()
  }
}

function decode(segment) {
  try {
    return decodeURIComponent(segment)
  } catch {
    return ''
  }
}

function front(blog, page) {
  if (!/^[1-9]\d?$/.test(page)) return missing()
  const number = Number(page)
  const shown = blog.articles.slice((number - 1) * PAGE_SIZE, number * PAGE_SIZE)
  if (shown.length === 0) return missing()
  return html(pages.frontPage(blog, number), version(shown, ['front', ...articleTags(shown)]))
}

function search(blog, query) {
  const found = blog.search(query)
  return html(pages.searchPage(query, found), version([query, found], ['search', ...articleTags(found)]))
}

function feed(blog, request) {
  const host = request.headers['x-forwarded-host'] ?? request.headers.host
  const scheme = request.headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  const body = pages.feed(blog, `${scheme}://${host}`)
  return {
    ...version(body, ['feed']),
    status: 200,
    type: 'application/atom+xml; charset=utf-8',
    fields: { 'Cache-Control': 'public, max-age=60, stale-while-revalidate=600' },
    modified: blog.articles[0].date,
    slow: true,
    body,
  }
}

function api(blog) {
  const list = blog.articles.map(({ slug, title, date, tags, comments }) => ({
    slug,
    title,
    date: date.toISOString(),
    tags,
    comments: comments.length,
    url: `/articles/${slug}`,
  }))
  const body = `${JSON.stringify({ articles: list }, null, 1)}\n`
  return { ...version(body, ['api']), status: 200, type: 'application/json', fields: PAGE, modified: blog.changed(), slow: true, body }
}

function account(sessions, request) {
  const [, known] = (request.headers.cookie ?? '').match(/(?:^|;\s*)lamp_session=([0-9a-f]{32})(?:;|$)/) ?? []
  const id = sessions.has(known) ? known : randomBytes(16).toString('hex')
  const session = sessions.get(id) ?? { visits: 0, name: id.slice(0, 6) }
  session.visits += 1
  sessions.set(id, session)
  if (sessions.size > MAX_SESSIONS) sessions.delete(sessions.keys().next().value)
  const cookie = `lamp_session=${id}; Path=/account; HttpOnly; SameSite=Lax`
  return html(pages.accountPage(session), { fields: { ...NEVER, 'Set-Cookie': cookie } })
}

async function postComment({ blog, purge }, request, url) {
  const [, slug] = url.pathname.match(/^\/articles\/([a-z0-9-]+)\/comments$/) ?? []
  const article = blog.article(slug)
  if (!article) return missing()
  const form = await readForm(request)
  if (form === undefined) return { status: 413, type: 'text/plain', fields: NEVER, body: 'The comment is too long.\n' }
  const field = (name) => (form.get(name) ?? '').trim().replaceAll('\r\n', '\n')
  const problem = blog.addComment(article, field('author'), field('text'))
  if (problem) return html(pages.articlePage(article, problem), { status: 422, fields: NEVER })
  // Before the response, so that the page to which the visitor is redirected has the new comment.
  await purge([...articleTags([article]), 'api'])
  return { status: 303, type: 'text/plain', fields: { ...NEVER, Location: `/articles/${slug}#comments` }, body: '' }
}

async function readForm(request) {
  const chunks = []
  let length = 0
  for await (const chunk of request) {
    length += chunk.length
    if (length <= MAX_FORM_BYTES) chunks.push(chunk)
  }
  return length > MAX_FORM_BYTES ? undefined : new URLSearchParams(Buffer.concat(chunks).toString())
}

/** POST /demo/outage?seconds=30 on the origin's own port: the blog is down for 30 s (0 ends it). */
function outage(site, request, url) {
  const reply = (status, body) => ({ status, type: 'text/plain', fields: NEVER, body: `${body}\n` })
  if (request.headers['x-forwarded-host']) return reply(403, "Only on the origin's own port.")
  const seconds = Number(url.searchParams.get('seconds') ?? '30')
  if (request.method !== 'POST') return reply(405, 'POST /demo/outage?seconds=30')
  if (!(seconds >= 0 && seconds <= MAX_OUTAGE_SECONDS)) return reply(400, `seconds is a number from 0 to ${MAX_OUTAGE_SECONDS}.`)
  site.outageEnds = Date.now() + seconds * 1000
  return reply(200, seconds === 0 ? 'The origin is up again.' : `The origin answers 503 for ${seconds} seconds.`)
}

/** The validator and tags of a response made from `source`. Weak, because the time in the footer is not part of it. */
function version(source, tags) {
  const digest = createHash('sha256').update(JSON.stringify(source)).digest('base64url').slice(0, 16)
  return { etag: `W/"${digest}"`, tags }
}

function send(request, response, { status, type, fields, body, etag, modified, tags }) {
  const kept = { ...fields }
  if (etag) kept.ETag = etag
  if (modified) kept['Last-Modified'] = modified.toUTCString()
  if (tags) kept['Cache-Tag'] = tags.join(',')
  if (status === 200 && isUnchanged(request, etag, modified)) {
    response.writeHead(304, kept)
    return response.end()
  }
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...kept })
  response.end(body)
}

function isUnchanged({ headers }, etag, modified) {
  const match = headers['if-none-match']
  if (match !== undefined) return etag !== undefined && match.split(',').some((one) => one.trim() === etag)
  const since = Date.parse(headers['if-modified-since'] ?? '')
  return modified !== undefined && since >= Math.floor(modified / 1000) * 1000
}
