// ESI assembly of streams: a page is sent up to a pending fragment; pages and fragments that are truncated, long, encoded
// or missing. tests/stories/esi.story has everything else.

import assert from 'node:assert/strict'
import http from 'node:http'
import { Readable, pipeline } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const LIMIT = { timeout: 60_000 }
const HTML = [['Cache-Control', 'max-age=600'], ['Content-Type', 'text/html']]
const MARKED = [...HTML, ['Surrogate-Control', 'content="ESI/1.0"']]

let stand
let number = 0
before(async () => { stand = await Stand.start({ rules: { defaults: { esi: true, kv: true } } }) })
after(() => stand?.stop())

const newHost = () => `esi-${(number += 1)}.test`
const page = (body, more = {}) => ({ status: 200, fields: MARKED, body, ...more })
const text = (body, more = {}) => ({ status: 200, fields: HTML, body, ...more })
const lines = (host, event) => stand.log.filter((line) => line.host === host && line.event === event)

/** Returns a plan for a fragment that is sent when `go` is called. */
function gate() {
  let go
  const open = new Promise((resolve) => { go = resolve })
  return { go, plan: async (request, response) => { await open; if (!response.destroyed) response.writeHead(200, HTML.flat()).end('late') } }
}

/** Sends a request; the returned object shows the body received so far. */
function open(host, path) {
  const { hostname, port } = new URL(stand.worker.url())
  const got = { text: '', ended: false, broken: false }
  const request = http.get({ hostname, port, path, headers: { Host: host }, agent: false }, (response) => {
    got.response = response
    response.setEncoding('utf8').on('data', (text) => { got.text += text })
    response.on('end', () => { got.ended = true }).on('error', () => { got.broken = true })
  })
  request.on('error', () => { got.broken = true })
  return Object.assign(got, { leave: () => request.destroy() })
}

describe('page is streamed while its fragments are fetched', LIMIT, () => {
  it('up to a pending fragment, on a miss and on a hit', async () => {
    const host = newHost()
    for (const [path, hit] of [['/page', false], ['/page', true]]) {
      const { go, plan } = gate()
      stand.origin.on(host, '/page', page('<p>before</p><esi:include src="/slow"/><p>after</p>'))
      stand.origin.on(host, '/slow', plan)
      await stand.purge(host, { files: [`http://${host}/slow`] })
      const got = open(host, path)
      assert.ok(await until(() => got.text === '<p>before</p>', 3_000), `${JSON.stringify(got.text)}\n${stand.about(host)}`)
      assert.equal(/edgekeep; hit/.test(got.response.headers['cache-status']), hit)
      await sleep(300)
      assert.equal(got.text, '<p>before</p>')
      go()
      assert.ok(await until(() => got.ended, 3_000), stand.about(host))
      assert.equal(got.text, '<p>before</p>late<p>after</p>')
      await sleep(300)
    }
    assert.equal(stand.origin.requests(host, '/page').length, 1)
  })

  it('up to a pending fragment of a fragment', async () => {
    const host = newHost()
    const { go, plan } = gate()
    stand.origin.on(host, '/page', page('1<esi:include src="/a"/>5'))
    stand.origin.on(host, '/a', page('2<esi:include src="/slow"/>4'))
    stand.origin.on(host, '/slow', plan)
    const got = open(host, '/page')
    assert.ok(await until(() => got.text === '12', 3_000), got.text)
    go()
    assert.ok(await until(() => got.text === '12late45', 3_000), got.text)
  })

  it('and a client that disconnects does not affect another client of the page', async () => {
    const host = newHost()
    const { go, plan } = gate()
    stand.origin.on(host, '/page', page(`before<esi:include src="/slow"/>${'x'.repeat(3_000_000)}<esi:include src="/never"/>`))
    stand.origin.on(host, '/slow', plan)
    stand.origin.on(host, '/never', text('never'))
    const leavingClient = open(host, '/page')
    assert.ok(await until(() => leavingClient.text === 'before', 3_000), leavingClient.text)
    leavingClient.leave()
    await sleep(200)
    const otherClient = open(host, '/page')
    assert.ok(await until(() => otherClient.text === 'before', 3_000), otherClient.text)
    go()
    assert.ok(await until(() => otherClient.ended, 10_000), stand.about(host))
    assert.ok(otherClient.text.startsWith('beforelate') && otherClient.text.endsWith('never'))
    assert.ok(await until(() => lines(host, 'request').length === 2, 5_000), `not two lines in the log\n${stand.about(host)}`)
    const notes = lines(host, 'request').map((line) => line.notes)
    assert.deepEqual(notes.filter((list) => list.includes('the client left')).length, 1, JSON.stringify(notes))
  })
})

describe('failures', LIMIT, () => {
  it('truncated page is truncated for the client and not stored', async () => {
    const host = newHost()
    stand.origin.on(host, '/one', text('1'))
    stand.origin.on(host, '/page', page(`<esi:include src="/one"/>${'x'.repeat(50_000)}`, { cut: true }))
    const answer = await stand.get(host, '/page')
    // Local workerd ends a chunked transfer properly even if its stream has failed.
    assert.ok(answer.text.startsWith('1x') && answer.body.length < 50_000, `${answer.body.length} bytes`)
    stand.origin.on(host, '/page', page('<esi:include src="/one"/>.'))
    await sleep(300)
    assert.equal((await stand.get(host, '/page')).text, '1.')
    assert.ok(lines(host, 'request').some((line) => line.notes.includes('the page broke off')), stand.about(host))
  })

  it('fragment that is too large, truncated or stalled is left out or replaced by alt', async () => {
    const host = newHost()
    const large = Buffer.alloc(256 * 1024, 'l')
    stand.origin.on(host, '/large', text(large))
    stand.origin.on(host, '/larger', text(Buffer.alloc(256 * 1024 + 1, 'm')))
    stand.origin.on(host, '/largest', text(Buffer.alloc(3_000_000, 'n'), { chunked: true }))
    stand.origin.on(host, '/torn', text('t'.repeat(20_000), { cut: true }))
    stand.origin.on(host, '/stuck', (request, response) => { response.writeHead(200, HTML.flat()); response.write('stuck') })
    stand.origin.on(host, '/one', text('1'))
    const body = '<esi:include src="/large"/>,<esi:include src="/larger"/>,<esi:include src="/largest" alt="/one"/>,<esi:include src="/torn"/>,<esi:include src="/stuck" alt="/one"/>.'
    stand.origin.on(host, '/page', page(body))
    for (let round = 0; round < 2; round++) {
      const answer = await stand.get(host, '/page')
      assert.ok(answer.complete)
      assert.equal(answer.text, `${large},,1,,1.`, stand.about(host))
      await sleep(300)
    }
    assert.ok(await until(() => lines(host, 'request').length === 2, 3_000))
    const [line] = lines(host, 'request')
    assert.equal(line.fragments, 3)
    assert.equal(line.notes.filter((note) => /^fragment \/(larger|largest|torn|stuck): /.test(note)).length, 4, JSON.stringify(line.notes))
    assert.deepEqual(lines(host, 'fragment').slice(0, 2).map(({ path, status, cache }) => [path, status, cache]), [['/large', 200, 'miss'], ['/larger', 200, 'miss']])
  })

  it('page in gzip is decoded; page in an unsupported or false coding is a 502', async () => {
    const host = newHost()
    const body = 'a<esi:include src="/one"/>b'
    const coded = (name, bytes) => ({ status: 200, fields: [...MARKED, ['Content-Encoding', name]], body: bytes })
    stand.origin.on(host, '/one', { status: 200, fields: [...HTML, ['Content-Encoding', 'gzip']], body: gzipSync('1') })
    stand.origin.on(host, '/gzip', coded('gzip', gzipSync(body)))
    stand.origin.on(host, '/br', coded('br', brotliCompressSync(body)))
    stand.origin.on(host, '/lie', coded('gzip', body))
    stand.origin.on(host, '/odd', page('<esi:include src="/br" alt="/one"/><esi:include src="/lie"/>.'))
    for (const hit of [false, true]) {
      const answer = await stand.get(host, '/gzip', [['Accept-Encoding', 'gzip, br']])
      assert.equal(answer.text, 'a1b', `${answer}\n${stand.about(host)}`)
      assert.equal(answer.hit, hit)
      assert.equal(answer.field('content-encoding'), undefined)
      await sleep(300)
      const broken = await stand.get(host, '/br')
      assert.equal(broken.status, 502)
      assert.ok(!broken.text.includes('esi:'))
    }
    // A false Content-Encoding: gzip is detected before the head is sent: with Content-Length, chunked, long and empty.
    for (const more of [{}, { chunked: true }, { body: 'x'.repeat(300_000) }, { body: '' }]) {
      stand.origin.on(host, '/lie', { ...coded('gzip', body), ...more })
      for (let n = 0; n < 2; n++) {
        const broken = await stand.get(host, '/lie')
        assert.equal(broken.status, 502, `${broken}`)
        assert.match(broken.field('cache-status'), /^(?!.*stored).*detail=coded/)
        await sleep(100)
      }
    }
    assert.equal((await stand.get(host, '/odd')).text, '1.')
    // A correct response is stored afterwards. x-gzip is gzip, with Content-Length or chunked.
    for (const [path, more] of [['/lie', {}], ['/lie2', { chunked: true }]]) {
      stand.origin.on(host, path, { ...coded('x-gzip', gzipSync(body)), ...more })
      for (let n = 0; n < 2; n++) {
        assert.equal((await stand.get(host, path)).text, 'a1b', stand.about(host))
        await sleep(300)
      }
      assert.equal(stand.origin.requests(host, path).length, path === '/lie' ? 10 : 1)
    }
  })
})

describe('invalid gzip', LIMIT, () => {
  const noise = (bytes) => Buffer.from(Array.from({ length: bytes }, (_, n) => 33 + ((n * 2654435761) >>> 7) % 90))
  const coded = (body, more) => ({ status: 200, fields: [...MARKED, ['Content-Encoding', 'gzip']], body, ...more })
  /** Replaces all bytes from this position on. */
  const corrupt = (bytes, from) => Buffer.concat([bytes.subarray(0, from), Buffer.alloc(bytes.length - from, 0xff)])
  const short = gzipSync(Buffer.concat([Buffer.from('<esi:include src="/one"/>'), noise(40_000)]))
  const kinds = {
    'corrupt data': corrupt(short, short.length >> 1),
    'corrupt checksum': corrupt(short, short.length - 8),
    'truncated in the middle': short.subarray(0, short.length >> 1),
    'truncated before the checksum': short.subarray(0, short.length - 8),
    'extra bytes at the end': Buffer.concat([short, Buffer.from('behind')]),
    'only the first two bytes': short.subarray(0, 2),
  }

  for (const [name, bytes] of Object.entries(kinds)) {
    it(`${name}: 502 that is not stored`, async () => {
      const host = newHost()
      stand.origin.on(host, '/one', text('1'))
      for (const more of [{}, { chunked: true }]) {
        stand.origin.on(host, '/page', coded(bytes, more))
        for (const headers of [[], [['Cookie', 'theme=dark']]]) {
          const answer = await stand.get(host, '/page', headers)
          assert.equal(answer.status, 502, `${answer}\n${stand.about(host)}`)
          assert.match(answer.field('cache-status'), /^(?!.*stored).*detail=\S*coded/)
          await sleep(200)
        }
      }
      stand.origin.on(host, '/page', page('<esi:include src="/one"/>.'))
      assert.equal((await stand.get(host, '/page')).text, '1.', stand.about(host))
    })
  }

  it('page of 4 MiB is decoded and checked before the head is sent; a longer one is a 502', async () => {
    const host = newHost()
    const long = gzipSync(Buffer.concat([Buffer.from('<esi:include src="/one"/>'), noise(4 * 1024 * 1024 - 25)]))
    stand.origin.on(host, '/one', text('1'))
    const invalid = { corrupt: corrupt(long, long.length - 8), longer: gzipSync(noise(4 * 1024 * 1024 + 1)), bomb: gzipSync(Buffer.alloc(200_000_000)) }
    for (const [name, bytes] of Object.entries(invalid)) {
      stand.origin.on(host, '/page', coded(bytes))
      const answer = await stand.get(host, '/page')
      assert.equal(answer.status, 502, `${name}: ${answer}\n${stand.about(host)}`)
      await sleep(300)
    }
    stand.origin.on(host, '/page', coded(long))
    let answer
    const isHit = async () => {
      answer = await stand.get(host, '/page')
      assert.equal(answer.body.length, 4 * 1024 * 1024 - 25 + 1)
      return answer.hit
    }
    for (let tries = 0; tries < 10 && !(await isHit()); tries++) await sleep(500)
    assert.ok(answer.hit, stand.about(host))
  })

  /** A plan whose body has only empty stored blocks (RFC 1951 §3.2.4): five encoded bytes decode to none. */
  function emptyBlocks(fields) {
    const empty = gzipSync('', { level: 0 })
    const block = Buffer.alloc(1_000_000, Buffer.from([0, 0, 0, 0xff, 0xff]))
    const plan = (request, response) => {
      response.writeHead(200, [...fields, ['Content-Encoding', 'gzip']].flat())
      pipeline(Readable.from(plan.body()), response, () => {})
    }
    plan.most = 64
    plan.body = function* () {
      yield empty.subarray(0, 10)
      for (plan.sent = 0; plan.sent < plan.most; plan.sent++) yield block
      yield empty.subarray(10)
    }
    return plan
  }

  it('page of many empty blocks is a 502 and not read to its end', async () => {
    const host = newHost()
    const plan = emptyBlocks(MARKED)
    stand.origin.on(host, '/page', plan)
    const answer = await stand.get(host, '/page')
    assert.equal(answer.status, 502, `${answer}\n${stand.about(host)}`)
    assert.match(answer.field('cache-status'), /^(?!.*stored).*detail=\S*coded/)
    assert.ok(plan.sent < plan.most / 2, `${plan.sent} MB were read`)
  })

  it('fragment of many empty blocks is left out and not read to its end', async () => {
    const host = newHost()
    const plan = emptyBlocks([['Cache-Control', 'no-store']])
    stand.origin.on(host, '/part', plan)
    stand.origin.on(host, '/page', page('a<esi:include src="/part"/>b'))
    const answer = await stand.get(host, '/page')
    assert.equal(answer.text, 'ab', `${answer}\n${stand.about(host)}`)
    assert.ok(plan.sent < plan.most / 2, `${plan.sent} MB were read`)
  })
})

describe('bytes', LIMIT, () => {
  it('long page with many includes is assembled byte for byte, from each tier', async () => {
    const host = newHost()
    const part = (n) => Buffer.from(`${n}\u{e9}${'<p>\u{1f600} < & --></p>'.repeat(900 + n * 7)}`)
    const plain = Buffer.concat(Array.from({ length: 30 }, (_, n) => Buffer.concat([part(n), Buffer.from('one')])))
    const tags = Buffer.concat(Array.from({ length: 30 }, (_, n) => Buffer.concat([part(n), Buffer.from('<esi:include src="/one"/>')])))
    stand.origin.on(host, '/one', text('one'))
    stand.origin.on(host, '/page', page(tags))
    for (const tier of ['miss', 'cache-api', 'kv']) {
      if (tier === 'kv') await stand.evict(host)
      const answer = await stand.get(host, '/page')
      assert.ok(answer.complete, tier)
      assert.ok(answer.body.equals(plain), `${tier}: ${answer.body.length} bytes, not ${plain.length}`)
      if (tier !== 'miss') assert.match(answer.field('cache-status'), new RegExp(`hit.*${tier}`))
      await sleep(400)
    }
    assert.equal(stand.origin.requests(host, '/page').length, 1)
    const { fragments, notes } = lines(host, 'request').at(-1)
    assert.deepEqual({ fragments, notes }, { fragments: 30, notes: [] })
  })
})
