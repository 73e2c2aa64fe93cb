// RFC 9111 §5.2.2 (response directives), §5.2 (their syntax), §4.2.1 (which lifetime), RFC 8246, RFC 9213.

import { any, asked, at, fill, hit, miss, must, optimal, res, valid, wait } from './play.mjs'

/** [Cache-Control, what it shows]: not reused for the next request. */
const NEVER = [
  ['no-store'], ['No-StoRe'], ['no-store, max-age=60'], ['max-age=60, no-store'], ['public, max-age=60, no-store'], ['max-age=60,no-store'],
  ['max-age=60 ,\tno-store'], [', ,no-store,, max-age=60', 'empty members'], [['max-age=60', 'no-store'], 'in another line'],
  [['no-store', 'max-age=60'], 'in the first line'], ['x="a, b", no-store, max-age=60', 'after a quoted comma'], ['x="\\"", no-store, max-age=60', 'after a quoted quote'],
  ['no-store, no-store, max-age=60', 'twice'], ['immutable, max-age=60, no-store'],
  ['private'], ['PRIVATE, max-age=60'], ['private, max-age=60'], ['private, s-maxage=60'], ['public, private, max-age=60'], [['max-age=60', 'private']],
  ['no-cache'], ['No-Cache, max-age=60'], ['no-cache, max-age=60'], ['no-cache, s-maxage=60'], ['no-cache, max-age=60, stale-while-revalidate=60'],
  ['no-cache, immutable, max-age=60'], [['max-age=60', 'no-cache']], ['no-cache, no-cache="x-a", max-age=60', 'plain beside qualified'],
  ['max-age=0'], ['max-age=00'], ['s-maxage=0, max-age=60'], ['max-age=60, S-MaxAge=0'], [['max-age=60', 's-maxage=0']], ['max-age=0, public'], ['max-age=0, immutable'],
  ['max-age=0, must-revalidate'], ['s-maxage=0'],
]

/** Reused for the next request. */
const STORED = [
  ['max-age=60'], ['MAX-AGE=60'], ['Max-Age=60'], ['max-age="60"', 'quoted'], ['max-age=060', 'zero first'], ['public,max-age=60'], ['max-age=60,'], [',max-age=60'],
  ['\tmax-age=60\t'], ['max-age=60, must-revalidate'], ['max-age=60, proxy-revalidate'], ['max-age=60, immutable'], ['max-age=60, no-transform'], ['s-maxage=60'],
  ['s-maxage=60, max-age=0'], ['max-age=0, s-maxage="60"'], ['max-age=60, max-age=60', 'twice the same'], [['public', 'max-age=60']],
  ['max-age=2147483647'], ['max-age=2147483648'], ['max-age=4294967297'], ['max-age=99999999999', 'huge'], ['max-age=99999999999999999999999999', 'beyond 64 bits'],
  ['community="UCI", max-age=60', 'unknown extension'], ['x-a=1;b=2, max-age=60', 'odd extension'], ['x="no-store", max-age=60', 'quoted no-store'],
  ['x="a, no-store, b", max-age=60', 'no-store between quoted commas'], ['x="\\", no-store, y=\\"", max-age=60', 'no-store after a quoted quote'],
  ['xno-store, max-age=60'], ['no-storex, max-age=60'], ['x-private, max-age=60'], ['public, must-revalidate, proxy-revalidate, immutable, max-age=60', 'all at once'],
  ['must-understand, max-age=60'], ['must-understand, no-store, max-age=60'],
]

/** §4.2.1 encourages to take invalid freshness information for stale; there is nothing else to go by. */
const INVALID = ['max-age=-1', 'max-age=1.5', "max-age='60'", 'max-age=60abc', 'max-age=', 'max-age', 'max-age=abc', 'max-age=+60', 'max-age=0x3c', 'max-age=""', 'max-age="-60"',
  'max-age=6 0', 'max-age=1e3', 'max-agE60', 'x="max-age=60"', 's-maxage=-1', 's-maxage', 'xmax-age=60', 'max-age=60s']

const list = (value) => [value].flat().join(' | ')
const say = ([value, why]) => `${list(value)}${why ? ` (${why})` : ''}`
const plain = (fields) => res(fields, { confirms: false })

export default [
  ...NEVER.map((row) => must('RFC 9111 §5.2.2', say(row), fill(plain({ cc: row[0] })), miss())),
  ...STORED.map((row) => optimal('RFC 9111 §5.2.2', say(row), fill(res({ cc: row[0] })), hit())),
  ...INVALID.map((cc) => optimal('RFC 9111 §4.2.1', `${cc} is no lifetime`, fill(plain({ cc })), miss())),
  optimal('RFC 9111 §4.2.1', 'max-age=1, max-age=60: the first or none', fill(plain({ cc: 'max-age=1, max-age=60' })), wait(2.2), miss()),
  optimal('RFC 9111 §4.2.1', 'max-age=1 and max-age=60 in two lines: the first or none', fill(plain({ cc: ['max-age=1', 'max-age=60'] })), wait(2.2), miss()),

  must('RFC 9111 §4.2', 'max-age=1 is over after 2 s', fill(plain({ cc: 'max-age=1' })), wait(2.2), miss()),
  must('RFC 9111 §5.2.2.10', 's-maxage=1 goes before max-age=60', fill(plain({ cc: 's-maxage=1, max-age=60' })), wait(2.2), miss()),
  must('RFC 9111 §5.2.2.10', 's-maxage=1 goes before Expires', fill(plain({ cc: 's-maxage=1', Expires: at(60) })), wait(2.2), miss()),
  must('RFC 9111 §5.3', 'max-age=0 goes before Expires', fill(plain({ cc: 'max-age=0', Expires: at(60) })), miss()),
  optimal('RFC 9111 §5.3', 'max-age=60 goes before an Expires of the past', fill(res({ cc: 'max-age=60', Expires: at(-60) })), hit()),
  optimal('RFC 9111 §5.3', 'max-age=60 goes before Expires: 0', fill(res({ cc: 'max-age=60', Expires: '0' })), hit()),
  optimal('RFC 9111 §5.3', 's-maxage=60 goes before an Expires of the past', fill(res({ cc: 's-maxage=60', Expires: at(-60) })), hit()),
  must('RFC 9111 §5.3', 'a Cache-Control without a lifetime leaves Expires in force', fill(plain({ cc: 'public', Expires: at(-60) })), miss()),
  optimal('RFC 9111 §5.3', 'public leaves Expires in force', fill(res({ cc: 'public', Expires: at(60) })), hit()),
  must('RFC 9111 §5.2.2.3', 'must-understand with a status nobody knows', 
    fill(res({ cc: 'must-understand, max-age=60' }, { status: 599 })), miss()),
  must('RFC 9111 §5.2.2.3', 'must-understand, no-store with a status nobody knows', fill(res({ cc: 'must-understand, no-store, max-age=60' }, { status: 299 })), miss()),
  optimal('RFC 9111 §5.2.2.4', 'no-cache is stored and validated', fill(res({ cc: 'no-cache', ETag: '"1"' })), valid(), valid()),
  optimal('RFC 9111 §5.2.2.4', 'no-cache, max-age=60 is stored and validated by date', fill(res({ cc: 'no-cache, max-age=60', lm: at(-90000) }, { fields304: { cc: 'no-cache' } })),
    asked({ sent: { 'if-modified-since': true } })),
  optimal('RFC 9111 §5.2.2.10', 'must-revalidate is validated when stale', fill(res({ cc: 'max-age=1, must-revalidate', ETag: '"1"' })), wait(2.2), valid()),

  must('RFC 9111 §5.2.2.4', 'no-cache="x-me": the field is not reused', fill(res({ cc: 'no-cache="x-me", max-age=60', 'X-Me': '1', 'X-All': '1' }), { has: { 'x-me': '1' } }),
    any({ ifCached: { lacks: ['x-me'] } })),
  optimal('RFC 9111 §5.2.2.4', 'no-cache="x-me": the rest is', fill(res({ cc: 'no-cache="x-me", max-age=60', 'X-Me': '1', 'X-All': '1' })), hit({ has: { 'x-all': '1' } })),
  must('RFC 9111 §5.2.2.4', 'no-cache="X-Me, x-you": both', fill(res({ cc: 'no-cache="X-Me, x-you", max-age=60', 'x-me': '1', 'X-You': '1' })), any({ ifCached: { lacks: ['x-me', 'x-you'] } })),
  must('RFC 9111 §5.2.2.4', 'no-cache=x-me as a token', fill(res({ cc: 'no-cache=x-me, max-age=60', 'X-Me': '1' })), any({ ifCached: { lacks: ['x-me'] } })),
  must('RFC 9111 §5.2.2.7', 'private="x-me": the field is not stored', fill(res({ cc: 'private="x-me", max-age=60', 'X-Me': '1', 'X-All': '1' }), { has: { 'x-me': '1' } }),
    any({ ifCached: { lacks: ['x-me'] } })),
  optimal('RFC 9111 §5.2.2.7', 'private="x-me": the rest is', fill(res({ cc: 'private="x-me", max-age=60', 'X-Me': '1', 'X-All': '1' })), hit({ has: { 'x-all': '1' } })),
  optimal('RFC 9111 §5.2.2.7', 'private="set-cookie" makes the rest storable', fill(res({ cc: 'private="set-cookie", max-age=60', 'Set-Cookie': 'a=b' }), { has: { 'set-cookie': 'a=b' } }),
    hit({ lacks: ['set-cookie'] })),
  optimal('RFC 9111 §5.2.2.4', 'no-cache="set-cookie" makes the rest reusable', fill(res({ cc: 'no-cache="set-cookie", max-age=60', 'Set-Cookie': 'a=b' })), hit({ lacks: ['set-cookie'] })),

  // RFC 9213: a structured dictionary; with an error, or empty, as if it were not there.
  optimal('RFC 9213 §2.2', 'goes before max-age=0', fill(res({ cdn: 'max-age=60', cc: 'max-age=0' })), hit()),
  optimal('RFC 9213 §2.2', 'goes before no-store', fill(res({ cdn: 'max-age=60', cc: 'no-store' })), hit()),
  optimal('RFC 9213 §2.2', 'goes before private', fill(res({ cdn: 'max-age=60', cc: 'private' })), hit()),
  optimal('RFC 9213 §2.2', 'goes before Expires', fill(res({ cdn: 'max-age=60', Expires: '0' })), hit()),
  optimal('RFC 9213 §2.2', 'goes before s-maxage=0', fill(res({ cdn: 'max-age=60', cc: 's-maxage=0' })), hit()),
  optimal('RFC 9213 §2.1', 'with a parameter', fill(res({ cdn: 'max-age=60;x=1', cc: 'no-store' })), hit()),
  optimal('RFC 9213 §2.1', 'with an unknown member', fill(res({ cdn: 'x-what="a, no-store", max-age=60', cc: 'no-store' })), hit()),
  optimal('RFC 9213 §2.1', 'of a repeated key the last counts', fill(res({ cdn: 'max-age=0, max-age=60', cc: 'no-store' })), hit()),
  optimal('RFC 9213 §2.1', 'in two lines', fill(res({ cdn: ['public', 'max-age=60'], cc: 'no-store' })), hit()),
  ...['max-age=0', 'no-store', 'private', 'no-cache', 'max-age=60, no-store', 'max-age=60, no-cache', 'max-age=60, max-age=0', 's-maxage=0, max-age=60', 'must-revalidate', 'public', 'x-what',
    'no-store, x=(1 2)', 'no-store;x'].map((cdn) =>
    must('RFC 9213 §2.2', `${cdn} goes before max-age=60`, fill(plain({ cdn, cc: 'max-age=60' })), miss())),
  must('RFC 9213 §2.2', 'max-age=1 is over after 2 s', fill(plain({ cdn: 'max-age=1', cc: 'max-age=60' })), wait(2.2), miss()),
  must('RFC 9213 §2.2', 'no-store in the second line', fill(plain({ cdn: ['max-age=60', 'no-store'], cc: 'max-age=60' })), miss()),
  ...['max-age=60,', 'max-age=60,,public', 'MAX-AGE=60', 'max-age=60 s', '&', '', 'max-age=60, "a"', 'max-age=', 'max-age=60; x=,', "max-age='60'"].flatMap((cdn) => [
    must('RFC 9213 §2.1', `"${cdn}" is ignored beside no-store`, fill(plain({ cdn, cc: 'no-store' })), miss()),
    optimal('RFC 9213 §2.1', `"${cdn}" is ignored beside max-age=60`, fill(res({ cdn, cc: 'max-age=60' })), hit()),
  ]),
  // Our choice: doubt is a miss.
  ...['max-age=60; no-store=,', 'No-Store, max-age=60', 'private max-age=60'].map((cdn) =>
    optimal('RFC 9213 §2.1', `"${cdn}" is ignored, but for its restrictive word`, fill(plain({ cdn, cc: 'max-age=60' })), miss())),
]
