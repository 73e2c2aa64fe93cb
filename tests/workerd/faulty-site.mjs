// A site and the cache in front of it, in one server. Without faults it does what RFC 9111 says; each fault is switched on by its name.

import { createHash } from 'node:crypto'
import http from 'node:http'
import { gzipSync } from 'node:zlib'

const SESSION = 'session=margarete'
const TEXT = 'A page of the site. '.repeat(60)

export class FaultySite {
  /** Each request, as { method, url, host, headers, time }. */
  requests = []
  #stored = new Map()

  static async start(faults = []) {
    const site = new FaultySite()
    site.faults = new Set(faults)
    site.server = http.createServer((request, response) => site.#answer(request, response))
    await new Promise((resolve) => site.server.listen(0, '127.0.0.1', resolve))
    site.url = `http://127.0.0.1:${site.server.address().port}`
    return site
  }

  stop() {
    this.server.closeAllConnections()
    return new Promise((resolve) => this.server.close(resolve))
  }

  #has(fault) {
    return this.faults.has(fault)
  }

  /** The cache. */
  #answer(request, response) {
    const { method, url, headers } = request
    this.requests.push({ method, url, headers, host: headers.host, time: performance.now() })
    if (this.#has('limited') && this.requests.length > 5) return response.writeHead(429).end()
    const key = this.#key(request)
    const stored = this.#stored.get(key)
    if (stored && this.#maySend(request, stored)) return this.#send(request, response, stored, 'HIT')
    const made = this.#make(request)
    if (this.#isStorable(request, made)) this.#stored.set(key, made)
    this.#send(request, response, made, 'MISS')
  }

  #key({ url, headers }) {
    const path = this.#has('query-ignored') ? url.split('?')[0] : url
    return this.#has('encoding-shared') ? path : `${path} ${headers['accept-encoding']?.includes('gzip')}`
  }

  #maySend({ headers }) {
    const isSignedIn = headers.cookie?.includes('session')
    return !headers.authorization && (!isSignedIn || this.#has('cookie-shared') || this.#has('files-stored'))
  }

  #isStorable({ method, url, headers }, { status, fields }) {
    const control = fields['cache-control'] ?? ''
    if (method === 'HEAD' && !this.#has('head-stored')) return false
    if (status === 206 || headers.authorization) return this.#has('range-stored') && status === 206
    if (this.#has('files-stored') && /\.(css|js)\b/.test(url)) return true
    if (this.#has('private-stored')) return true
    if (fields['set-cookie'] && !this.#has('cookie-stored')) return false
    return !/private|no-store/.test(control)
  }

  #send({ method, headers }, response, { status, fields, body }, result) {
    const shown = { ...fields, ...(!this.#has('silent') && { 'x-cache': `${result} from a test` }) }
    if (status === 200 && fields.etag && headers['if-none-match'] === fields.etag) {
      return response.writeHead(304, { ...shown, ...(this.#has('304-differs') && { 'cache-control': 'no-store' }) }).end()
    }
    response.writeHead(status, { ...shown, 'content-length': body.length })
    response.end(method === 'HEAD' ? '' : body)
  }

  /** The origin. */
  #make(request) {
    const { method, headers } = request
    const url = new URL(request.url, 'http://a.invalid')
    const { pathname: path } = url
    if (this.#has('scheme-redirects') && headers['x-forwarded-scheme'] === 'https') return this.#redirect(`https://a.invalid${path}`)
    if (this.#has('redirects')) return this.#redirect(this.elsewhere)
    if (this.#has('url-overridden') && headers['x-original-url']) return this.#missing()
    if (this.#has('padding-refused') && headers['x-padding']) return { status: 400, fields: { 'cache-control': 'max-age=60' }, body: 'no' }
    const isAccount = path === '/account' || (this.#has('files-stored') && path.startsWith('/account/'))
    if (isAccount) return this.#account(headers)
    if (path !== '/') return this.#missing()
    if (this.#has('range-stored') && headers.range) return { ...this.#page(request), status: 206, body: 'A' }
    const page = this.#page(request)
    return method === 'HEAD' && this.#has('head-stored') ? { ...page, body: '' } : page
  }

  #redirect(location) {
    return { status: 302, fields: { location, 'cache-control': 'max-age=60' }, body: '' }
  }

  #missing() {
    return { status: 404, fields: { 'cache-control': `max-age=${this.#has('errors-live-long') ? 3600 : 10}` }, body: 'Not found' }
  }

  #account({ cookie }) {
    const body = cookie?.includes(SESSION) ? `${TEXT}Signed in: Margarete Sommer` : `${TEXT}Please sign in.`
    return { status: 200, fields: { 'content-type': 'text/html', 'cache-control': 'private, no-store' }, body }
  }

  #page({ headers }) {
    const reflected = [
      this.#has('host-reflected') && headers['x-forwarded-host'],
      this.#has('port-reflected') && headers['x-forwarded-port'] && `:${headers['x-forwarded-port']}`,
      this.#has('host-port-reflected') && `http://${headers.host}/`,
      this.#has('origin-reflected') && headers.origin,
      this.#has('cookie-shared') && headers.cookie,
    ]
    const body = [TEXT, ...reflected.filter(Boolean)].join('\n')
    const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`
    const isPacked = headers['accept-encoding']?.includes('gzip')
    const fields = {
      'content-type': 'text/html',
      ...(!this.#has('no-lifetime') && { 'cache-control': `${this.#has('private-stored') ? 'private' : 'public'}, max-age=60` }),
      ...(!this.#has('no-validator') && !this.#has('no-lifetime') && { etag: isPacked ? `${etag.slice(0, -1)}-gzip"` : etag }),
      ...(!this.#has('encoding-shared') && { vary: 'Accept-Encoding' }),
      ...(isPacked && { 'content-encoding': 'gzip' }),
      ...(this.#has('cookie-stored') && { 'set-cookie': `visitor=${this.requests.length}; Path=/` }),
    }
    return { status: 200, fields, body: isPacked ? gzipSync(body) : body }
  }
}
