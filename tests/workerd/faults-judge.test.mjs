// The judge of the fault scenes detects each kind of wrong response: constructed ones, and one from a real origin.

import { it } from 'node:test'
import assert from 'node:assert/strict'
import { Judge } from './faults/judge.mjs'
import { Load } from './faults/load.mjs'
import { Numbers } from './faults/numbers.mjs'
import { OriginProcess } from './faults/origin.mjs'
import { ANONYMOUS, PAGES, bytesOf, etagOf, shortLength, versionAt } from './faults/pages.mjs'
import { Stand } from './stand.mjs'
import { Answer, sleep } from './wire.mjs'

const NOW = 1_795_000_000_000
const BOUND_MS = 10_000

const kind = (name, more = () => true) => PAGES.find((page) => page.target.startsWith(`/${name}`) && more(page))
const NEWS = kind('news', (page) => !page.chunked && page.filler > 1_000 && !page.gzip)
const CHUNKED = kind('news', (page) => page.chunked && page.filler > 100)
const GZIP = kind('news', (page) => page.gzip)
const PLAIN = kind('plain')
const STRICT = kind('strict')
const ME = kind('me')

/** A response that the origin made `age` seconds before the request. */
function answer(page, { age = 0, statedAge = age, user = ANONYMOUS, gzip = false, cache, fields = [], body = (bytes) => bytes, complete = true, status = page.status, fault, etag, made = NOW - age * 1000 } = {}) {
  const version = versionAt(page, made)
  const bytes = bytesOf(page, version, user, gzip)
  etag ??= user === ANONYMOUS ? etagOf(page, version, gzip) : undefined
  const all = [
    ['X-Made', String(made)], ['Age', String(statedAge)], ['Cache-Status', `edgekeep; ${cache}`],
    ...(etag ? [['ETag', etag]] : []), ...(gzip ? [['Content-Encoding', 'gzip']] : []), ...(fault ? [['X-Fault', fault]] : []),
    ...(page.chunked ? [] : [['Content-Length', String(bytes.length)]]), ...fields,
  ]
  return new Answer(status, all, body(bytes, version), complete)
}

function refusal(status, text, cache = 'fwd=uri-miss') {
  return new Answer(status, [['Content-Type', 'text/plain; charset=utf-8'], ['Cache-Status', `edgekeep; ${cache}`]], Buffer.from(text), true)
}

const REFUSAL = refusal(502, 'Bad gateway: the origin server could not be reached, and there is no stored copy of this page.\n')
const FAULTS = [{ what: 'killed', from: NOW - 1_000, until: NOW + 1_000 }]

/** Judges one response after the earlier ones in `after`. */
function check(name, expected, page, given, { user = ANONYMOUS, gzip = false, took = 5, faults = [], after = [] } = {}) {
  it(name, () => {
    const judge = new Judge(faults, BOUND_MS)
    const exchange = (given, began = NOW) => ({ page, user, gzip, began, ended: began + took, ...(given instanceof Error ? { error: given } : { answer: given }) })
    for (const [earlier, began] of after) assert.equal(judge.judge(exchange(earlier, began)).verdict !== 'wrong', true, 'an earlier response is wrong')
    const { verdict, why } = judge.judge(exchange(given))
    if (expected instanceof RegExp) {
      assert.equal(verdict, 'wrong', `expected: ${expected}`)
      assert.match(why, expected)
    } else {
      assert.equal(verdict, expected, why)
    }
  })
}

const HIT = 'hit; ttl=1; detail=cache-api'
const MISS = 'fwd=uri-miss; fwd-status=200; stored; ttl=1'
const WHILE_REVALIDATE = 'hit; ttl=-1; detail=cache-api/stale-while-revalidate'
const IF_ERROR = 'fwd=stale; ttl=-9; detail=cache-api/stale-if-error'
const half = (bytes) => bytes.subarray(0, bytes.length / 2)

check('miss is right', 'right', NEWS, answer(NEWS, { cache: MISS }))
check('hit is right', 'right', NEWS, answer(NEWS, { cache: HIT }))
check('gzip response is right', 'right', GZIP, answer(GZIP, { cache: HIT, gzip: true }), { gzip: true })
check('personal response on a bypass is right', 'right', ME, answer(ME, { cache: 'fwd=bypass', user: 'client-1', made: NOW + 1 }), { user: 'client-1' })
check('late revalidation by 304 is right', 'right', NEWS, answer(NEWS, { cache: 'fwd=stale; fwd-status=304; stored; ttl=0; detail=cache-api', made: NOW + 4, statedAge: 1 }))
check('response marked stale-while-revalidate is stale', 'stale', NEWS, answer(NEWS, { cache: WHILE_REVALIDATE, age: 2.5, statedAge: 2 }))
check('response marked stale-if-error is stale', 'stale', NEWS, answer(NEWS, { cache: IF_ERROR, age: 40 }))

check('body of another page is wrong', /the body is \S+ v\d+ for -/, NEWS, answer(NEWS, { cache: HIT, body: (_, version) => bytesOf(CHUNKED, version, ANONYMOUS, false) }))
check('body of another version is wrong', /the body is /, NEWS, answer(NEWS, { cache: HIT, body: (_, version) => bytesOf(NEWS, version - 1, ANONYMOUS, false) }))
check('one changed byte is wrong', /the body is /, NEWS, answer(NEWS, { cache: HIT, body: (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from('x')]) }))
check('one extra byte is wrong', /the body is /, NEWS, answer(NEWS, { cache: HIT, body: (bytes) => Buffer.concat([bytes, Buffer.from('x')]) }))
check('ETag of another version is wrong', /ETag "1" instead of/, GZIP, answer(GZIP, { cache: HIT, gzip: true, etag: '"1"' }), { gzip: true })
check('gzip for a client that does not accept it is wrong', /coded as gzip/, GZIP, answer(GZIP, { cache: HIT, gzip: true }))
check('another status is wrong', /status 200 instead of 404/, kind('missing'), answer(kind('missing'), { cache: HIT, status: 200 }))
check('response that the origin did not send is wrong', /does not come from the origin/, NEWS, new Answer(200, [], Buffer.from('hello'), true))

check('body that the origin cut is cut', 'cut', NEWS, answer(NEWS, { cache: MISS, fault: 'cut', body: half, complete: false }))
check('body cut when the origin is killed is cut', 'cut', NEWS, answer(NEWS, { cache: MISS, body: half, complete: false }), { faults: FAULTS })
check('truncated body that the origin did not cut is wrong', /the origin did not cut it/, NEWS, answer(NEWS, { cache: MISS, body: half, complete: false }))
check('truncated body with Content-Length that looks complete is wrong', /the client cannot see it/, NEWS, answer(NEWS, { cache: MISS, fault: 'cut', body: half }))
check('truncated chunked body on a miss is cut', 'cut', CHUNKED, answer(CHUNKED, { cache: MISS, fault: 'cut', body: half }))
check('truncated chunked body on a hit is wrong', /the client cannot see it/, CHUNKED, answer(CHUNKED, { cache: HIT, fault: 'cut', body: half }))
check('truncated chunked body of a collapsed request is wrong', /the client cannot see it/, CHUNKED, answer(CHUNKED, { cache: 'fwd=uri-miss; collapsed; ttl=1; detail=cache-api', fault: 'cut', body: half }))
check('body cut at a Content-Length that is too short is right', 'right', NEWS, answer(NEWS, { cache: HIT, fault: 'short-length', body: (bytes) => bytes.subarray(0, shortLength(bytes)) }))

check('hit older than its freshness lifetime and not marked stale is wrong', /not called stale: at most 1 s/, NEWS, answer(NEWS, { cache: HIT, age: 3.5 }))
check('stale-while-revalidate beyond its window is wrong', /at most 3 s/, NEWS, answer(NEWS, { cache: WHILE_REVALIDATE, age: 6 }))
check('stale-if-error beyond its window is wrong', /at most 61 s/, NEWS, answer(NEWS, { cache: IF_ERROR, age: 64 }))
check('stale response with must-revalidate is wrong', /which this page forbids/, STRICT, answer(STRICT, { cache: IF_ERROR, age: 2 }))
check('stale-while-revalidate without a window is wrong', /at most 1 s|forbids/, PLAIN, answer(PLAIN, { cache: WHILE_REVALIDATE, age: 4 }))
check('stale response that is not marked stale is wrong', /neither fresh nor called stale/, NEWS, answer(NEWS, { cache: 'hit; ttl=-1; detail=cache-api', age: 2 }))
check('Age that is too small is wrong', /Age 0/, NEWS, answer(NEWS, { cache: IF_ERROR, age: 9, statedAge: 0 }))

check("another client's personal response is wrong", /for client-2/, ME, answer(ME, { cache: 'fwd=bypass', user: 'client-2', made: NOW + 1 }), { user: 'client-1' })
check('personal response for an anonymous request is wrong', /for client-2/, ME, answer(ME, { cache: HIT, user: 'client-2', etag: etagOf(ME, versionAt(ME, NOW), false) }))
check('anonymous response for a personal request is wrong', /for -|ETag/, ME, answer(ME, { cache: HIT }), { user: 'client-1' })
check('personal response from a cache is wrong', /from a cache/, ME, answer(ME, { cache: HIT, user: 'client-1', made: NOW + 1 }), { user: 'client-1' })
check('collapsed personal response is wrong', /from a cache/, ME, answer(ME, { cache: 'fwd=uri-miss; collapsed; detail=cache-api', user: 'client-1', made: NOW + 1 }), { user: 'client-1' })
check('stored personal response is wrong', /or stored/, ME, answer(ME, { cache: MISS, user: 'client-1', made: NOW + 1 }), { user: 'client-1' })
check('personal response made before its request is wrong', /before its request/, ME, answer(ME, { cache: 'fwd=bypass', user: 'client-1', age: 1 }), { user: 'client-1' })

check('error page during a fault is refused', 'refused', NEWS, REFUSAL, { faults: FAULTS })
check("origin's 503 during a fault is refused", 'refused', NEWS, new Answer(503, [['X-Made', String(NOW)], ['X-Fault', 'busy']], Buffer.from(`busy: ${NEWS.target}\n`), true), { faults: FAULTS })
check("origin's 503 for another page is wrong", /did not send/, NEWS, new Answer(503, [['X-Made', String(NOW)], ['X-Fault', 'busy']], Buffer.from('busy: /\n'), true), { faults: FAULTS })
check('error page without a fault is wrong', /without a fault/, NEWS, REFUSAL)
check('error page long after a fault is wrong', /without a fault/, NEWS, REFUSAL, { faults: [{ what: 'killed', from: NOW - 29_000, until: NOW - 14_000 }] })
check('error page without an explanation is wrong', /without an explanation/, NEWS, refusal(502, ''), { faults: FAULTS })
check('500 of a crash is wrong', /without an explanation/, NEWS, refusal(500, 'Internal error: something.\n'), { faults: FAULTS })
check('error page while a usable response is stored is wrong', /a usable response is stored/, NEWS, REFUSAL, { faults: FAULTS, after: [[answer(NEWS, { cache: HIT, made: NOW - 9_000, statedAge: 0 }), NOW - 9_000]] })
check('error page seconds before the end of a stale window is wrong', /a usable response is stored/, NEWS, REFUSAL, { faults: FAULTS, after: [[answer(NEWS, { cache: HIT, made: NOW - 57_000, statedAge: 0 }), NOW - 57_000]] })
check('error page when an entry with an earlier Date may have replaced the stored one is refused', 'refused', NEWS, REFUSAL, { faults: FAULTS, after: [[answer(NEWS, { cache: HIT, made: NOW - 58_500, statedAge: 0 }), NOW - 58_500]] })
check('error page after the end of the stale window is refused', 'refused', NEWS, REFUSAL, { faults: FAULTS, after: [[answer(NEWS, { cache: HIT, made: NOW - 61_000, statedAge: 0 }), NOW - 61_000]] })
check('error page while the stored response must be revalidated is refused', 'refused', STRICT, REFUSAL, { faults: FAULTS, after: [[answer(STRICT, { cache: HIT, made: NOW - 500, statedAge: 0 }), NOW - 500]] })

check('missing response is wrong', /no answer: broken/, NEWS, new Error('broken'), { faults: FAULTS })
check('response after the time limit is wrong', /it took 10001 ms/, NEWS, answer(NEWS, { cache: MISS }), { took: 10_001 })

it('body of another page is detected through the worker', { timeout: 60_000 }, async () => {
  const origin = await OriginProcess.start()
  const stand = await Stand.start({ origin }).catch(async (error) => {
    await origin.stop()
    throw error
  })
  const numbers = new Numbers()
  const judge = new Judge(origin.faults, BOUND_MS)
  const load = new Load(stand.worker, BOUND_MS, (exchange) => numbers.add(exchange, judge.judge(exchange)))
  try {
    await load.during(() => sleep(300))
    assert.equal(numbers.wrong, 0, String(numbers))
    await origin.setMode({ fault: 'swapped', share: 0.2 })
    await load.during(() => sleep(700))
    assert.ok(numbers.wrong > 0, 'no wrong response was detected')
    assert.match(String(numbers), /the body is|bytes that are not of this page|Content-(Length|Range)/)
  } finally {
    await stand.stop()
    await origin.stop()
  }
})
