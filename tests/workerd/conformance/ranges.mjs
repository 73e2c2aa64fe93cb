// RFC 9110 §14 and RFC 9111 §3.3, §3.4: ranges of complete responses and of parts, and parts that are completed.

import { any, asked, fill, hit, must, optimal, res, wait } from './play.mjs'

const TEXT = 'abcdefghijklmnopqrst' // 20 bytes
const LM = 'Mon, 06 Nov 2023 08:49:37 GMT'
const WHOLE = { cc: 'max-age=60', ETag: '"1"', lm: LM, 'Content-Type': 'text/plain' }
const plan = (fields = WHOLE, more = {}) => res(fields, { body: TEXT, ranges: true, ...more })
const range = (value, more) => ({ fields: { Range: value }, ...more })
const part = (value, text, where, more = {}) => range(value, { status: 206, text, has: { 'content-range': `bytes ${where}`, 'content-length': String(text.length) }, ...more })
const conditional = (value, validator, more) => ({ fields: { Range: value, 'If-Range': validator }, ...more })
const whole = (more) => ({ status: 200, text: TEXT, ...more })
/** The origin's response to a range request. */
const first = (fields = WHOLE, value = 'bytes=0-4', text = 'abcde', more = {}) => fill(plan(fields, more), range(value, { status: 206, text }))

export default [
  optimal('RFC 9110 §14.2', 'the first bytes of a stored response', fill(plan()), hit(part('bytes=0-4', 'abcde', '0-4/20'))),
  optimal('RFC 9110 §14.2', 'bytes in the middle', fill(plan()), hit(part('bytes=5-9', 'fghij', '5-9/20'))),
  optimal('RFC 9110 §14.2', 'an open-ended range', fill(plan()), hit(part('bytes=15-', 'pqrst', '15-19/20'))),
  optimal('RFC 9110 §14.2', 'the last bytes', fill(plan()), hit(part('bytes=-3', 'rst', '17-19/20'))),
  optimal('RFC 9110 §14.2', 'a suffix longer than the body', fill(plan()), hit(part('bytes=-100', TEXT, '0-19/20'))),
  optimal('RFC 9110 §14.2', 'a range beyond the end', fill(plan()), hit(part('bytes=15-99', 'pqrst', '15-19/20'))),
  optimal('RFC 9110 §14.2', 'one byte', fill(plan()), hit(part('bytes=0-0', 'a', '0-0/20'))),
  optimal('RFC 9110 §14.1.1', 'the unit in upper case', fill(plan()), hit(part('BYTES=0-4', 'abcde', '0-4/20'))),
  optimal('RFC 9110 §15.3.7', 'a 206 keeps the stored fields', fill(plan()), hit(part('bytes=0-4', 'abcde', '0-4/20', { has: { etag: '"1"', date: /GMT/, 'cache-control': 'max-age=60', age: /^\d+$/ } }))),
  optimal('RFC 9110 §15.5.17', 'a range outside of the body: 416 with the length', fill(plan()), hit(range('bytes=20-', { status: 416, has: { 'content-range': 'bytes */20' } }))),
  optimal('RFC 9110 §15.5.17', 'a suffix of length 0: 416', fill(plan()), hit(range('bytes=-0', { status: 416, has: { 'content-range': 'bytes */20' } }))),
  optimal('RFC 9110 §14.2', 'several ranges: multipart', fill(plan()), hit(range('bytes=0-1, 18-19', {
    status: 206, text: undefined, has: { 'content-type': /^multipart\/byteranges; *boundary=/ },
    check: ({ text }) => !(text.includes('bytes 0-1/20') && text.includes('bytes 18-19/20') && text.includes('\r\n\r\nab\r\n') && text.includes('\r\n\r\nst\r\n')) && `no parts: ${text}`,
  }))),
  must('RFC 9110 §14.2', 'several ranges never get only one part', fill(plan()), any(range('bytes=0-1, 18-19', {
    check: (answer) => answer.status === 206 && !/multipart/.test(answer.field('content-type')) && !/^bytes 0-19\//.test(answer.field('content-range')) && 'one part only',
  }))),
  ...['lines=1-2', 'bytes', 'bytes=', 'bytes=5-2', 'bytes=a-b', 'bytes 0-4', 'bytes=0-4x', '0-4', 'bytes=--4', 'bytes=-'].map((value) =>
    must('RFC 9110 §14.2', `Range: ${value} is invalid: 200`, fill(plan(WHOLE, { ranges: false })), any(range(value, whole())))),
  must('RFC 9110 §14.2', 'HEAD has no ranges', fill(plan()), any(range('bytes=0-4', { method: 'HEAD', status: 200, lacks: ['content-range'] }))),
  must('RFC 9110 §14.2', 'a stored 404 has no ranges', fill(plan(WHOLE, { status: 404, ranges: false })), any(range('bytes=0-4', { status: 404, text: TEXT }))),
  must('RFC 9110 §13.2.2', 'If-None-Match overrides Range', fill(plan()), any({ fields: { Range: 'bytes=0-4', 'If-None-Match': '"1"' }, status: 304 })),
  optimal('RFC 9110 §13.1.5', 'If-Range with the ETag: 206', fill(plan()), hit(conditional('bytes=0-4', '"1"', { status: 206, text: 'abcde' }))),
  optimal('RFC 9110 §13.1.5', 'If-Range with the date: 206', fill(plan()), hit(conditional('bytes=0-4', LM, { status: 206, text: 'abcde' }))),
  must('RFC 9110 §13.1.5', 'If-Range with another ETag: 200', fill(plan()), any(conditional('bytes=0-4', '"2"', whole()))),
  must('RFC 9110 §13.1.5', 'If-Range with the weak form of the ETag: 200', fill(plan()), any(conditional('bytes=0-4', 'W/"1"', whole()))),
  must('RFC 9110 §13.1.5', 'If-Range with the weak ETag of the stored response: 200', fill(plan({ ...WHOLE, ETag: 'W/"1"' }, { ranges: false })), any(conditional('bytes=0-4', 'W/"1"', whole()))),
  must('RFC 9110 §13.1.5', 'If-Range with an earlier date: 200', fill(plan()), any(conditional('bytes=0-4', 'Mon, 06 Nov 2023 08:49:36 GMT', whole()))),
  must('RFC 9110 §13.1.5', 'If-Range with a later date: 200 (it must be the same)', fill(plan()), any(conditional('bytes=0-4', 'Mon, 06 Nov 2023 08:49:38 GMT', whole()))),
  must('RFC 9110 §13.1.5', 'If-Range with an invalid date: 200', fill(plan()), any(conditional('bytes=0-4', 'soon', whole()))),
  must('RFC 9110 §13.1.5', 'If-Range without Range is ignored', fill(plan()), any({ fields: { 'If-Range': '"1"' }, ...whole() })),
  optimal('RFC 9111 §4', 'a range of a stale response is served after revalidation', fill(plan({ ...WHOLE, cc: 'max-age=1' })), wait(2.2), asked(part('bytes=0-4', 'abcde', '0-4/20'))),
  must('RFC 9111 §4', 'a range of a changed response is not served from the stored one', fill(plan({ ...WHOLE, cc: 'max-age=1' })), wait(2.2),
    asked(range('bytes=0-4', { plan: plan({ ...WHOLE, ETag: '"2"', lm: 'Mon, 06 Nov 2024 08:49:37 GMT' }, { body: TEXT.toUpperCase() }), check: (answer) => !/^ABCDE/.test(answer.text) && answer.text }))),
  must('RFC 9110 §14.4', 'the length of a chunked response is correct or unknown', fill(plan({ cc: 'max-age=60' }, { chunked: true, ranges: false })), wait(0.2),
    any(range('bytes=0-4', { check: (answer) => answer.status === 206 ? answer.text !== 'abcde' && answer.text : answer.text !== TEXT && answer.text }))),

  must('RFC 9111 §3.3', 'a range request gets its part or the complete response', any({ plan: plan(), ...range('bytes=0-4', {
    check: (answer) => answer.status === 206 ? answer.text !== 'abcde' && answer.text : answer.text !== TEXT && answer.text }) })),
  must('RFC 9111 §3.3', 'a part is not served as the complete response', first(), any(whole())),
  must('RFC 9111 §3.3', 'a part without a validator is not served as the complete response', first({ cc: 'max-age=60' }), any(whole())),
  must('RFC 9111 §3.3', 'a part is not served for another range', first(), any(part('bytes=5-9', 'fghij', '5-9/20'))),
  must('RFC 9111 §3.3', 'a part is not served for a longer range', first(), any(part('bytes=0-9', 'abcdefghij', '0-9/20'))),
  must('RFC 9111 §3', 'a part with no-store is not stored', first({ ...WHOLE, cc: 'no-store' }), asked(range('bytes=0-4'))),
  must('RFC 9111 §4.2', 'a stale part is not reused', first({ ...WHOLE, cc: 'max-age=1' }), wait(2.2), asked(part('bytes=0-4', 'abcde', '0-4/20'))),
  optimal('RFC 9111 §3.3', 'a stored part is reused', first(), hit(part('bytes=0-4', 'abcde', '0-4/20'))),
  optimal('RFC 9111 §3.3', 'a smaller range of a stored part is served from it', first(), hit(part('bytes=1-3', 'bcd', '1-3/20'))),
  optimal('RFC 9111 §3.3', 'a part in the middle is reused', first(WHOLE, 'bytes=5-9', 'fghij'), hit(part('bytes=6-9', 'ghij', '6-9/20'))),
  optimal('RFC 9111 §3.3', 'a part at the end is reused for a suffix', first(WHOLE, 'bytes=-5', 'pqrst'), hit(part('bytes=-3', 'rst', '17-19/20'))),
  optimal('RFC 9111 §3.3', 'a part at the end is reused for an open-ended range', first(WHOLE, 'bytes=15-', 'pqrst'), hit(part('bytes=17-', 'rst', '17-19/20'))),
  optimal('RFC 9111 §3.3', 'a part of all bytes is served as the complete response', first(WHOLE, 'bytes=0-', TEXT), hit(whole())),
  optimal('RFC 9111 §3.4', 'a part is completed by a request for the remaining bytes', first(), asked(whole({ sent: { range: /^bytes=5-/, 'if-range': '"1"' } }))),
  optimal('RFC 9111 §3.4', 'the completed response is stored', first(), asked(whole()), hit(whole())),
  optimal('RFC 9111 §3.4', 'a complete response to a range request is stored', any({ plan: plan(WHOLE, { ranges: false }), ...range('bytes=0-4') }), hit(whole())),
  must('RFC 9111 §3.4', 'parts of different ETags are not combined', first(),
    any({ plan: plan({ ...WHOLE, ETag: '"2"', lm: 'Mon, 06 Nov 2024 08:49:37 GMT' }, { body: TEXT.toUpperCase() }), status: 200, text: TEXT.toUpperCase() })),
  must('RFC 9111 §3.4', 'parts of weak ETags are not combined', first({ cc: 'max-age=60', ETag: 'W/"1"' }),
    any({ plan: plan({ cc: 'max-age=60', ETag: 'W/"1"' }, { body: TEXT.toUpperCase(), confirms: false }), status: 200, text: TEXT.toUpperCase() })),
  must('RFC 9111 §3.4', 'parts without validators are not combined', first({ cc: 'max-age=60' }),
    any({ plan: plan({ cc: 'max-age=60' }, { body: TEXT.toUpperCase() }), status: 200, text: TEXT.toUpperCase() })),
  must('RFC 9111 §3.4', 'parts of responses of different lengths are not combined', first(),
    any({ plan: plan({ ...WHOLE, ETag: '"2"' }, { body: `${TEXT}uvw` }), status: 200, text: `${TEXT}uvw` })),
  must('RFC 9111 §3.4', 'remaining bytes with another ETag are not combined', first(),
    any({ plan: plan({ ...WHOLE, ETag: '"2"' }, { body: TEXT.toUpperCase(), ranges: 'always' }), status: 200, text: TEXT.toUpperCase() })),
  must('RFC 9111 §3.4', 'remaining bytes of a response of another length are not combined', first(),
    any({ plan: plan(WHOLE, { body: `${TEXT}uvw`, ranges: 'always' }), status: 200, text: `${TEXT}uvw` })),
  must('RFC 9111 §3.3', 'a 206 to a request without Range is not the complete response', asked({ plan: res({ ...WHOLE, 'Content-Range': 'bytes 0-4/20' }, { status: 206, body: 'abcde' }) }), any({ plan: plan(), ...whole() })),
  must('RFC 9111 §3.3', 'a 206 with another part than requested is not served for the requested one',
    asked({ plan: res({ ...WHOLE, 'Content-Range': 'bytes 5-9/20' }, { status: 206, body: 'fghij', confirms: false }), ...range('bytes=0-4') }), any({ plan: plan(), ...part('bytes=0-4', 'abcde', '0-4/20') })),
  must('RFC 9111 §3.3', 'parts of different variants are not combined', fill(plan({ ...WHOLE, Vary: 'X-A' }), { fields: { Range: 'bytes=0-4', 'X-A': '1' }, status: 206, text: 'abcde' }),
    any({ plan: plan({ ...WHOLE, ETag: '"2"', Vary: 'X-A' }, { body: TEXT.toUpperCase() }), fields: { 'X-A': '2' }, status: 200, text: TEXT.toUpperCase() })),
  must('RFC 9111 §3.5', 'a part for a request with Authorization is not served to others', fill(plan(), { fields: { Range: 'bytes=0-4', Authorization: 'a' }, status: 206, text: 'abcde' }), asked(range('bytes=0-4'))),
  must('RFC 9111 §3.3', 'a 416 is not served as the complete response', any({ plan: res({ cc: 'max-age=60', 'Content-Range': 'bytes */20' }, { status: 416, body: '' }), ...range('bytes=90-', { status: 416 }) }),
    any({ plan: plan(), ...whole() })),
  must('RFC 9110 §14.2', 'Range of a POST is forwarded', asked({ plan: res({}), method: 'POST', body: 'x', ...range('bytes=0-4', { sent: { range: 'bytes=0-4' } }) })),
  must('RFC 9110 §14.3', 'Accept-Ranges is kept', fill(plan({ ...WHOLE, 'Accept-Ranges': 'bytes' }), { has: { 'accept-ranges': 'bytes' } }), hit({ has: { 'accept-ranges': 'bytes' } })),
]
