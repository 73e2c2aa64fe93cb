// RFC 9111 §3 (what may be stored), §4.2.2 (heuristics): by status, and bodies as they came.

import { gzipSync, brotliCompressSync, deflateSync } from 'node:zlib'
import { OLD, any, asked, at, beyond, fill, hit, miss, must, optimal, res, wait } from './play.mjs'

const FRESH = [
  200, 201, 202, 203, 204, 205, 207, 226, 299, 300, 301, 302, 303, 305, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 413,
  414, 415, 417, 418, 421, 422, 423, 425, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 599,
]
/** They blame the request, and another reader's may be well: a lifetime alone does not store them (`negative_ttl` does, but never 401). */
const BLAMING = [400, 401, 405, 406, 411, 413, 414, 415, 417, 421, 422, 425, 428, 429, 431]
const HEURISTIC = [200, 203, 204, 300, 301, 308, 404, 410, 501]
const NOT_HEURISTIC = [201, 202, 302, 303, 307, 400, 403, 409, 429, 500, 502, 503, 504, 599]
const INTERIM = "workerd's HTTP client takes an interim response for the final one"
const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => (i * 7) & 255))
const CODINGS = { gzip: gzipSync(bytes), br: brotliCompressSync(bytes), deflate: deflateSync(bytes), 'x-unheard-of': bytes, identity: bytes }

export default [
  ...FRESH.filter((status) => !BLAMING.includes(status)).map((status) =>
    optimal('RFC 9111 §3', `${status} with max-age is stored`, fill(res({ cc: 'max-age=60' }, { status })), hit())),
  ...BLAMING.map((status) => optimal('RFC 9111 §3', `${status} with max-age is not: it blames the request`, fill(res({ cc: 'max-age=60' }, { status })), miss())),
  ...FRESH.filter((status) => status % 100 < 4).map((status) =>
    must('RFC 9111 §3', `${status} with no-store is not`, fill(res({ cc: 'no-store' }, { status })), miss())),
  ...HEURISTIC.map((status) =>
    optimal('RFC 9111 §4.2.2', `${status} with an old Last-Modified only is reused`, fill(res({ lm: OLD }, { status })), hit())),
  ...NOT_HEURISTIC.map((status) =>
    must('RFC 9111 §4.2.2', `${status} without a lifetime is not reused`, fill(res({ lm: OLD }, { status, confirms: false })), asked())),
  ...[201, 302, 403, 599].map((status) =>
    optimal('RFC 9111 §4.2.2', `${status} with public and Last-Modified is reused`, fill(res({ cc: 'public', lm: OLD }, { status })), hit())),
  optimal('RFC 9111 §4.2.2', 'public makes 200 reusable', fill(res({ cc: 'public', lm: OLD })), hit()),
  optimal('RFC 9111 §4.2.2', 'a query does not forbid heuristics', fill(res({ lm: OLD }), { at: '?a=1' }), hit({ at: '?a=1' })),
  optimal('RFC 9111 §4.2.2', 'a tenth of 10 s is over after 2 s', fill(res({ lm: at(-10) }, { confirms: false })), wait(2.2), asked()),
  must('RFC 9111 §4.2.2', 'no heuristic beside max-age=0', fill(res({ cc: 'max-age=0', lm: OLD }, { confirms: false })), miss()),
  must('RFC 9111 §4.2.2', 'no heuristic beside Expires: 0', fill(res({ Expires: '0', lm: OLD }, { confirms: false })), miss()),
  must('RFC 9111 §4.2.2', 'no heuristic beside no-cache', fill(res({ cc: 'no-cache', lm: OLD }, { confirms: false })), miss()),
  must('RFC 9111 §4.2.2', 'no heuristic beside no-store', fill(res({ cc: 'no-store', lm: OLD }, { confirms: false })), miss()),
  must('RFC 9111 §4.2.2', 'no heuristic beside private', fill(res({ cc: 'private', lm: OLD }, { confirms: false })), miss()),
  optimal('RFC 9111 §4.2.2', 'an answer as old as its Last-Modified is not fresh by heuristics',
    fill(res({ lm: OLD, Age: '900000000' }, { confirms: false })), asked()),
  optimal('RFC 9111 §4.2.2', 'Last-Modified in the future gives no lifetime', fill(res({ lm: at(1000) }, { confirms: false })), asked()),

  ...Object.entries(CODINGS).flatMap(([coding, body]) => [
    must('RFC 9110 §8.4', `${coding} is given as it came`,
      fill(res({ cc: 'max-age=60', 'Content-Encoding': coding }, { body }), { fields: { 'Accept-Encoding': 'gzip, br' }, has: { 'content-encoding': coding } }),
      any({ status: 200, text: body, fields: { 'Accept-Encoding': 'gzip, br' }, has: { 'content-encoding': coding } })),
  ]),
  must('RFC 9110 §8.4', 'gzip to a client that names no coding is given as it came',
    fill(res({ cc: 'max-age=60', 'Content-Encoding': 'gzip' }, { body: CODINGS.gzip }), { has: { 'content-encoding': 'gzip' } }), hit({ has: { 'content-encoding': 'gzip' } })),
  must('RFC 9110 §8.4', 'chunked gzip is given as it came', fill(res({ cc: 'max-age=60', 'Content-Encoding': 'gzip' }, { body: CODINGS.gzip, chunked: true })),
    hit({ has: { 'content-encoding': 'gzip' } })),
  must('RFC 9110 §6.4', 'bytes of every value', fill(res({ cc: 'max-age=60' }, { body: bytes })), hit()),
  must('RFC 9110 §6.4', 'an empty body', fill(res({ cc: 'max-age=60' }, { body: '' })), hit({ has: { 'content-length': '0' } })),
  must('RFC 9110 §6.4', 'a megabyte', fill(res({ cc: 'max-age=60' }, { body: Buffer.alloc(1_000_000, bytes) })), hit()),
  optimal('RFC 9110 §8.6', 'Content-Length is kept', fill(res({ cc: 'max-age=60' }, { body: 'abc' }), { has: { 'content-length': '3' } }), hit({ has: { 'content-length': '3' } })),
  optimal('RFC 9112 §6', 'a chunked answer is stored', fill(res({ cc: 'max-age=60' }, { chunked: true })), hit()),
  must('RFC 9111 §3.3', 'an answer that breaks off is not reused as a whole one',
    any({ plan: res({ cc: 'max-age=60' }, { cut: true, body: 'x'.repeat(2000) }) }), wait(0.3), asked({ plan: res({ cc: 'max-age=60' }, { body: 'whole' }), text: 'whole' })),
  must('RFC 9111 §3.3', 'a chunked answer that breaks off is not reused as a whole one',
    any({ plan: res({ cc: 'max-age=60' }, { cut: true, chunked: true, body: 'x'.repeat(2000) }) }), wait(0.3), asked({ plan: res({ cc: 'max-age=60' }, { body: 'whole' }), text: 'whole' })),
  must('RFC 9111 §2', 'another query is another answer', fill(res({ cc: 'max-age=60' }), { at: '?a=1' }), fill(res({ cc: 'max-age=60' }), { at: '?a=2' })),
  must('RFC 9111 §2', 'another case of the path is another answer', fill(res({ cc: 'max-age=60' }), { at: '/a' }), fill(res({ cc: 'max-age=60' }), { at: '/A' })),
  must('RFC 9111 §2', 'another host is another answer', fill(res({ cc: 'max-age=60' })), fill(res({ cc: 'max-age=60' }), { host: 'other-conformance.test' })),
  must('RFC 9111 §2', 'a slash at the end is another answer', fill(res({ cc: 'max-age=60' })), fill(res({ cc: 'max-age=60' }), { at: '/' })),

  beyond(INTERIM, must('RFC 9110 §15.2', 'a 103 before the answer', fill(res({ cc: 'max-age=60' }, { early: { link: '</a.css>; rel=preload' } }), { status: 200 }), hit({ status: 200, lacks: ['link'] }))),
  beyond(INTERIM, must('RFC 9110 §15.2', "a 103's fields are not the answer's", fill(res({ cc: 'max-age=60', 'X-Final': '1' }, { early: { link: '</a.css>; rel=preload', 'x-early': '1' } }),
    { has: { 'x-final': '1' }, lacks: ['x-early'] }))),
  beyond(INTERIM, must('RFC 9110 §15.2', 'no-store after a 103 counts', fill(res({ cc: 'no-store' }, { early: { link: '</a.css>; rel=preload' } })), miss())),
]
