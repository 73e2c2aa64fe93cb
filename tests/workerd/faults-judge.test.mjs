// The judge of the fault scenes can find fault: each kind of wrong answer is called wrong, made up here and, once, real.

import { it } from 'node:test'
import assert from 'node:assert/strict'
import { Judge } from './faults/judge.mjs'
import { Load } from './faults/load.mjs'
import { Numbers } from './faults/numbers.mjs'
import { OriginProcess } from './faults/origin.mjs'
import { NOBODY, PAGES, bytesOf, etagOf, shortLength, versionAt } from './faults/pages.mjs'
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

/** An answer of the origin's, made so many seconds before it was asked for. */
function answer(page, { age = 0, said = age, who = NOBODY, gzip = false, cache, fields = [], body = (bytes) => bytes, complete = true, status = page.status, told, etag, made = NOW - age * 1000 } = {}) {
  const version = versionAt(page, made)
  const bytes = bytesOf(page, version, who, gzip)
  etag ??= who === NOBODY ? etagOf(page, version, gzip) : undefined
  const all = [
    ['X-Made', String(made)], ['Age', String(said)], ['Cache-Status', `edgekeep; ${cache}`],
    ...(etag ? [['ETag', etag]] : []), ...(gzip ? [['Content-Encoding', 'gzip']] : []), ...(told ? [['X-Told', told]] : []),
    ...(page.chunked ? [] : [['Content-Length', String(bytes.length)]]), ...fields,
  ]
  return new Answer(status, all, body(bytes, version), complete)
}

function refusal(status, text, cache = 'fwd=uri-miss') {
  return new Answer(status, [['Content-Type', 'text/plain; charset=utf-8'], ['Cache-Status', `edgekeep; ${cache}`]], Buffer.from(text), true)
}

const REFUSAL = refusal(502, 'Bad gateway: the origin server could not be reached, and there is no stored copy of this page.\n')
const TROUBLE = [{ what: 'killed', from: NOW - 1_000, until: NOW + 1_000 }]

/** Judges one answer, after these others. */
function check(name, expected, page, given, { who = NOBODY, gzip = false, took = 5, troubles = [], after = [] } = {}) {
  it(name, () => {
    const judge = new Judge(troubles, BOUND_MS)
    const exchange = (given, began = NOW) => ({ page, who, gzip, began, ended: began + took, ...(given instanceof Error ? { error: given } : { answer: given }) })
    for (const [earlier, began] of after) assert.equal(judge.judge(exchange(earlier, began)).verdict !== 'wrong', true, 'the answers before are right')
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

check('a miss', 'right', NEWS, answer(NEWS, { cache: MISS }))
check('a hit', 'right', NEWS, answer(NEWS, { cache: HIT }))
check('a compressed one', 'right', GZIP, answer(GZIP, { cache: HIT, gzip: true }), { gzip: true })
check('a personal page', 'right', ME, answer(ME, { cache: 'fwd=bypass', who: 'client-1', made: NOW + 1 }), { who: 'client-1' })
check('a late confirmation', 'right', NEWS, answer(NEWS, { cache: 'fwd=stale; fwd-status=304; stored; ttl=0; detail=cache-api', made: NOW + 4, said: 1 }))
check('stale while revalidate', 'stale', NEWS, answer(NEWS, { cache: WHILE_REVALIDATE, age: 2.5, said: 2 }))
check('stale if error', 'stale', NEWS, answer(NEWS, { cache: IF_ERROR, age: 40 }))

check('the body of another page', /the body is \S+ v\d+ for -/, NEWS, answer(NEWS, { cache: HIT, body: (_, version) => bytesOf(CHUNKED, version, NOBODY, false) }))
check('the body of another version', /the body is /, NEWS, answer(NEWS, { cache: HIT, body: (_, version) => bytesOf(NEWS, version - 1, NOBODY, false) }))
check('one byte changed', /the body is /, NEWS, answer(NEWS, { cache: HIT, body: (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from('x')]) }))
check('one byte too many', /the body is /, NEWS, answer(NEWS, { cache: HIT, body: (bytes) => Buffer.concat([bytes, Buffer.from('x')]) }))
check('the ETag of another version', /ETag "1" instead of/, GZIP, answer(GZIP, { cache: HIT, gzip: true, etag: '"1"' }), { gzip: true })
check('gzip for who does not take it', /coded as gzip/, GZIP, answer(GZIP, { cache: HIT, gzip: true }))
check('another status', /status 200 instead of 404/, kind('missing'), answer(kind('missing'), { cache: HIT, status: 200 }))
check("a page of the worker's own", /does not come from the origin/, NEWS, new Answer(200, [], Buffer.from('hello'), true))

check('cut by the origin', 'cut', NEWS, answer(NEWS, { cache: MISS, told: 'cut', body: half, complete: false }))
check('cut by its death', 'cut', NEWS, answer(NEWS, { cache: MISS, body: half, complete: false }), { troubles: TROUBLE })
check('cut by nobody', /the origin did not cut it/, NEWS, answer(NEWS, { cache: MISS, body: half, complete: false }))
check('cut, of known length, and called whole', /the client cannot see it/, NEWS, answer(NEWS, { cache: MISS, told: 'cut', body: half }))
check('cut and chunked, on a miss', 'cut', CHUNKED, answer(CHUNKED, { cache: MISS, told: 'cut', body: half }))
check('cut and chunked, as a hit', /the client cannot see it/, CHUNKED, answer(CHUNKED, { cache: HIT, told: 'cut', body: half }))
check('cut and chunked, and collapsed', /the client cannot see it/, CHUNKED, answer(CHUNKED, { cache: 'fwd=uri-miss; collapsed; ttl=1; detail=cache-api', told: 'cut', body: half }))
check('a length too short', 'right', NEWS, answer(NEWS, { cache: HIT, told: 'short-length', body: (bytes) => bytes.subarray(0, shortLength(bytes)) }))

check('fresh for too long', /not called stale: at most 1 s/, NEWS, answer(NEWS, { cache: HIT, age: 3.5 }))
check('stale while revalidate for too long', /at most 3 s/, NEWS, answer(NEWS, { cache: WHILE_REVALIDATE, age: 6 }))
check('stale if error for too long', /at most 61 s/, NEWS, answer(NEWS, { cache: IF_ERROR, age: 64 }))
check('stale where that is forbidden', /which this page forbids/, STRICT, answer(STRICT, { cache: IF_ERROR, age: 2 }))
check('stale while revalidate where there is no such window', /at most 1 s|forbids/, PLAIN, answer(PLAIN, { cache: WHILE_REVALIDATE, age: 4 }))
check('stale, and not said', /neither fresh nor called stale/, NEWS, answer(NEWS, { cache: 'hit; ttl=-1; detail=cache-api', age: 2 }))
check('an Age too small', /Age 0/, NEWS, answer(NEWS, { cache: IF_ERROR, age: 9, said: 0 }))

check("somebody else's page", /for client-2/, ME, answer(ME, { cache: 'fwd=bypass', who: 'client-2', made: NOW + 1 }), { who: 'client-1' })
check("somebody's page, for nobody", /for client-2/, ME, answer(ME, { cache: HIT, who: 'client-2', etag: etagOf(ME, versionAt(ME, NOW), false) }))
check("everybody's page, for somebody", /for -|ETag/, ME, answer(ME, { cache: HIT }), { who: 'client-1' })
check("one's own page, from a cache", /from a cache/, ME, answer(ME, { cache: HIT, who: 'client-1', made: NOW + 1 }), { who: 'client-1' })
check("one's own page, from another request", /from a cache/, ME, answer(ME, { cache: 'fwd=uri-miss; collapsed; detail=cache-api', who: 'client-1', made: NOW + 1 }), { who: 'client-1' })
check("one's own page, kept", /on its way/, ME, answer(ME, { cache: MISS, who: 'client-1', made: NOW + 1 }), { who: 'client-1' })
check("one's own page, of yesterday", /before it was asked for/, ME, answer(ME, { cache: 'fwd=bypass', who: 'client-1', age: 1 }), { who: 'client-1' })

check('an honest refusal', 'refused', NEWS, REFUSAL, { troubles: TROUBLE })
check("the origin's own", 'refused', NEWS, new Answer(503, [['X-Made', String(NOW)], ['X-Told', 'busy']], Buffer.from(`busy: ${NEWS.target}\n`), true), { troubles: TROUBLE })
check("the origin's own for another page", /did not send/, NEWS, new Answer(503, [['X-Made', String(NOW)], ['X-Told', 'busy']], Buffer.from('busy: /\n'), true), { troubles: TROUBLE })
check('a refusal without trouble', /nothing was wrong/, NEWS, REFUSAL)
check('a refusal long after the trouble', /nothing was wrong/, NEWS, REFUSAL, { troubles: [{ what: 'killed', from: NOW - 29_000, until: NOW - 14_000 }] })
check('a refusal without words', /without an explanation/, NEWS, refusal(502, ''), { troubles: TROUBLE })
check('a crash', /without an explanation/, NEWS, refusal(500, 'Internal error: something.\n'), { troubles: TROUBLE })
check('a refusal where a copy is known', /a copy is known/, NEWS, REFUSAL, { troubles: TROUBLE, after: [[answer(NEWS, { cache: HIT, made: NOW - 9_000, said: 0 }), NOW - 9_000]] })
check('a refusal where a copy is known for some seconds more', /a copy is known/, NEWS, REFUSAL, { troubles: TROUBLE, after: [[answer(NEWS, { cache: HIT, made: NOW - 57_000, said: 0 }), NOW - 57_000]] })
check('a refusal where another copy, of an earlier Date, may lie in its place', 'refused', NEWS, REFUSAL, { troubles: TROUBLE, after: [[answer(NEWS, { cache: HIT, made: NOW - 58_500, said: 0 }), NOW - 58_500]] })
check('a refusal when its time is over', 'refused', NEWS, REFUSAL, { troubles: TROUBLE, after: [[answer(NEWS, { cache: HIT, made: NOW - 61_000, said: 0 }), NOW - 61_000]] })
check('a refusal where a copy may not be used', 'refused', STRICT, REFUSAL, { troubles: TROUBLE, after: [[answer(STRICT, { cache: HIT, made: NOW - 500, said: 0 }), NOW - 500]] })

check('no answer', /no answer: broken/, NEWS, new Error('broken'), { troubles: TROUBLE })
check('an answer too late', /it took 10001 ms/, NEWS, answer(NEWS, { cache: MISS }), { took: 10_001 })

it('an origin that sends the body of another page is found out, behind the worker', { timeout: 60_000 }, async () => {
  const origin = await OriginProcess.start()
  const stand = await Stand.start({ origin }).catch(async (error) => {
    await origin.stop()
    throw error
  })
  const numbers = new Numbers()
  const judge = new Judge(origin.troubles, BOUND_MS)
  const load = new Load(stand.worker, BOUND_MS, (exchange) => numbers.add(exchange, judge.judge(exchange)))
  try {
    await load.during(() => sleep(300))
    assert.equal(numbers.wrong, 0, String(numbers))
    await origin.tell({ fault: 'swapped', share: 0.2 })
    await load.during(() => sleep(700))
    assert.ok(numbers.wrong > 0, 'not found out')
    assert.match(String(numbers), /the body is|bytes that are not of this page|Content-(Length|Range)/)
  } finally {
    await stand.stop()
    await origin.stop()
  }
})
