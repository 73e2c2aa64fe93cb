// A cacheable request forwards only what is in the cache key or equal for all clients. Targets share a key only if every
// server treats them alike.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const FRESH = ['Cache-Control', 'max-age=600']
const LIMIT = { timeout: 60_000 }

const rules = [
  { host: 'bypass.test', path: '*', cache: false },
  { host: 'allow.test', path: '*', query: { allow: ['page', 'lang'] } },
  { host: 'deny.test', path: '*', query: { deny: ['session', 'x1'] } },
  { host: 'tracked.test', path: '*', drop_tracking: false },
  { host: 'unsorted.test', path: '*', sort_query: false },
  { host: 'keyed.test', path: '*', key_headers: ['X-Country'], key_cookies: ['theme'] },
  { host: 'forward.test', path: '*', forward_headers: ['X-Trace'] },
  { host: 'whole.test', path: '*', forward_headers: ['*'] },
  { host: 'session.test', path: '*', bypass_cookies: ['sid*'] },
]

let stand
before(async () => { stand = await Stand.start({ rules: { rules } }) })
after(() => stand?.stop())

/** The origin responds with the method, host and target of the request. */
function echo(host) {
  stand.origin.on(host, '*', (request, response) => response.writeHead(200, FRESH).end(`${request.method} ${host}${request.target}`))
}

async function seen(host, request) {
  echo(host)
  const before = stand.origin.requests(host).length
  const answer = await stand.send({ host, ...request })
  assert.equal(answer.status, 200, String(answer))
  const requests = stand.origin.requests(host)
  assert.equal(requests.length, before + 1, `${answer}\n${stand.about(host)}`)
  return requests.at(-1)
}

// Hostile request fields. A marker in each value shows whether it is forwarded.
const HOSTILE = [
  ['X-Forwarded-For', '6.6.6.6'], ['X-Forwarded-Host', 'evil.test'], ['X-Forwarded-Proto', 'evil'], ['X-Forwarded-Port', '6666'],
  ['X-Forwarded-Scheme', 'evil'], ['X-Forwarded-Server', 'evil.test'], ['X-Forwarded-Prefix', '/evil'], ['Forwarded', 'host=evil.test;proto=evil'],
  ['X-Host', 'evil.test'], ['X-Original-URL', '/evil'], ['X-Rewrite-URL', '/evil'], ['X-Original-Host', 'evil.test'],
  ['X-HTTP-Method-Override', 'DELETE'], ['X-HTTP-Method', 'DELETE'], ['X-Method-Override', 'DELETE'], ['X-Real-IP', '6.6.6.6'],
  ['True-Client-IP', '6.6.6.6'], ['CF-Connecting-IP', '6.6.6.6'], ['Via', '1.1 evil'], ['User-Agent', 'evil-agent'],
  ['Referer', 'https://evil.test/'], ['Cookie', 'evil=1'], ['X-Evil', 'evil'], ['Cache-Control', 'no-transform, evil'],
  ['Prefer', 'evil'], ['DNT', '1'], ['Save-Data', 'on'], ['Sec-Fetch-Mode', 'evil'], 
  ['Max-Forwards', '6'], ['CDN-Loop', 'evil'], ['X-Edgekeep', 'evil'], ['Content-Type', 'text/evil'],
]
const OWN_VALUE = ['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-for', 'forwarded', 'user-agent', 'cache-control', 'via', 'cdn-loop']

describe('cacheable request', LIMIT, () => {
  for (const [name, value] of HOSTILE) {
    it(`does not forward ${name}`, async () => {
      const request = await seen('hostile.test', { path: `/${name.toLowerCase()}`, fields: [[name, value]] })
      const got = request.field(name)
      assert.notEqual(got, value)
      if (!OWN_VALUE.includes(name.toLowerCase())) assert.equal(got, undefined)
      for (const [n, v] of request.fields) assert.doesNotMatch(v, /evil|6\.6\.6\.6|DELETE/, `${n}: ${v}`)
    })
  }

  it('is forwarded with the host and the same User-Agent for every client', async () => {
    const one = await seen('agent.test', { path: '/1', fields: [['User-Agent', 'one']] })
    const two = await seen('agent.test', { path: '/2' })
    assert.equal(one.field('x-forwarded-host'), 'agent.test')
    assert.match(one.field('user-agent'), /edgekeep/i)
    assert.equal(one.field('user-agent'), two.field('user-agent'))
  })

  it('is forwarded with equal fields for two clients', async () => {
    const plain = await seen('twins.test', { path: '/1' })
    const hostile = await seen('twins.test', { path: '/2', fields: HOSTILE })
    const comparable = (request) => request.fields.map(([n, v]) => `${n.toLowerCase()}: ${v}`).sort()
    assert.deepEqual(comparable(hostile), comparable(plain))
  })

  it('forwards negotiation fields', async () => {
    const fields = [['Accept', 'text/html'], ['Accept-Language', 'de'], ['Accept-Encoding', 'gzip']]
    const request = await seen('negotiate.test', { path: '/', fields })
    assert.equal(request.field('accept'), 'text/html')
    assert.equal(request.field('accept-language'), 'de')
    assert.match(request.field('accept-encoding') ?? '', /gzip/)
  })

  it('forwards Origin, which is in the key', async () => {
    const host = 'cors.test'
    stand.origin.on(host, '/font', (request, response) =>
      response.writeHead(200, [...FRESH, 'Access-Control-Allow-Origin', request.field('origin') ?? 'none']).end('font'))
    for (const origin of ['https://a.test', 'https://b.test', undefined]) {
      const fields = origin ? [['Origin', origin]] : []
      for (const answer of [await stand.get(host, '/font', fields), await stand.getHit(host, '/font', fields)]) {
        assert.equal(answer.field('access-control-allow-origin'), origin ?? 'none', String(answer))
      }
    }
    assert.deepEqual(stand.origin.requests(host).map((r) => r.field('origin')), ['https://a.test', 'https://b.test', undefined])
  })

  it('does not forward the client\'s range or conditions, and the complete response is stored', async () => {
    const host = 'range.test'
    stand.origin.on(host, '/page', { status: 200, fields: [FRESH, ['ETag', '"v1"']], body: '0123456789' })
    const request = await seen(host, { path: '/other', fields: [['If-None-Match', '"x"'], ['If-Modified-Since', 'Wed, 21 Oct 2026 07:28:00 GMT']] })
    assert.equal(request.field('if-none-match'), undefined)
    assert.equal(request.field('if-modified-since'), undefined)
    await stand.getHit(host, '/page')
    const fresh = await stand.get(host, '/page', [['If-None-Match', '"v1"']])
    assert.equal(fresh.status, 304, String(fresh))
    assert.ok(fresh.hit, String(fresh))
  })

  it('with If-Match is forwarded for the origin to evaluate', async () => {
    const request = await seen('precondition.test', { path: '/', fields: [['If-Match', '"v1"']] })
    assert.equal(request.field('if-match'), '"v1"')
  })

  it('with Authorization is not stored for other clients', async () => {
    const host = 'auth.test'
    stand.origin.on(host, '/page', (request, response) => response.writeHead(200, FRESH).end(`for ${request.field('authorization')}`))
    const mine = await stand.get(host, '/page', [['Authorization', 'Bearer me']])
    assert.equal(mine.text, 'for Bearer me')
    await sleep(200)
    assert.equal((await stand.get(host, '/page')).text, 'for undefined')
  })
})

describe('bypass forwards all fields', LIMIT, () => {
  const OURS = ['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-for', 'forwarded', 'via', 'cdn-loop', 'max-forwards', 'x-edgekeep', 'cache-control']
  for (const [why, request] of [
    ['by rule', { host: 'bypass.test', path: '/a?utm_source=mail&b=2&a=1' }],
    ['by method', { host: 'post.test', method: 'POST', path: '/a?utm_source=mail&b=2&a=1', body: 'x' }],
    ['by session cookie', { host: 'session.test', path: '/a?utm_source=mail&b=2&a=1', fields: [['Cookie', 'sid_x=1; evil=1']] }],
  ]) {
    it(why, async () => {
      const own = request.fields ?? []
      const others = HOSTILE.filter(([name]) => !own.some(([n]) => n === name))
      const got = await seen(request.host, { ...request, fields: [...own, ...others, ['Authorization', 'Bearer me']] })
      assert.equal(got.target, request.path)
      assert.equal(got.field('x-forwarded-host'), request.host, 'the client sets X-Forwarded-Host')
      // Nor does the client set the port, the prefix, or another field that a framework reads.
      for (const [name, value] of got.fields) assert.ok(!/^(forwarded$|x-forwarded-)/i.test(name) || !/evil|6666/.test(value), `${name}: ${value}`)
      for (const [name, value] of [...own, ...others, ['Authorization', 'Bearer me']]) {
        if (/^x-forwarded-/i.test(name)) continue
        if (!OURS.includes(name.toLowerCase()) && !name.startsWith('CF-')) assert.equal(got.field(name), value, name)
      }
    })
  }
})

describe('rules', LIMIT, () => {
  // host, paths requested in order, targets at the origin
  const rows = [
    ['allow.test', ['/p?lang=de&page=2&junk=1', '/p?page=2&lang=de', '/p?other=1', '/p'], ['/p?lang=de&page=2', '/p']],
    ['deny.test', ['/p?session=1&a=1&x1=2', '/p?a=1&session=2', '/p?a=2'], ['/p?a=1', '/p?a=2']],
    ['tracked.test', ['/p?utm_source=a', '/p?utm_source=b'], ['/p?utm_source=a', '/p?utm_source=b']],
    ['unsorted.test', ['/p?b=1&a=2', '/p?a=2&b=1'], ['/p?b=1&a=2', '/p?a=2&b=1']],
  ]
  for (const [host, paths, expected] of rows) {
    it(`query of ${host}`, async () => assert.deepEqual(await targetsAtOrigin(host, paths), expected))
  }

  it('key_headers and key_cookies select the entry and are forwarded; others are dropped', async () => {
    const host = 'keyed.test'
    stand.origin.on(host, '/p', (request, response) =>
      response.writeHead(200, FRESH).end(`${request.field('x-country')} ${request.field('cookie')}`))
    const ask = (country, cookie) => stand.getHit(host, '/p', [['X-Country', country], ['Cookie', cookie]])
    assert.equal((await ask('de', 'theme=dark; other=1')).text, 'de theme=dark')
    assert.equal((await ask('de', 'other=2; theme=dark')).text, 'de theme=dark')
    assert.equal((await ask('fr', 'theme=dark')).text, 'fr theme=dark')
    assert.equal((await ask('fr', 'theme=light')).text, 'fr theme=light')
    assert.equal((await stand.getHit(host, '/p')).text, 'undefined undefined')
    assert.equal(stand.origin.requests(host).length, 4)
  })

  it('forward_headers forwards a field', async () => {
    const request = await seen('forward.test', { path: '/', fields: [['X-Trace', 'abc'], ['X-Other', 'no']] })
    assert.equal(request.field('x-trace'), 'abc')
    assert.equal(request.field('x-other'), undefined)
  })

  it('forward_headers = ["*"] forwards every field except the client\'s X-Forwarded-Host', async () => {
    const fields = [['X-Anything', 'abc'], ['User-Agent', 'client'], ['Cookie', 'a=1'], ['X-Forwarded-Host', 'evil.test']]
    const request = await seen('whole.test', { path: '/', fields })
    for (const [name, value] of [['x-anything', 'abc'], ['user-agent', 'client']]) assert.equal(request.field(name), value)
    assert.equal(request.field('x-forwarded-host'), 'whole.test')
  })

  it('session cookie bypasses the cache, another cookie does not', async () => {
    const host = 'session.test'
    stand.origin.on(host, '/private', (request, response) => response.writeHead(200, FRESH).end(`for ${request.field('cookie')}`))
    assert.equal((await stand.getHit(host, '/private', [['Cookie', 'color=red']])).text, 'for undefined')
    const mine = await stand.get(host, '/private', [['Cookie', 'color=red; sid_1=me']])
    assert.equal(mine.text, 'for color=red; sid_1=me')
    assert.equal(mine.cache.get('fwd'), 'bypass', String(mine))
    await sleep(150)
    assert.equal((await stand.get(host, '/private')).text, 'for undefined')
  })
})

describe('equivalent targets share a key', LIMIT, () => {
  const rows = [
    [['/s?b=2&a=1', '/s?a=1&b=2'], ['/s?a=1&b=2']],
    [['/t?utm_source=mail&id=1', '/t?id=1&fbclid=x&gclid=y', '/t?id=1'], ['/t?id=1']],
    [['/e?', '/e', '/e?utm_medium=x'], ['/e']],
    [['/%61%7e', '/a~', '/a%7E'], ['/a~']],
    [['/c%c3%a9', '/c%C3%A9'], ['/c%C3%A9']],
    [['/d/./x/../y', '/d/y', '/d/%2e/y'], ['/d/y']],
    [['/o?a=2&a=1', '/o?a=1&a=2'], ['/o?a=2&a=1', '/o?a=1&a=2']],
    [['/case', '/Case'], ['/case', '/Case']],
    [['/slash', '/slash/'], ['/slash', '/slash/']],
    [['/v?a', '/v?a='], ['/v?a', '/v?a=']],
  ]
  for (const [paths, expected] of rows) {
    it(paths.join(' '), async () => assert.deepEqual(await targetsAtOrigin(`one-${paths[0].replace(/\W/g, 'x').toLowerCase()}.test`, paths), expected))
  }

  it('hosts in any case, with or without the default port', async () => {
    echo('upper.test')
    await stand.getHit('upper.test', '/a')
    for (const host of ['UPPER.test', 'upper.test:80', 'Upper.Test']) {
      const answer = await stand.get(host, '/a')
      assert.ok(answer.hit, `${host}: ${answer}`)
    }
  })
})

/** Requests each path until it is a hit; returns the targets that reached the origin. */
async function targetsAtOrigin(host, paths) {
  echo(host)
  for (const path of paths) await stand.getHit(host, path)
  return stand.origin.requests(host).map((request) => request.target)
}

describe('targets that servers may treat differently have separate keys', LIMIT, () => {
  const paths = [
    '/a/b', '//a/b', '/a//b', '/a/b/', '/a%2Fb', '/a%2fb', '/a\\b', '/a%5Cb', '/a;x/b', '/a%3Bx/b', '/a/b;x', '/a/b%3Fx', '/a/b?x',
    '/a/../b', '/b', '/a/%2e%2e/b', '/a/..;/b', '/a/..%2Fb', '/a/.%2e/b', '/a%00b', '/a%0Ab', '/a%20b', '/a+b', '/a%2Bb', '/a%25b',
    '/a%252Fb', '/a/b?x=1;y=2', '/a/b?x=1&y=2', '/a/b?x%3D1', '/a/b?x=1%26y=2', '/a/b?x=a+b', '/a/b?x=a%20b', '/a/b?x=a%2Bb',
    '/a/b?/../c', '/a%zz', '/a%', '/a|b', '/a"b', '/a^b', '/a/b?\'x', '/a/b?&', '/a/b?=1', '/A/b', '/a/b?X',
    '/.edgekeep', '/.edgekeep/purge/', '/%2eedgekeep/x', '/a/b??x',
  ]

  // A cacheable request must reach the origin with the same target as a bypass, up to the spellings that RFC 3986 calls
  // equivalent.
  it('each gets its own response, as a miss and as a hit', async () => {
    echo('bypass.test')
    echo('targets.test')
    for (const path of paths) {
      const bypassed = await stand.get('bypass.test', path)
      if (bypassed.status !== 200) continue // refused by the runtime before it reaches a worker
      const expected = canonical(bypassed.text.replace('GET bypass.test', ''))
      const first = await stand.get('targets.test', path)
      const second = await stand.getHit('targets.test', path)
      for (const answer of [first, second]) {
        assert.equal(canonical(answer.text.replace('GET targets.test', '')), expected, `request for ${path}: ${answer.text} (${answer.field('cache-status')})`)
      }
    }
  })

  it('hosts have separate keys', async () => {
    for (const host of ['host-a.test', 'host-b.test', 'host-a.test:8443']) echo(host)
    for (const host of ['host-a.test', 'host-b.test', 'host-a.test:8443']) {
      assert.equal((await stand.getHit(host, '/same')).text, `GET ${host}/same`)
    }
  })
})

/**
 * Decodes unreserved characters, makes hex digits upper case (RFC 3986 §6.2.2), encodes characters not allowed in a URI, and
 * drops an empty query.
 */
function canonical(target) {
  const spelled = target.replace(/%[0-9a-f]{2}/gi, (code) => {
    const char = String.fromCharCode(parseInt(code.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(char) ? char : code.toUpperCase()
  })
  const escape = (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  return spelled.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/?\\%]/g, escape).replace(/\?&*$/, '')
}

describe('methods', LIMIT, () => {
  for (const method of ['PROPFIND', 'REPORT', 'SEARCH', 'OPTIONS', 'PURGE', 'PUT', 'PATCH', 'DELETE', 'MKCOL', 'LOCK']) {
    it(`${method} is neither served from nor stored as a GET response`, async () => {
      const host = `method-${method.toLowerCase()}.test`
      echo(host)
      const ask = (path) => stand.send({ host, method, path })
      for (let round = 0; round < 2; round++) assert.equal((await ask('/first')).text, `${method} ${host}/first`)
      await sleep(100)
      assert.equal((await stand.get(host, '/first')).text, `GET ${host}/first`)
      await stand.getHit(host, '/second')
      const answer = await ask('/second')
      assert.equal(answer.text, `${method} ${host}/second`)
      assert.ok(!answer.hit && !answer.cache.has('stored'), String(answer))
    })
  }
})

it('log shows one key for equivalent targets', LIMIT, async () => {
  const host = 'log.test'
  echo(host)
  await stand.getHit(host, '/l?b=1&a=1')
  await stand.getHit(host, '/l?a=1&b=1&utm_source=x')
  const lines = () => stand.log.filter((line) => line.host === host && line.event === 'request')
  assert.ok(await until(() => lines().length >= 3, 1_000), stand.about(host))
  const keys = new Set(lines().map((line) => line.key))
  assert.equal(keys.size, 1, stand.about(host))
  assert.match([...keys][0], /^[0-9a-f]+$/)
})
