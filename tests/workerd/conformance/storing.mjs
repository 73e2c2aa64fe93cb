// RFC 9111 §3 (storability), §4.2.2 (heuristic freshness): by status; and bodies byte for byte.

import { gzipSync, brotliCompressSync, deflateSync } from 'node:zlib'
import { OLD, any, asked, at, beyond, fill, hit, miss, must, optimal, res, wait } from './play.mjs'

const FRESH = [
  200, 201, 202, 203, 204, 205, 207, 226, 299, 300, 301, 302, 303, 305, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 413,
  414, 415, 417, 418, 421, 422, 423, 425, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 599,
]
/** Errors of a single request; another request may succeed. A lifetime alone does not store them (`negative_ttl` does, but never 401). */
const CLIENT_ERRORS = [400, 401, 405, 406, 411, 413, 414, 415, 417, 421, 422, 425, 428, 429, 431]
const HEURISTIC = [200, 203, 204, 300, 301, 308, 404, 410, 501]
const NOT_HEURISTIC = [201, 202, 302, 303, 307, 400, 403, 409, 429, 500, 502, 503, 504, 599]
const INTERIM = "workerd's HTTP client takes an interim response for the final one"
const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => (i * 7) & 255))
const CODINGS = { gzip: gzipSync(bytes), br: brotliCompressSync(bytes), deflate: deflateSync(bytes), 'x-unheard-of': bytes, identity: bytes }

export default [
  ...FRESH.filter((status) => !CLIENT_ERRORS.includes(status)).map((status) =>
    optimal('RFC 9111 §3', `${status} with max-age is stored`, fill(res({ cc: 'max-age=60' }, { status })), hit())),
  ...CLIENT_ERRORS.map((status) => optimal('RFC 9111 §3', `${status} with max-age is not stored: an error of one request`, fill(res({ cc: 'max-age=60' }, { status })), miss())),
  ...FRESH.filter((status) => status % 100 < 4).map((status) =>
    must('RFC 9111 §3', `${status} with no-store is not stored`, fill(res({ cc: 'no-store' }, { status })), miss())),
  ...HEURISTIC.map((status) =>
    optimal('RFC 9111 §4.2.2', `${status} with only an old Last-Modified is reused`, fill(res({ lm: OLD }, { status })), hit())),
  ...NOT_HEURISTIC.map((status) =>
    must('RFC 9111 §4.2.2', `${status} without a lifetime is not reused`, fill(res({ lm: OLD }, { status, confirms: false })), asked())),
  ...[201, 302, 403, 599].map((status) =>
    optimal('RFC 9111 §4.2.2', `${status} with public and Last-Modified is reused`, fill(res({ cc: 'public', lm: OLD }, { status })), hit())),
  optimal('RFC 9111 §4.2.2', 'public makes 200 reusable', fill(res({ cc: 'public', lm: OLD })), hit()),
  optimal('RFC 9111 §4.2.2', 'a query does not prevent heuristic freshness', fill(res({ lm: OLD }), { at: '?a=1' }), hit({ at: '?a=1' })),
  optimal('RFC 9111 §4.2.2', 'heuristic freshness of 1 s is stale after 2 s', fill(res({ lm: at(-10) }, { confirms: false })), wait(2.2), asked()),
  must('RFC 9111 §4.2.2', 'no heuristic freshness with max-age=0', fill(res({ cc: 'max-age=0', lm: OLD }, { confirms: false })), miss()),
  must('RFC 9111 §4.2.2', 'no heuristic freshness with Expires: 0', fill(res({ Expires: '0', lm: OLD }, { confirms: false })), miss()),
  must('RFC 9111 §4.2.2', 'no heuristic freshness with no-cache', fill(res({ cc: 'no-cache', lm: OLD }, { confirms: false })), miss()),
  must('RFC 9111 §4.2.2', 'no heuristic freshness with no-store', fill(res({ cc: 'no-store', lm: OLD }, { confirms: false })), miss()),
  must('RFC 9111 §4.2.2', 'no heuristic freshness with private', fill(res({ cc: 'private', lm: OLD }, { confirms: false })), miss()),
  optimal('RFC 9111 §4.2.2', 'a response older than its heuristic lifetime is stale',
    fill(res({ lm: OLD, Age: '900000000' }, { confirms: false })), asked()),
  optimal('RFC 9111 §4.2.2', 'Last-Modified in the future gives no heuristic freshness', fill(res({ lm: at(1000) }, { confirms: false })), asked()),

  ...Object.entries(CODINGS).flatMap(([coding, body]) => [
    must('RFC 9110 §8.4', `${coding} is served unchanged`,
      fill(res({ cc: 'max-age=60', 'Content-Encoding': coding }, { body }), { fields: { 'Accept-Encoding': 'gzip, br' }, has: { 'content-encoding': coding } }),
      any({ status: 200, text: body, fields: { 'Accept-Encoding': 'gzip, br' }, has: { 'content-encoding': coding } })),
  ]),
  must('RFC 9110 §8.4', 'gzip is served unchanged to a client without Accept-Encoding',
    fill(res({ cc: 'max-age=60', 'Content-Encoding': 'gzip' }, { body: CODINGS.gzip }), { has: { 'content-encoding': 'gzip' } }), hit({ has: { 'content-encoding': 'gzip' } })),
  must('RFC 9110 §8.4', 'chunked gzip is served unchanged', fill(res({ cc: 'max-age=60', 'Content-Encoding': 'gzip' }, { body: CODINGS.gzip, chunked: true })),
    hit({ has: { 'content-encoding': 'gzip' } })),
  must('RFC 9110 §6.4', 'a body with bytes of every value is kept', fill(res({ cc: 'max-age=60' }, { body: bytes })), hit()),
  must('RFC 9110 §6.4', 'an empty body is kept', fill(res({ cc: 'max-age=60' }, { body: '' })), hit({ has: { 'content-length': '0' } })),
  must('RFC 9110 §6.4', 'a body of a megabyte is kept', fill(res({ cc: 'max-age=60' }, { body: Buffer.alloc(1_000_000, bytes) })), hit()),
  optimal('RFC 9110 §8.6', 'Content-Length is kept', fill(res({ cc: 'max-age=60' }, { body: 'abc' }), { has: { 'content-length': '3' } }), hit({ has: { 'content-length': '3' } })),
  optimal('RFC 9112 §6', 'a chunked response is stored', fill(res({ cc: 'max-age=60' }, { chunked: true })), hit()),
  must('RFC 9111 §3.3', 'a truncated response is not reused as a complete one',
    any({ plan: res({ cc: 'max-age=60' }, { cut: true, body: 'x'.repeat(2000) }) }), wait(0.3), asked({ plan: res({ cc: 'max-age=60' }, { body: 'whole' }), text: 'whole' })),
  must('RFC 9111 §3.3', 'a truncated chunked response is not reused as a complete one',
    any({ plan: res({ cc: 'max-age=60' }, { cut: true, chunked: true, body: 'x'.repeat(2000) }) }), wait(0.3), asked({ plan: res({ cc: 'max-age=60' }, { body: 'whole' }), text: 'whole' })),
  must('RFC 9111 §2', 'another query has another key', fill(res({ cc: 'max-age=60' }), { at: '?a=1' }), fill(res({ cc: 'max-age=60' }), { at: '?a=2' })),
  must('RFC 9111 §2', 'another case of the path has another key', fill(res({ cc: 'max-age=60' }), { at: '/a' }), fill(res({ cc: 'max-age=60' }), { at: '/A' })),
  must('RFC 9111 §2', 'another host has another key', fill(res({ cc: 'max-age=60' })), fill(res({ cc: 'max-age=60' }), { host: 'other-conformance.test' })),
  must('RFC 9111 §2', 'a trailing slash has another key', fill(res({ cc: 'max-age=60' })), fill(res({ cc: 'max-age=60' }), { at: '/' })),

  beyond(INTERIM, must('RFC 9110 §15.2', 'a 103 before the response is not stored', fill(res({ cc: 'max-age=60' }, { early: { link: '</a.css>; rel=preload' } }), { status: 200 }), hit({ status: 200, lacks: ['link'] }))),
  beyond(INTERIM, must('RFC 9110 §15.2', "a 103's fields are not added to the response", fill(res({ cc: 'max-age=60', 'X-Final': '1' }, { early: { link: '</a.css>; rel=preload', 'x-early': '1' } }),
    { has: { 'x-final': '1' }, lacks: ['x-early'] }))),
  beyond(INTERIM, must('RFC 9110 §15.2', 'no-store after a 103 applies', fill(res({ cc: 'no-store' }, { early: { link: '</a.css>; rel=preload' } })), miss())),
]
