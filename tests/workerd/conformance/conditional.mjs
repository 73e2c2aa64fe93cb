// RFC 9111 §4.3.2 and RFC 9110 §13: clients' conditions, evaluated with the stored response; §15.4.5: fields of a 304.

import { any, asked, at, fill, hit, must, optimal, res, wait } from './play.mjs'

const LM = 'Mon, 06 Nov 2023 08:49:37 GMT'
const EARLIER = 'Mon, 06 Nov 2023 08:49:36 GMT'
const LATER = 'Mon, 06 Nov 2023 08:49:38 GMT'
const inm = (value, more) => ({ fields: { 'If-None-Match': value }, ...more })
const ims = (value, more) => ({ fields: { 'If-Modified-Since': value }, ...more })
const both = (tag, since, more) => ({ fields: { 'If-None-Match': tag, 'If-Modified-Since': since }, ...more })
const stored = (etag, more) => fill(res({ cc: 'max-age=60', ETag: etag, lm: LM, ...more }))
const dated = () => fill(res({ cc: 'max-age=60', lm: LM }))

/** [stored ETag, If-None-Match]: equal by weak comparison. */
const SAME = [
  ['"1"', '"1"'], ['"1"', 'W/"1"'], ['W/"1"', '"1"'], ['W/"1"', 'W/"1"'], ['"1"', '"0", "1"'], ['"1"', '"0","1","2"'], ['"1"', '"0", W/"1"'], ['"1"', ['"0"', '"1"']], ['"1"', '*'],
  ['"1"', ' "1" '], ['"1"', ', "0",, "1",'], ['"a,b"', '"a,b"'], ['"a,b"', '"0", "a,b"'], ['""', '""'], ['"a b"', '"a b"'], ['"a\\"', '"a\\"'], ["\"!#$%&'()*+-./:;<=>?@[]^_`{|}~\"", "\"!#$%&'()*+-./:;<=>?@[]^_`{|}~\""],
]
const OTHER = [
  ['"1"', '"2"'], ['"1"', 'W/"2"'], ['"1"', '"2", "3"'], ['"1"', '"11"'], ['"a"', '"A"'], ['"a,b"', '"a", "b"'], ['"1"', '""'], ['"b"', '"a,b"'], ['"1"', '"*"'], ['"1"', '"W/"1"'], ['"\xe9"', '"\xe8"'],
]
const INVALID = ['yesterday', '0', '', 'Mon, 06 Foo 2033 08:49:37 GMT', '2033-11-06T08:49:37Z', 'Mon, 32 Nov 2033 08:49:37 GMT']

export default [
  ...SAME.map(([etag, value]) => optimal('RFC 9110 §13.1.2', `ETag ${etag}, If-None-Match ${[value].flat().join(' | ')}: 304`, stored(etag), hit(inm(value, { status: 304 })))),
  ...OTHER.map(([etag, value]) => must('RFC 9110 §13.1.2', `ETag ${etag}, If-None-Match ${value}: 200`, stored(etag), any(inm(value, { status: 200, nth: 1 })))),
  optimal('RFC 9110 §13.1.2', 'no ETag, If-None-Match with a tag: 200', dated(), hit(inm('"1"', { status: 200 }))),
  must('RFC 9110 §13.1.3', 'no ETag, If-None-Match and a matching date: 200', dated(), any(both('"1"', LM, { status: 200 }))),
  optimal('RFC 9110 §13.1.3', 'the same date: 304', dated(), hit(ims(LM, { status: 304 }))),
  optimal('RFC 9110 §13.1.3', 'a later date: 304', dated(), hit(ims(LATER, { status: 304 }))),
  optimal('RFC 9110 §13.1.3', 'a date in the form of RFC 850: 304', dated(), hit(ims('Monday, 06-Nov-23 08:49:37 GMT', { status: 304 }))),
  optimal('RFC 9110 §13.1.3', 'a date in the form of asctime: 304', dated(), hit(ims('Mon Nov  6 08:49:37 2023', { status: 304 }))),
  optimal('RFC 9111 §4.3.2', 'no Last-Modified: Date is compared, 304', fill(res({ cc: 'max-age=60' })), hit(ims(at(3), { status: 304 }))),
  must('RFC 9110 §13.1.3', 'an earlier date: 200', dated(), any(ims(EARLIER, { status: 200, nth: 1 }))),
  ...INVALID.map((value) => must('RFC 9110 §13.1.3', `a date "${value}" is ignored: 200`, dated(), any(ims(value, { status: 200, nth: 1 })))),
  must('RFC 9110 §13.1.3', 'a date of two lines is ignored: 200', dated(), any(ims([LM, LATER], { status: 200, nth: 1 }))),
  must('RFC 9110 §13.2.2', 'If-None-Match overrides a matching date: 200', stored('"1"'), any(both('"2"', LM, { status: 200, nth: 1 }))),
  optimal('RFC 9110 §13.2.2', 'If-None-Match overrides a date that does not match: 304', stored('"1"'), hit(both('"1"', EARLIER, { status: 304 }))),
  must('RFC 9110 §13.2.1', 'conditions apply to 2xx: a stored 404 stays 404', fill(res({ cc: 'max-age=60', ETag: '"1"' }, { status: 404, confirms: false })), any(inm('"1"', { status: 404 }))),
  must('RFC 9110 §13.2.1', 'conditions apply to 2xx: a stored 301 stays 301', fill(res({ cc: 'max-age=60', Location: '/', ETag: '"1"' }, { status: 301, confirms: false })), any(inm('*', { status: 301 }))),
  must('RFC 9111 §4.3.2', 'If-Match is forwarded to the origin', stored('"1"'), asked({ fields: { 'If-Match': '"2"' }, plan: res({}, { status: 412 }), status: 412, sent: { 'if-match': '"2"' } })),
  must('RFC 9111 §4.3.2', 'If-Unmodified-Since is forwarded to the origin', stored('"1"'), asked({ fields: { 'If-Unmodified-Since': EARLIER }, plan: res({}, { status: 412 }), status: 412, sent: { 'if-unmodified-since': EARLIER } })),
  must('RFC 9110 §15.4.5', 'a 304 has the metadata of the stored response', stored('"1"', { Expires: at(60), Vary: 'X-A', 'Content-Location': '/x' }), any(inm('"1"', {
    status: 304, has: { etag: '"1"', 'cache-control': 'max-age=60', date: /GMT/, expires: /GMT/, vary: 'X-A', 'content-location': '/x' },
  }))),
  must('RFC 9111 §4', 'a 304 for a stored response has Age', stored('"1"'), wait(1.2), hit(inm('"1"', { status: 304, has: { age: /^[1-3]$/ } }))),
  must('RFC 9110 §8.6', 'a 304 has no other Content-Length than the 200', stored('"1"'), any(inm('"1"', { status: 304, has: { 'content-length': (value) => value === undefined || Number(value) > 3 } }))),
  optimal('RFC 9110 §15.4.5', 'a 304 does not repeat Content-Type', stored('"1"', { 'Content-Type': 'text/plain' }), hit(inm('"1"', { status: 304, lacks: ['content-type', 'content-encoding'] }))),
  optimal('RFC 9110 §13.1.2', 'HEAD with If-None-Match: 304', stored('"1"'), hit(inm('"1"', { method: 'HEAD', status: 304 }))),
  optimal('RFC 9110 §13.1.3', 'HEAD with a date: 304', dated(), hit(ims(LM, { method: 'HEAD', status: 304 }))),
  must('RFC 9110 §13.1.2', 'HEAD with another ETag: 200', stored('"1"'), any(inm('"2"', { method: 'HEAD', status: 200 }))),

  must('RFC 9111 §4.3.2', 'stale, the client has the current ETag: 304 or 200', fill(res({ cc: 'max-age=1', ETag: '"1"' })), wait(2.2),
    asked(inm('"1"', { check: (answer) => ![200, 304].includes(answer.status) && `status ${answer.status}` }))),
  optimal('RFC 9111 §4.3.2', 'stale, revalidated, the client has the same ETag: 304', fill(res({ cc: 'max-age=1', ETag: '"1"' })), wait(2.2),
    asked(inm('"1"', { plan: res({ cc: 'max-age=60', ETag: '"1"' }), status: 304 })), hit({ status: 200 })),
  must('RFC 9111 §4.3.3', 'stale, revalidated, the client has another ETag: 200', fill(res({ cc: 'max-age=1', ETag: '"1"' })), wait(2.2), asked(inm('"0"', { status: 200, nth: 1 }))),
  must('RFC 9111 §4.3.3', 'stale, changed, the client has the old ETag: 200', fill(res({ cc: 'max-age=1', ETag: '"1"' })), wait(2.2),
    asked(inm('"1"', { plan: res({ cc: 'max-age=60', ETag: '"2"' }), status: 200, nth: 2 }))),
  optimal('RFC 9111 §4.3.3', 'stale, changed, the client has the new ETag: 304', fill(res({ cc: 'max-age=1', ETag: '"1"' })), wait(2.2),
    asked(inm('"2"', { plan: res({ cc: 'max-age=60', ETag: '"2"' }), status: 304 }))),
  must('RFC 9111 §4.3.3', 'stale, revalidated by date, the client has an earlier date: 200', fill(res({ cc: 'max-age=1', lm: LM })), wait(2.2), asked(ims(EARLIER, { status: 200, nth: 1 }))),
  must('RFC 9111 §4.3', 'nothing stored, the client has the current ETag: 304 or 200',
    asked(inm('"1"', { plan: res({ cc: 'max-age=60', ETag: '"1"' }), check: (answer) => ![200, 304].includes(answer.status) && `status ${answer.status}` }))),
  must('RFC 9111 §3', 'nothing stored, a 304 for one client is not served to another', asked(inm('"1"', { plan: res({ cc: 'max-age=60', ETag: '"1"' }) })), any({ status: 200 })),
  optimal('RFC 9111 §4.3', 'nothing stored, the client has the current ETag: 304', asked(inm('"1"', { plan: res({ cc: 'max-age=60', ETag: '"1"' }), status: 304 }))),
  must('RFC 9110 §13.1.2', 'If-None-Match of a PUT is forwarded', fill(res({ cc: 'max-age=60' })),
    asked({ method: 'PUT', body: 'x', fields: { 'If-None-Match': '*' }, plan: res({}, { status: 412 }), status: 412, sent: { 'if-none-match': '*' } })),
  must('RFC 9110 §13.1.1', 'If-Match of a PUT is forwarded', asked({ method: 'PUT', body: 'x', fields: { 'If-Match': '"1"' }, plan: res({}, { status: 412 }), status: 412, sent: { 'if-match': '"1"' } })),
  must('RFC 9111 §4.3.2', 'a no-store response is a 304 or 200 for the client', fill(res({ cc: 'no-store', ETag: '"1"' })),
    asked(inm('"1"', { check: (answer) => ![200, 304].includes(answer.status) && `status ${answer.status}` }))),
]
