// Rules, cache key and forwarded target use the URL that `fetch` parses. Sends many spellings of URLs through the built
// worker and compares with the runtime's URL parser, which runs in a second worker. A fixed seed generates the URLs.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Stand } from './stand.mjs'
import { until } from './wire.mjs'

const COUNT = 600
const LIMIT = { timeout: 120_000 }
const FRESH = ['Cache-Control', 'max-age=600']

const PIECES = [
  '/', '/', '\\', '//', '.', '..', '%2e', '%2E.', '.%2e', '%2e%2E', '%5c', '%5C..', '%2f', 'a', 'B', 'members', 'members/', ';', '..;', '~', '%7e', '%41', '%',
  '%4', '%zz', '%25', '%00', '|', '^', '[', ']', '{', '`', '\'', '%27', '"', '<', '&', '=', '+', '%20', '*', ':', '@', '!', '.edgekeep',
]
const STARTS = ['', '', '', '', '', 'members/', 'members\\..\\', 'x/%2e%2E\\members/', '.edgekeep/', 'x\\.%2e\\.edgekeep\\', '.\\.edgekeep\\..\\', '%2e./']
const IN_QUERY = [...PIECES, '?', 'b=1', 'a=2', '&&']
const HOSTS = [
  'a.test', 'A.Test', 'a.test.', 'A.TEST.:80', 'a.test:80', 'a.test:8443', 'a.test.:8443', 'a.test:443', 'a.test:', 'a.test:0080', 'a_b.test', 'xn--bcher-kva.test',
  '127.0.0.1', '127.0.0.1.', '1.2.3.4:81', '[::1]', '[0:0:0::1]:81', '[::FFFF:1.2.3.4]', '[2001:DB8:0:0:1:0:0:1]',
  // The URL standard parses these as another host, or rejects them.
  '127.1', '0x7f.1', '2130706433', '0177.0.0.1', 'a.test.1', 'a%41.test', 'a..test', '.a.test', 'a.test..', 'u@a.test', 'a.test:99999', 'a.test\\b.test', 'a.0x',
]

const worker = `export default {
  async fetch(request) {
    const read = (text) => {
      try {
        const { href, host, hostname, pathname, search } = new URL(text)
        return { href, host, hostname, pathname, search }
      } catch {
        return null
      }
    }
    return Response.json((await request.json()).map(read))
  },
}`

/** Adds a worker that parses URLs to Miniflare's options. */
const withParser = (options) => {
  const { compatibilityDate, compatibilityFlags } = options.workers[0].config
  const manifest = { mainModule: 'index.js', modulesRoot: '/', modules: { 'index.js': { type: 'esm', contents: worker } } }
  const parser = { config: { name: 'parser', compatibilityDate, compatibilityFlags, manifest, env: {}, exports: {} }, dev: { unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] } }
  return { ...options, workers: [...options.workers, parser] }
}

/** Returns a generator of integers below `most`, the same in each run (Numerical Recipes' generator). */
function random(seed) {
  let state = seed
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
}

function addresses() {
  const next = random(1738)
  const some = (list, most) => Array.from({ length: next(most) }, () => list[next(list.length)]).join('')
  const paths = Array.from({ length: COUNT }, () => `/${STARTS[next(STARTS.length)]}${some(PIECES, 7)}${next(3) === 0 ? `?${some(IN_QUERY, 6)}` : ''}`)
  return paths.map((path, n) => ({ host: n < COUNT / 2 ? HOSTS[0] : HOSTS[n % HOSTS.length], path }))
}

/** RFC 3986 §6.2.2 normal form of a path or query that the URL standard has parsed. */
function canonical(text, inQuery) {
  const spelled = text.replace(/%[0-9a-f]{2}/gi, (code) => {
    const char = String.fromCharCode(parseInt(code.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(char) ? char : code.toUpperCase()
  })
  const stays = inQuery ? /[A-Za-z0-9\-._~!$&()*+,;=:@/?\\%]/ : /[A-Za-z0-9\-._~!$&'()*+,;=:@/%]/
  return [...spelled].map((char) => (stays.test(char) ? char : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)).join('')
}

function canonicalQuery(search) {
  const parameters = search.slice(1).split('&').filter((text) => text !== '')
  return parameters.length === 0 ? '' : `?${parameters.map((text) => canonical(text, true)).join('&')}`
}

/** Decoding a stray `%` twice differs from decoding it once. The tables in Rust cover stray percent signs. */
const isStray = (text) => /%(?![0-9a-f]{2})/i.test(text)

describe('request URL', LIMIT, () => {
  let stand
  let parsed
  const cases = addresses()
  before(async () => {
    const rules = [{ path: '/members/*', cache: false }, { path: '*', sort_query: false, drop_tracking: false }]
    stand = await Stand.start({ rules: { rules }, adapt: withParser })
    const { origin } = await stand.worker.mf.unsafeGetDirectURL('parser')
    const reply = await fetch(origin, { method: 'POST', body: JSON.stringify(cases.map(({ host, path }) => `http://${host}${path}`)) })
    parsed = await reply.json()
  })
  after(() => stand?.stop())

  it('is forwarded, matched by rules and keyed as the runtime parses it', LIMIT, async () => {
    const counts = { lookup: 0, bypass: 0, admin: 0, refused: 0, refusedByRuntime: 0 }
    for (const [n, { host, path }] of cases.entries()) {
      const url = parsed[n]
      const context = `${n}: http://${host}${path} is ${url?.href}`
      const name = url && keyedHost(url)
      if (name) stand.origin.on(name, '*', (request, response) => response.writeHead(200, FRESH).end('page'))
      const [lines, before] = [stand.log.length, stand.origin.count]
      const answer = await stand.get(host, path)
      if (!answer.field('cache-status')) {
        counts.refusedByRuntime += 1
        continue // refused by the runtime before it reaches a worker
      }
      if (answer.cache.get('detail') === 'bad-url') {
        // A host in its normal form is never refused.
        assert.ok(!name || name !== host.toLowerCase().replace(/\.?(:80)?$/, ''), context)
        counts.refused += 1
        continue
      }
      assert.ok(name, `${context}: ${answer}`)
      const pathname = canonical(url.pathname, false)
      if (pathname.startsWith('/.edgekeep/')) {
        assert.equal(stand.origin.count, before, context)
        counts.admin += 1
        continue
      }
      const bypasses = pathname.startsWith('/members/')
      assert.equal(answer.cache.get('fwd') === 'bypass', bypasses, `${context}: ${answer}`)
      const forwarded = stand.origin.requests(name).at(-1)
      if (bypasses) {
        assert.equal(stand.origin.count, before + 1, context)
        assert.equal(forwarded.target, url.href.replace(/^http:\/\/[^/]*/, ''), context)
        counts.bypass += 1
        continue
      }
      counts.lookup += 1
      if (isStray(path)) continue
      const target = `${pathname}${canonicalQuery(url.search)}`
      if (!answer.hit && answer.cache.get('collapsed') === undefined) assert.equal(forwarded.target, target, context)
      const line = () => stand.log.slice(lines).find((entry) => entry.event === 'request')
      assert.ok(await until(() => line() !== undefined, 2_000), context)
      const key = createHash('sha256').update(`http://${name}${target}`).digest('hex').slice(0, 32)
      assert.equal(line().key, key, `${context}: ${JSON.stringify(line())}`)
    }
    // Each outcome occurred often enough for the test to be conclusive.
    console.log(JSON.stringify(counts))
    assert.ok(counts.lookup > COUNT / 4 && counts.bypass > COUNT / 12 && counts.admin > COUNT / 30 && counts.refused > 8, JSON.stringify(counts))
  })
})

/** The host as in the cache key: without a trailing dot. Undefined for an empty label or user information. */
function keyedHost({ host, hostname, href }) {
  const name = hostname.replace(/\.$/, '')
  if (href.includes('@') && /^http:\/\/[^/]*@/.test(href)) return undefined
  if (!name.startsWith('[') && name.split('.').some((label) => label === '')) return undefined
  return name + host.slice(hostname.length)
}
