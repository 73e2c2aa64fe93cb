// RFC 9111 §5.2.2 (response directives), §5.2 (their syntax), §4.2.1 (freshness lifetime), RFC 8246, RFC 9213.

import { any, asked, at, fill, hit, miss, must, optimal, res, valid, wait } from './play.mjs'

/** [Cache-Control, note]: not reused for the next request. */
const NEVER = [
  ['no-store'], ['No-StoRe'], ['no-store, max-age=60'], ['max-age=60, no-store'], ['public, max-age=60, no-store'], ['max-age=60,no-store'],
  ['max-age=60 ,\tno-store'], [', ,no-store,, max-age=60', 'empty members'], [['max-age=60', 'no-store'], 'in the second line'],
  [['no-store', 'max-age=60'], 'in the first line'], ['x="a, b", no-store, max-age=60', 'after a quoted comma'], ['x="\\"", no-store, max-age=60', 'after a quoted quote'],
  ['no-store, no-store, max-age=60', 'twice'], ['immutable, max-age=60, no-store'],
  ['private'], ['PRIVATE, max-age=60'], ['private, max-age=60'], ['private, s-maxage=60'], ['public, private, max-age=60'], [['max-age=60', 'private']],
  ['no-cache'], ['No-Cache, max-age=60'], ['no-cache, max-age=60'], ['no-cache, s-maxage=60'], ['no-cache, max-age=60, stale-while-revalidate=60'],
  ['no-cache, immutable, max-age=60'], [['max-age=60', 'no-cache']], ['no-cache, no-cache="x-a", max-age=60', 'unqualified and qualified'],
  ['max-age=0'], ['max-age=00'], ['s-maxage=0, max-age=60'], ['max-age=60, S-MaxAge=0'], [['max-age=60', 's-maxage=0']], ['max-age=0, public'], ['max-age=0, immutable'],
  ['max-age=0, must-revalidate'], ['s-maxage=0'],
]

/** Reused for the next request. */
const STORED = [
  ['max-age=60'], ['MAX-AGE=60'], ['Max-Age=60'], ['max-age="60"', 'quoted'], ['max-age=060', 'leading zero'], ['public,max-age=60'], ['max-age=60,'], [',max-age=60'],
  ['\tmax-age=60\t'], ['max-age=60, must-revalidate'], ['max-age=60, proxy-revalidate'], ['max-age=60, immutable'], ['max-age=60, no-transform'], ['s-maxage=60'],
  ['s-maxage=60, max-age=0'], ['max-age=0, s-maxage="60"'], ['max-age=60, max-age=60', 'repeated'], [['public', 'max-age=60']],
  ['max-age=2147483647'], ['max-age=2147483648'], ['max-age=4294967297'], ['max-age=99999999999', 'huge'], ['max-age=99999999999999999999999999', 'beyond 64 bits'],
  ['community="UCI", max-age=60', 'unknown extension'], ['x-a=1;b=2, max-age=60', 'odd extension'], ['x="no-store", max-age=60', 'quoted no-store'],
  ['x="a, no-store, b", max-age=60', 'no-store between quoted commas'], ['x="\\", no-store, y=\\"", max-age=60', 'no-store after a quoted quote'],
  ['xno-store, max-age=60'], ['no-storex, max-age=60'], ['x-private, max-age=60'], ['public, must-revalidate, proxy-revalidate, immutable, max-age=60', 'all together'],
  ['must-understand, max-age=60'], ['must-understand, no-store, max-age=60'],
]

/** §4.2.1 encourages treating invalid freshness information as stale; the response has no other. */
const INVALID = ['max-age=-1', 'max-age=1.5', "max-age='60'", 'max-age=60abc', 'max-age=', 'max-age', 'max-age=abc', 'max-age=+60', 'max-age=0x3c', 'max-age=""', 'max-age="-60"',
  'max-age=6 0', 'max-age=1e3', 'max-agE60', 'x="max-age=60"', 's-maxage=-1', 's-maxage', 'xmax-age=60', 'max-age=60s']

const list = (value) => [value].flat().join(' | ')
const label = ([value, why]) => `${list(value)}${why ? ` (${why})` : ''}`
const plain = (fields) => res(fields, { confirms: false })

export default [
  ...NEVER.map((row) => must('RFC 9111 §5.2.2', label(row), fill(plain({ cc: row[0] })), miss())),
  ...STORED.map((row) => optimal('RFC 9111 §5.2.2', label(row), fill(res({ cc: row[0] })), hit())),
  ...INVALID.map((cc) => optimal('RFC 9111 §4.2.1', `${cc} is not a freshness lifetime`, fill(plain({ cc })), miss())),
  optimal('RFC 9111 §4.2.1', 'max-age=1, max-age=60: the first or none', fill(plain({ cc: 'max-age=1, max-age=60' })), wait(2.2), miss()),
  optimal('RFC 9111 §4.2.1', 'max-age=1 and max-age=60 in two lines: the first or none', fill(plain({ cc: ['max-age=1', 'max-age=60'] })), wait(2.2), miss()),

  must('RFC 9111 §4.2', 'max-age=1 is stale after 2 s', fill(plain({ cc: 'max-age=1' })), wait(2.2), miss()),
  must('RFC 9111 §5.2.2.10', 's-maxage=1 overrides max-age=60', fill(plain({ cc: 's-maxage=1, max-age=60' })), wait(2.2), miss()),
  must('RFC 9111 §5.2.2.10', 's-maxage=1 overrides Expires', fill(plain({ cc: 's-maxage=1', Expires: at(60) })), wait(2.2), miss()),
  must('RFC 9111 §5.3', 'max-age=0 overrides Expires', fill(plain({ cc: 'max-age=0', Expires: at(60) })), miss()),
  optimal('RFC 9111 §5.3', 'max-age=60 overrides an Expires in the past', fill(res({ cc: 'max-age=60', Expires: at(-60) })), hit()),
  optimal('RFC 9111 §5.3', 'max-age=60 overrides Expires: 0', fill(res({ cc: 'max-age=60', Expires: '0' })), hit()),
  optimal('RFC 9111 §5.3', 's-maxage=60 overrides an Expires in the past', fill(res({ cc: 's-maxage=60', Expires: at(-60) })), hit()),
  must('RFC 9111 §5.3', 'Expires in the past applies when Cache-Control has no freshness lifetime', fill(plain({ cc: 'public', Expires: at(-60) })), miss()),
  optimal('RFC 9111 §5.3', 'Expires applies besides public', fill(res({ cc: 'public', Expires: at(60) })), hit()),
  must('RFC 9111 §5.2.2.3', 'must-understand with an unknown status', 
    fill(res({ cc: 'must-understand, max-age=60' }, { status: 599 })), miss()),
  must('RFC 9111 §5.2.2.3', 'must-understand, no-store with an unknown status', fill(res({ cc: 'must-understand, no-store, max-age=60' }, { status: 299 })), miss()),
  optimal('RFC 9111 §5.2.2.4', 'no-cache is stored and validated', fill(res({ cc: 'no-cache', ETag: '"1"' })), valid(), valid()),
  optimal('RFC 9111 §5.2.2.4', 'no-cache, max-age=60 is stored and validated by date', fill(res({ cc: 'no-cache, max-age=60', lm: at(-90000) }, { fields304: { cc: 'no-cache' } })),
    asked({ sent: { 'if-modified-since': true } })),
  optimal('RFC 9111 §5.2.2.10', 'must-revalidate is validated when stale', fill(res({ cc: 'max-age=1, must-revalidate', ETag: '"1"' })), wait(2.2), valid()),

  must('RFC 9111 §5.2.2.4', 'no-cache="x-me": the field is not reused', fill(res({ cc: 'no-cache="x-me", max-age=60', 'X-Me': '1', 'X-All': '1' }), { has: { 'x-me': '1' } }),
    any({ ifCached: { lacks: ['x-me'] } })),
  optimal('RFC 9111 §5.2.2.4', 'no-cache="x-me": other fields are reused', fill(res({ cc: 'no-cache="x-me", max-age=60', 'X-Me': '1', 'X-All': '1' })), hit({ has: { 'x-all': '1' } })),
  must('RFC 9111 §5.2.2.4', 'no-cache="X-Me, x-you": neither field is reused', fill(res({ cc: 'no-cache="X-Me, x-you", max-age=60', 'x-me': '1', 'X-You': '1' })), any({ ifCached: { lacks: ['x-me', 'x-you'] } })),
  must('RFC 9111 §5.2.2.4', 'no-cache=x-me as a token: the field is not reused', fill(res({ cc: 'no-cache=x-me, max-age=60', 'X-Me': '1' })), any({ ifCached: { lacks: ['x-me'] } })),
  must('RFC 9111 §5.2.2.7', 'private="x-me": the field is not stored', fill(res({ cc: 'private="x-me", max-age=60', 'X-Me': '1', 'X-All': '1' }), { has: { 'x-me': '1' } }),
    any({ ifCached: { lacks: ['x-me'] } })),
  optimal('RFC 9111 §5.2.2.7', 'private="x-me": other fields are stored', fill(res({ cc: 'private="x-me", max-age=60', 'X-Me': '1', 'X-All': '1' })), hit({ has: { 'x-all': '1' } })),
  optimal('RFC 9111 §5.2.2.7', 'private="set-cookie" makes the rest storable', fill(res({ cc: 'private="set-cookie", max-age=60', 'Set-Cookie': 'a=b' }), { has: { 'set-cookie': 'a=b' } }),
    hit({ lacks: ['set-cookie'] })),
  optimal('RFC 9111 §5.2.2.4', 'no-cache="set-cookie" makes the rest reusable', fill(res({ cc: 'no-cache="set-cookie", max-age=60', 'Set-Cookie': 'a=b' })), hit({ lacks: ['set-cookie'] })),

  // RFC 9213: CDN-Cache-Control is a structured dictionary; an invalid or empty one is ignored.
  optimal('RFC 9213 §2.2', 'max-age=60 overrides max-age=0 of Cache-Control', fill(res({ cdn: 'max-age=60', cc: 'max-age=0' })), hit()),
  optimal('RFC 9213 §2.2', 'max-age=60 overrides no-store of Cache-Control', fill(res({ cdn: 'max-age=60', cc: 'no-store' })), hit()),
  optimal('RFC 9213 §2.2', 'max-age=60 overrides private of Cache-Control', fill(res({ cdn: 'max-age=60', cc: 'private' })), hit()),
  optimal('RFC 9213 §2.2', 'max-age=60 overrides Expires', fill(res({ cdn: 'max-age=60', Expires: '0' })), hit()),
  optimal('RFC 9213 §2.2', 'max-age=60 overrides s-maxage=0 of Cache-Control', fill(res({ cdn: 'max-age=60', cc: 's-maxage=0' })), hit()),
  optimal('RFC 9213 §2.1', 'max-age=60 with a parameter', fill(res({ cdn: 'max-age=60;x=1', cc: 'no-store' })), hit()),
  optimal('RFC 9213 §2.1', 'max-age=60 and an unknown member', fill(res({ cdn: 'x-what="a, no-store", max-age=60', cc: 'no-store' })), hit()),
  optimal('RFC 9213 §2.1', 'the last value of a repeated key applies', fill(res({ cdn: 'max-age=0, max-age=60', cc: 'no-store' })), hit()),
  optimal('RFC 9213 §2.1', 'two lines are one dictionary', fill(res({ cdn: ['public', 'max-age=60'], cc: 'no-store' })), hit()),
  ...['max-age=0', 'no-store', 'private', 'no-cache', 'max-age=60, no-store', 'max-age=60, no-cache', 'max-age=60, max-age=0', 's-maxage=0, max-age=60', 'must-revalidate', 'public', 'x-what',
    'no-store, x=(1 2)', 'no-store;x'].map((cdn) =>
    must('RFC 9213 §2.2', `${cdn} overrides max-age=60 of Cache-Control`, fill(plain({ cdn, cc: 'max-age=60' })), miss())),
  must('RFC 9213 §2.2', 'max-age=1 is stale after 2 s', fill(plain({ cdn: 'max-age=1', cc: 'max-age=60' })), wait(2.2), miss()),
  must('RFC 9213 §2.2', 'no-store in the second line applies', fill(plain({ cdn: ['max-age=60', 'no-store'], cc: 'max-age=60' })), miss()),
  ...['max-age=60,', 'max-age=60,,public', 'MAX-AGE=60', 'max-age=60 s', '&', '', 'max-age=60, "a"', 'max-age=', 'max-age=60; x=,', "max-age='60'"].flatMap((cdn) => [
    must('RFC 9213 §2.1', `"${cdn}" is ignored, and no-store of Cache-Control applies`, fill(plain({ cdn, cc: 'no-store' })), miss()),
    optimal('RFC 9213 §2.1', `"${cdn}" is ignored, and max-age=60 of Cache-Control applies`, fill(res({ cdn, cc: 'max-age=60' })), hit()),
  ]),
  // Beyond the RFC: in doubt, a miss.
  ...['max-age=60; no-store=,', 'No-Store, max-age=60', 'private max-age=60'].map((cdn) =>
    optimal('RFC 9213 §2.1', `"${cdn}" is ignored except for its restrictive directive`, fill(plain({ cdn, cc: 'max-age=60' })), miss())),
]
