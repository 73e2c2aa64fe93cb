// Shadow mode of the built worker: what readers get, what is found out behind it, and what is stored.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildCommand, runCommand } from './command.mjs'
import { Origin } from './origin.mjs'
import { SECRET, Stand } from './stand.mjs'
import { sleep, until } from './wire.mjs'

const TOKEN = `token_${'0123456789abcdef'.repeat(2)}`
const LIMIT = { timeout: 120_000 }
const PUBLIC = ['Cache-Control', 'public, max-age=60']
const MIB = 1024 * 1024

const rules = {
  stats_interval: 1,
  rules: [{ path: '/plain/*', cache: false }, { path: '/shadow/*', shadow: true }],
}

let stand
before(async () => {
  stand = await Stand.start({ rules, secrets: `${SECRET} ${TOKEN}` })
  await warmUp()
})
after(() => stand?.stop())

const page = (body, ...fields) => ({ status: 200, fields: [PUBLIC, ...fields], body })
const lines = (host) => stand.log.filter((line) => line.event === 'request' && line.host === host)

/** An isolate's first response was asked for before it had a purge index, so its record is dead to any purge. */
const warmUp = () => verdict('first.test')

/** Sends a request and returns its verdict, with the reason. The log line comes behind the response. */
async function verdict(host, path = '/shadow/p', fields = [], more = {}) {
  const before = lines(host).length
  await stand.get(host, path, fields, more)
  assert.ok(await until(() => lines(host).length > before, 5_000), `no log line\n${stand.about(host)}`)
  await sleep(100) // for the record, which is written behind the line
  const { shadow, detail } = lines(host).at(-1)
  const reason = detail.filter((word) => word !== 'shadow').at(-1)
  return reason ? `${shadow}/${reason}` : shadow
}

describe('shadow mode', LIMIT, () => {
  it('finds a page that greets its reader, and nothing on a right one', async () => {
    const [right, wrong] = ['right.test', 'wrong.test']
    stand.origin.on(right, '/shadow/p', page('a page for all'))
    stand.origin.on(wrong, '/shadow/p', (request, response) => {
      const [, name] = /name=(\w+)/.exec(request.field('cookie') ?? '') ?? []
      const body = `Hello, ${name ?? 'stranger'}!`
      response.writeHead(200, { 'Cache-Control': 'public, max-age=60', 'Content-Length': body.length }).end(body)
    })
    const cookie = (name) => [['Cookie', `name=${name}`]]
    const found = {}
    for (const host of [right, wrong]) {
      found[host] = []
      for (const fields of [[], [], cookie('Ada'), cookie('Grace')]) found[host].push(await verdict(host, '/shadow/p', fields))
    }
    assert.deepEqual(found, { [right]: ['stored', 'same', 'same', 'same'], [wrong]: ['stored', 'same', 'differs', 'differs'] })
    const problems = stand.log.filter(({ part }) => part === 'shadow')
    assert.equal(problems.length, 2, JSON.stringify(problems))
    for (const { problem } of problems) {
      assert.match(problem, /^key [0-9a-f]{32}: a hit would have differed: stored 200 [0-9a-f]{32}, received 200 [0-9a-f]{32}, other fields: $/)
      assert.ok(problem.includes(lines(wrong)[0].key) && !/Ada|Grace|Hello/.test(problem), problem)
    }

    const path = buildCommand()
    const env = { EDGEKEEP_SITE: stand.worker.url(), EDGEKEEP_SECRET: TOKEN }
    const report = (...args) => runCommand(path, ['stats', '--shadow', ...args], { env })
    let both
    await until(async () => {
      await stand.get('reporter.test', '/')
      both = await report()
      return /right\.test.* 3 +0 +1 /.test(both.stdout) && /wrong\.test.* 1 +2 +1 /.test(both.stdout)
    }, 20_000, 300)
    assert.match(both.stdout, /\n *HOST +RULE +HITS +SAME +DIFFER +STORED +NOT STORED +BYPASS +NOT COMPARED\n/)
    assert.match(both.stdout, /\n *right\.test +rules\[1\], \/shadow\/\* +75\.0 % +3 +0 +1 +0 +0 +0\n/)
    assert.match(both.stdout, /\n *wrong\.test +rules\[1\], \/shadow\/\* +75\.0 % +1 +2 +1 +0 +0 +0\n/)
    assert.deepEqual([both.code, both.stderr], [1, '2 hits would have differed from what the origin sent; the log has their keys, as problems of shadow\n'])
    const one = await report('--host', right)
    assert.deepEqual([one.code, one.stderr], [0, ''], one.stdout)
    const none = await report('--host', 'reporter.test')
    assert.match(none.stdout, /\nno request under a rule with shadow = true\n$/)
  })

  it('a purge between two requests is a miss', async () => {
    const host = 'purge.test'
    stand.origin.on(host, '/shadow/p', page('a page', ['Cache-Tag', 't1']))
    assert.equal(await verdict(host), 'stored')
    assert.equal(await verdict(host), 'same')
    for (const order of [{ files: [`http://${host}/shadow/p`] }, { tags: ['t1'] }]) {
      assert.equal((await stand.purge(host, order)).status, 200)
      assert.equal(await verdict(host), 'stored')
      assert.equal(await verdict(host), 'same')
    }
  })

  it('has a reason where nothing is compared or stored', async () => {
    const host = 'reasons.test'
    const gzip = (body, level) => page(gzipSync(body, { level }), ['Content-Encoding', 'gzip'])
    const zeros = Buffer.alloc(20 * MIB)
    const plans = {
      private: { status: 200, fields: [['Cache-Control', 'private, max-age=60']], body: 'x' },
      large: page(Buffer.alloc(MIB + 1, 'x')),
      'large-stream': { ...page(Buffer.alloc(3 * MIB, 'x')), chunked: true },
      bomb: gzip(zeros, 9),
      'no-gzip': page('this is no gzip', ['Content-Encoding', 'gzip']),
      cut: { ...page(Buffer.alloc(100_000, 'x')), cut: true },
      fits: { ...page(Buffer.alloc(MIB, 'x')), chunked: true },
      empty: page(''),
      head: page('x'),
    }
    for (const [name, plan] of Object.entries(plans)) stand.origin.on(host, `/shadow/${name}`, plan)
    const found = {}
    for (const name of Object.keys(plans)) {
      found[name] = await verdict(host, `/shadow/${name}`, [], name === 'head' ? { method: 'HEAD' } : {})
    }
    found.cookie = await verdict(host, '/shadow/empty', [['Cookie', 'sessionid=1']])
    assert.deepEqual(found, {
      private: 'not-stored/private',
      large: 'not-compared/too-large',
      'large-stream': 'not-compared/too-large',
      bomb: 'not-compared/too-large',
      'no-gzip': 'not-compared/broken',
      cut: 'not-compared/broken',
      fits: 'stored',
      empty: 'stored',
      head: 'not-compared/head',
      cookie: 'bypass/cookie',
    })
    assert.equal(await verdict(host, '/shadow/empty'), 'same')
    assert.equal(await verdict(host, '/shadow/fits'), 'same')
  })

  it('the same page in other bytes of gzip is the same', async () => {
    const host = 'gzip.test'
    const body = 'a page that is as long as pages are. '.repeat(500)
    const [one, other] = [gzipSync(body, { level: 1 }), gzipSync(body, { level: 9 })]
    assert.notDeepEqual(one, other)
    const found = []
    for (const bytes of [one, other, gzipSync(`${body}!`)]) {
      stand.origin.on(host, '/shadow/p', page(bytes, ['Content-Encoding', 'gzip'], ['Vary', 'Accept-Encoding']))
      found.push(await verdict(host, '/shadow/p', [['Accept-Encoding', 'gzip']]))
    }
    assert.deepEqual(found, ['stored', 'same', 'differs'])
  })

  it('readers get what they get without a cache', async () => {
    const host = 'answers.test'
    const etag = ['ETag', '"1"']
    const random = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 7919 * (n % 251)) & 255))
    const gzipped = gzipSync(random)
    const ranged = (request, response) => {
      const [, first, last] = /bytes=(\d+)-(\d+)/.exec(request.field('range') ?? '') ?? []
      if (first === undefined) return response.writeHead(200, { 'Cache-Control': 'max-age=60' }).end(random)
      const part = random.subarray(Number(first), Number(last) + 1)
      response.writeHead(206, { 'Content-Range': `bytes ${first}-${last}/${random.length}`, 'Content-Length': part.length, ETag: '"1"' }).end(part)
    }
    const rows = {
      page: [page('a page', etag, ['Cache-Tag', 'x'], ['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2'])],
      cookie: [page('a page'), [['Cookie', 'sessionid=1; a=b'], ['Accept', 'a/b;q=0.3, */*']]],
      head: [page('a page', etag), [], { method: 'HEAD' }],
      'not-modified': [page('a page', etag), [['If-None-Match', '"1"']]],
      'modified': [page('a page', etag), [['If-None-Match', '"2"']]],
      range: [ranged, [['Range', 'bytes=10-19']]],
      whole: [ranged],
      unsatisfied: [{ status: 416, fields: [['Content-Range', 'bytes */5']], body: '' }, [['Range', 'bytes=9-']]],
      post: [page('done'), [], { method: 'POST', body: 'a form' }],
      gzip: [page(gzipped, ['Content-Encoding', 'gzip']), [['Accept-Encoding', 'gzip, br']]],
      'no-gzip': [page('no gzip', ['Content-Encoding', 'gzip'])],
      stream: [{ ...page(random), chunked: true }],
      large: [{ ...page(Buffer.concat(Array(12).fill(random))), chunked: true }],
      'large-with-length': [page(Buffer.concat(Array(12).fill(random)))],
      empty: [page('')],
      'no-content': [{ status: 204, fields: [], body: '' }],
      redirect: [{ status: 302, fields: [['Location', '/elsewhere'], PUBLIC], body: 'there' }],
      missing: [{ status: 404, fields: [], body: 'no such page' }],
      failing: [{ status: 503, fields: [['Retry-After', '0']], body: 'sorry' }],
      down: [{ down: true }],
      cut: [{ ...page(random), cut: true }],
      odd: [page('x', ['X-Odd', 'caf\xe9'])],
    }
    const seen = async (folder, name, [plan, fields = [], more = {}]) => {
      stand.origin.on(host, `/${folder}/${name}`, plan)
      const answers = []
      for (let n = 0; n < 2; n++) {
        const { status, fields: head, body, complete } = await stand.get(host, `/${folder}/${name}`, fields, more)
        const own = head.filter(([field]) => field.toLowerCase() !== 'date')
        answers.push({ status, complete, body: body.toString('base64'), head: own.map(([field, value]) => [field, field.toLowerCase() === 'cache-status' ? value.replace(/detail=(rule|shadow)/, 'detail=x') : value]) })
      }
      const asked = stand.origin.requests(host, `/${folder}/${name}`).map(({ method, fields: sent, body }) => ({ method, sent, body: body.toString() }))
      return { answers, asked }
    }
    for (const [name, row] of Object.entries(rows)) {
      const plain = await seen('plain', name, row)
      const shadow = await seen('shadow', name, row)
      if (name === 'cut') {
        // How much of the half arrives is the network's.
        for (const { answers } of [plain, shadow]) answers.forEach((answer) => { assert.ok(!answer.complete); answer.body = '' })
      }
      // Why these did not use the cache is not the rule's doing.
      const same = ({ answers, asked }) => ({ asked, answers: answers.map(({ head, ...answer }) => ({ ...answer, head: head.map(([field, value]) => [field, value.replace(/fwd=(bypass|method)(.*); detail=\w+/, 'fwd$2')]) })) })
      assert.deepEqual(same(shadow), same(plain), name)
    }
  })

  it('a reader gets each part of a stream at once', async () => {
    const host = 'stream.test'
    let finish
    stand.origin.on(host, '/shadow/p', (_, response) => {
      response.writeHead(200, { 'Cache-Control': 'max-age=60' }).write('first')
      finish = () => response.end(' last')
    })
    const { hostname, port } = new URL(stand.worker.url())
    const parts = []
    await new Promise((resolve, reject) => {
      const request = http.get({ hostname, port, path: '/shadow/p', headers: { host }, agent: false }, (response) => {
        response.setEncoding('utf8').on('data', (text) => {
          parts.push(text)
          if (parts.length === 1) setTimeout(finish, 100)
        }).on('end', resolve).on('error', reject)
      })
      request.setTimeout(5_000, () => request.destroy(new Error('no first part')))
      request.on('error', reject)
    })
    assert.deepEqual(parts, ['first', ' last'])
    assert.ok(await until(() => lines(host).at(-1)?.shadow === 'stored', 3_000), stand.about(host))
  })

  it('a slow or leaving reader of a large stream holds up nothing', async () => {
    const host = 'leaves.test'
    stand.origin.on(host, '/shadow/p', { ...page(Buffer.alloc(8 * MIB, 'x')), chunked: true })
    await stand.get(host, '/shadow/p', [], { leaveAfter: 1000 })
    stand.origin.on(host, '/shadow/q', page('small'))
    assert.equal(await verdict(host, '/shadow/q'), 'stored')
    assert.equal(await verdict(host, '/shadow/q'), 'same')
  })
})

describe('after shadow mode', LIMIT, () => {
  it('nothing that it stored is served, and no entry is taken for a record', async () => {
    const host = 'after.test'
    const persist = await mkdtemp(join(tmpdir(), 'edgekeep-'))
    const origin = await Origin.start()
    const started = async (shadow) => {
      const options = { rules: { rules: [{ shadow, kv: true, memory: false }] }, persist, origin }
      return await Stand.start(options)
    }
    const kept = stand
    try {
      origin.on(host, '/shadow/p', page('secret of the week'))
      stand = await started(true)
      await warmUp()
      assert.equal(await verdict(host), 'stored')
      assert.equal(await verdict(host), 'same')
      assert.deepEqual(await stand.inKv(host), [])
      await stand.stop()

      stand = await started(false)
      origin.on(host, '/shadow/p', page('another page'))
      const first = await stand.get(host, '/shadow/p')
      assert.deepEqual([first.text, first.cache.get('fwd')], ['another page', 'uri-miss'], String(first))
      await stand.getHit(host, '/shadow/p')
      assert.equal((await stand.inKv(host)).length, 1)
      origin.on(host, '/shadow/q', page('q'))
      await stand.getHit(host, '/shadow/q')
      await stand.stop()

      // The first page differs from the record of before; the second has an entry and no record.
      stand = await started(true)
      assert.equal(await verdict(host), 'differs')
      assert.equal(await verdict(host, '/shadow/q'), 'stored')
    } finally {
      await stand.stop()
      stand = kept
      await origin.stop()
      await rm(persist, { recursive: true, force: true })
    }
  })
})
