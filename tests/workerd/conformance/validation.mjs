// RFC 9111 §4.3.1, §4.3.3, §4.3.4, §3.2: revalidation requests and 304 responses; RFC 5861: stale responses.

import { any, asked, at, fill, hit, miss, must, optimal, res, valid, wait } from './play.mjs'

const LM = 'Mon, 06 Nov 2023 08:49:37 GMT'
const ONCE = { cc: 'max-age=1', ETag: '"1"' }
const LONG = { cc: 'max-age=60', ETag: '"1"' }
/** A response that is stored, stale, and revalidated by a 304 with these fields. */
const confirmed = (first, second, options = {}) => [fill(res(first)), wait(2.2), valid({ plan: res({ ...first, ...second }, { fields304: second }), ...options })]
const down = res({}, { down: true })
const status = (code) => res({}, { status: code })
const ERRORS = [500, 502, 503, 504]

export default [
  optimal('RFC 9111 §4.3.1', 'an ETag is sent as If-None-Match', ...confirmed(ONCE, LONG, { sent: { 'if-none-match': '"1"' } })),
  optimal('RFC 9111 §4.3.1', 'a weak ETag is sent unchanged as If-None-Match', ...confirmed({ cc: 'max-age=1', ETag: 'W/"1"' }, { cc: 'max-age=60', ETag: 'W/"1"' }, { sent: { 'if-none-match': 'W/"1"' } })),
  optimal('RFC 9111 §4.3.1', 'Last-Modified is sent as If-Modified-Since', ...confirmed({ cc: 'max-age=1', lm: LM }, { cc: 'max-age=60', lm: LM }, { sent: { 'if-modified-since': LM } })),
  optimal('RFC 9111 §4.3.1', 'ETag and Last-Modified are both sent', ...confirmed({ ...ONCE, lm: LM }, { ...LONG, lm: LM }, { sent: { 'if-none-match': '"1"', 'if-modified-since': LM } })),
  must('RFC 9111 §4.3.1', 'If-Modified-Since is never sent without the ETag', fill(res({ ...ONCE, lm: LM })), wait(2.2),
    asked({ check: (_, seen) => seen.field('if-modified-since') && !seen.field('if-none-match') && 'If-Modified-Since alone' })),
  must('RFC 9111 §4.3.1', "the client's condition is not added to a revalidation", fill(res(ONCE)), wait(2.2),
    asked({ fields: { 'If-Modified-Since': LM }, status: 200, nth: 1 })),
  optimal('RFC 9111 §4.3.1', 'an ETag with unusual characters is sent unchanged', ...confirmed({ cc: 'max-age=1', ETag: '"a,\\b;"' }, { cc: 'max-age=60', ETag: '"a,\\b;"' }, { sent: { 'if-none-match': '"a,\\b;"' } })),
  optimal('RFC 9111 §4.3.4', 'a 304 makes the response fresh', ...confirmed(ONCE, LONG), hit()),
  optimal('RFC 9111 §4.3.4', 'a 304 without fields makes the response fresh by its stored fields', ...confirmed(ONCE, {}), hit()),
  optimal('RFC 9111 §4.3.4', 'a 304 with Expires makes the response fresh', ...confirmed({ Expires: at(1), ETag: '"1"' }, { Expires: at(60), ETag: '"1"' }), hit()),
  optimal('RFC 9111 §4.3.4', 'a 304 with CDN-Cache-Control makes the response fresh', ...confirmed(ONCE, { cdn: 'max-age=60', ETag: '"1"' }), wait(2.2), hit()),
  must('RFC 9111 §4.3.4', "a 304's no-store applies", ...confirmed(ONCE, { cc: 'no-store', ETag: '"1"' }), asked()),
  must('RFC 9111 §4.3.4', "a 304's private applies", ...confirmed(ONCE, { cc: 'private, max-age=60', ETag: '"1"' }), asked()),
  must('RFC 9111 §4.3.4', "a 304's max-age is the new freshness lifetime", ...confirmed(ONCE, { cc: 'max-age=2', ETag: '"1"' }), wait(3.2), asked()),
  must('RFC 9111 §4.3.4', "a 304's Age applies", ...confirmed(ONCE, { ...LONG, Age: '100' }), asked()),
  must('RFC 9111 §4.3.4', "a 304's fields replace the stored ones", ...confirmed({ ...ONCE, 'X-A': 'old' }, { ...LONG, 'X-A': 'new' }, { has: { 'x-a': ['new'], 'cache-control': ['max-age=60'] } }),
    any({ has: { 'x-a': ['new'], 'cache-control': ['max-age=60'] } })),
  must('RFC 9111 §4.3.4', "a 304's new field is added", ...confirmed(ONCE, { ...LONG, 'X-New': '1' }, { has: { 'x-new': '1' } }), any({ has: { 'x-new': '1' } })),
  must('RFC 9111 §4.3.4', 'fields that a 304 lacks are kept', ...confirmed({ ...ONCE, 'X-A': 'old', 'Content-Type': 'text/x-a', 'Content-Language': 'de' }, LONG, { has: { 'x-a': 'old', 'content-type': 'text/x-a', 'content-language': 'de' } }),
    any({ has: { 'x-a': 'old', 'content-type': 'text/x-a' } })),
  must('RFC 9111 §3.2', 'all lines of a replaced field are removed', ...confirmed({ ...ONCE, 'X-A': ['1', '2'] }, { ...LONG, 'X-A': ['3'] }, { has: { 'x-a': ['3'] } })),
  must('RFC 9111 §3.2', 'one line is replaced by two', ...confirmed({ ...ONCE, 'X-A': '1' }, { ...LONG, 'X-A': ['2', '3'] }, { has: { 'x-a': ['2', '3'] } })),
  must('RFC 9111 §3.2', 'field names are compared without case', ...confirmed({ ...ONCE, 'x-a': '1' }, { ...LONG, 'X-A': '2' }, { has: { 'x-a': ['2'] } })),
  must('RFC 9111 §3.2', 'Content-Length of the stored body is kept', ...confirmed(ONCE, { ...LONG, 'Content-Length': '5' }, { has: { 'content-length': (value) => value !== '5' } })),
  must('RFC 9111 §3.2', "the 304's connection fields are not stored", ...confirmed(ONCE, { ...LONG, Connection: 'x-hop', 'X-Hop': '1' }, { lacks: ['x-hop'] }), any({ lacks: ['x-hop'] })),
  optimal('RFC 9111 §3.2', 'Content-* fields that do not describe the body are updated', ...confirmed({ ...ONCE, 'Content-Disposition': 'inline', 'Content-Language': 'de' },
    { ...LONG, 'Content-Disposition': 'attachment', 'Content-Language': 'en' }), hit({ has: { 'content-disposition': 'attachment', 'content-language': 'en' } })),
  must('RFC 9111 §4.3.4', "a 304's Date replaces the stored one", ...confirmed({ ...ONCE, Date: at(0) }, { ...LONG, Date: at(0) }, {
    check: (answer) => Date.now() - Date.parse(answer.field('date')) > 2000 && `Date is still ${answer.field('date')}`,
  })),
  optimal('RFC 9111 §4.3.4', 'Age restarts after a 304', ...confirmed(ONCE, LONG), hit({ has: { age: /^[01]$/ } })),
  optimal('RFC 9111 §4.3.4', "a 304's Last-Modified is kept", ...confirmed({ ...ONCE, lm: LM }, { ...LONG, lm: LM }), hit({ has: { 'last-modified': LM } })),
  optimal('RFC 9111 §4.3.4', 'a 304 with the weak form of the ETag makes the response fresh', ...confirmed(ONCE, { cc: 'max-age=60', ETag: 'W/"1"' }), hit()),
  must('RFC 9111 §4.3.3', 'a new response replaces the stored one', fill(res(ONCE)), wait(2.2), miss({ plan: res({ cc: 'max-age=60', ETag: '"2"' }), has: { etag: '"2"' } }), any({ nth: 2, has: { etag: '"2"' } })),
  must('RFC 9111 §4.3.3', 'no stored field is added to a new response', fill(res({ ...ONCE, 'X-Old': '1' })), wait(2.2), miss({ plan: res({ cc: 'max-age=60' }), lacks: ['x-old', 'etag'] }), any({ lacks: ['x-old', 'etag'] })),
  must('RFC 9111 §4.3.3', 'a new response that may not be stored is served', fill(res(ONCE)), wait(2.2), miss({ plan: res({ cc: 'no-store' }) }), asked()),
  must('RFC 9111 §7.3', "a cookie of a 304 is not served to others", ...confirmed(ONCE, { ...LONG, 'Set-Cookie': 'a=b' }), any({ ifCached: { lacks: ['set-cookie'] } })),
  must('RFC 9111 §3', 'a 304 to a request without a condition is not stored', asked({ plan: res({ cc: 'max-age=60' }, { status: 304 }) }), any({ plan: res({ cc: 'max-age=60' }), status: 200, nth: 2 })),
  must('RFC 9111 §4.3.3', 'a 404 to a revalidation is served', fill(res(ONCE)), wait(2.2), miss({ plan: status(404) })),
  must('RFC 9111 §4.3.3', 'a 410 with a lifetime replaces the stored response', fill(res(ONCE)), wait(2.2), miss({ plan: res({ cc: 'max-age=60' }, { status: 410 }) }), any({ status: 410 })),
  must('RFC 9111 §4.3.4', 'a 304 with another ETag does not revalidate the stored response', fill(res(ONCE)), wait(2.2),
    any({ plan: res(ONCE, { fields304: { cc: 'max-age=60', ETag: '"2"' } }) }), any({ has: { etag: (value) => value !== '"2"' } })),
  optimal('RFC 9111 §4.3.1', 'a stored 404 is revalidated', fill(res(ONCE, { status: 404 })), wait(2.2), asked({ status: 404, nth: 1, sent: { 'if-none-match': '"1"' } })),
  optimal('RFC 9111 §4.2.4', 'a response with max-age=0 and an ETag is stored and revalidated', fill(res({ cc: 'max-age=0', ETag: '"1"' })), valid()),
  optimal('RFC 9111 §4.2.4', 'a response with a past Expires and Last-Modified is stored and revalidated', fill(res({ Expires: '0', lm: LM })), valid()),
  optimal('RFC 9111 §3', 'a response with an ETag and no lifetime is stored and revalidated', fill(res({ ETag: '"1"' })), valid()),

  // RFC 5861 §3
  optimal('RFC 5861 §3', 'stale-while-revalidate: the stale response is served and refreshed', fill(res({ cc: 'max-age=1, stale-while-revalidate=30' })), wait(2.2),
    any({ status: 200, nth: 1, settle: 400, has: { age: /^[23]$/ } }), hit({ nth: 2 })),
  optimal('RFC 5861 §3', 'the refresh is conditional', fill(res({ cc: 'max-age=1, stale-while-revalidate=30', ETag: '"1"' })), wait(2.2),
    any({ nth: 1, settle: 400 }), any({ nth: 1, check: (_, __, { asked }) => !asked.at(1)?.request.field('if-none-match') && 'no condition' })),
  optimal('RFC 5861 §3', 'stale-while-revalidate in quotes and mixed case', fill(res({ cc: 'max-age=1, Stale-While-Revalidate="30"' })), wait(2.2), any({ status: 200, nth: 1 })),
  must('RFC 5861 §3', 'stale-while-revalidate ends with its window', fill(res({ cc: 'max-age=1, stale-while-revalidate=1' })), wait(3.2), miss()),
  must('RFC 5861 §3', 'an invalid stale-while-revalidate is ignored', fill(res({ cc: 'max-age=1, stale-while-revalidate=-30' })), wait(2.2), miss()),
  ...['must-revalidate', 'proxy-revalidate', 'no-cache'].map((word) =>
    must('RFC 9111 §5.2.2', `${word} forbids stale-while-revalidate`, fill(res({ cc: `max-age=1, stale-while-revalidate=30, ${word}` })), wait(2.2), miss())),
  optimal('RFC 5861 §3', 'a failed refresh keeps the stale response', fill(res({ cc: 'max-age=1, stale-while-revalidate=30' })), wait(2.2), any({ plan: status(503), status: 200, nth: 1, settle: 400 }), any({ status: 200, nth: 1 })),

  // RFC 5861 §4
  ...ERRORS.map((code) => optimal('RFC 5861 §4', `stale-if-error: the stale response instead of ${code}`, fill(res({ cc: 'max-age=1, stale-if-error=30' })), wait(2.2),
    asked({ plan: status(code), status: 200, nth: 1, has: { age: /^[23]$/ } }))),
  optimal('RFC 5861 §4', 'stale-if-error: the stale response when the connection breaks', fill(res({ cc: 'max-age=1, stale-if-error=30' })), wait(2.2), asked({ plan: down, status: 200, nth: 1 })),
  optimal('RFC 9111 §4.2.4', 'the stale response when the connection breaks, without stale-if-error', fill(res({ cc: 'max-age=1' })), wait(2.2), asked({ plan: down, status: 200, nth: 1 })),
  optimal('RFC 5861 §4', 'the new response after the failure', fill(res({ cc: 'max-age=1, stale-if-error=30' })), wait(2.2), asked({ plan: status(503), status: 200, nth: 1 }), fill(res({ cc: 'max-age=60' })), hit()),
  ...[404, 403, 400, 501].map((code) => must('RFC 5861 §4', `stale-if-error does not apply to ${code}`, fill(res({ cc: 'max-age=1, stale-if-error=30' })), wait(2.2), miss({ plan: status(code) }))),
  must('RFC 5861 §4', 'stale-if-error ends with its window', fill(res({ cc: 'max-age=1, stale-if-error=1' })), wait(3.4), miss({ plan: status(503) })),
  ...['must-revalidate', 'proxy-revalidate', 'no-cache'].flatMap((word) => [
    must('RFC 9111 §5.2.2', `${word} forbids stale-if-error`, fill(res({ cc: `max-age=1, stale-if-error=30, ${word}` })), wait(2.2), miss({ plan: status(503) })),
    must('RFC 9111 §5.2.2', `${word} forbids the stale response when the connection breaks`, fill(res({ cc: `max-age=1, ${word}` })), wait(2.2),
      asked({ plan: down, check: (answer) => answer.status < 500 && `status ${answer.status}` })),
  ]),
  optimal('RFC 9111 §5.2.2.2', 'must-revalidate and no origin: 504', fill(res({ cc: 'max-age=1, must-revalidate' })), wait(2.2), asked({ plan: down, status: 504 })),
  must('RFC 9111 §5.2.2.10', 's-maxage forbids stale responses', fill(res({ cc: 's-maxage=1' })), wait(2.2), miss({ plan: status(503) })),
  must('RFC 9213 §2.2', 'must-revalidate of CDN-Cache-Control forbids stale responses', fill(res({ cdn: 'max-age=1, must-revalidate', cc: 'max-age=60, stale-if-error=60' })), wait(2.2), miss({ plan: status(503) })),
  optimal('RFC 9213 §2.2', 'stale-if-error of CDN-Cache-Control applies', fill(res({ cdn: 'max-age=1, stale-if-error=60', cc: 'no-store' })), wait(2.2), asked({ plan: status(503), status: 200, nth: 1 })),
  optimal('RFC 9111 §4', 'a fresh response is served when the origin is down', fill(res({ cc: 'max-age=60' })), hit({ plan: down, status: 200 })),
  must('RFC 9110 §15.6', 'no origin and nothing stored: 502 or 504', asked({ plan: down, check: (answer) => ![502, 504].includes(answer.status) && `status ${answer.status}` })),
]
