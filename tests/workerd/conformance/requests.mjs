// RFC 9111 §5.2.1 (request directives: advisory), §5.4 (Pragma), §3.5 (Authorization), and cookies.

import { any, asked, at, fill, hit, miss, must, optimal, res, valid, wait } from './play.mjs'

const cc = (value, more) => ({ fields: { cc: value }, ...more })
const FRESH = { cc: 'max-age=60', ETag: '"1"' }

export default [
  ...['no-cache', 'No-Cache', 'max-age=0', 'foo, no-cache', 'no-cache, max-age=60', 'x="y", max-age=0'].map((value) =>
    optimal('RFC 9111 §5.2.1', `${value} forwards the request`, fill(res(FRESH)), wait(1.2), asked(cc(value)))),
  optimal('RFC 9111 §5.2.1.4', 'no-cache revalidates the stored response', fill(res(FRESH)), valid(cc('no-cache'))),
  optimal('RFC 9111 §5.2.1.4', 'no-cache: a new response replaces the stored one', fill(res({ cc: 'max-age=60' })), miss(cc('no-cache')), hit()),
  optimal('RFC 9111 §5.2.1.4', 'no-cache: the response is reused', miss({ plan: res(FRESH), ...cc('no-cache') }), hit()),
  optimal('RFC 9111 §5.2.1.5', 'no-store: the response is not stored', miss({ plan: res({ cc: 'max-age=60' }), ...cc('no-store') }), miss()),
  optimal('RFC 9111 §5.2.1.1', 'max-age=1: an older response is not used', fill(res({ cc: 'max-age=60' })), hit(cc('max-age=1')), wait(2.2), miss(cc('max-age=1'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age=60: a younger response is used', fill(res({ cc: 'max-age=600' })), wait(1.1), hit(cc('max-age=60'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age=10 includes the Age of upstream', fill(res({ cc: 'max-age=60', Age: '20' })), miss(cc('max-age=10'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age="0" quoted is max-age=0', fill(res({ cc: 'max-age=60' })), wait(1.2), miss(cc('max-age="0"'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age=0 is a reload, even within the first second', fill(res(FRESH)), valid(cc('max-age=0'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age=600 does not extend the freshness lifetime', fill(res({ cc: 'max-age=1' })), wait(2.2), miss(cc('max-age=600'))),
  optimal('RFC 9111 §5.2.1.3', 'min-fresh=30 with 60 s left: hit', fill(res({ cc: 'max-age=60' })), hit(cc('min-fresh=30'))),
  optimal('RFC 9111 §5.2.1.3', 'min-fresh=90 with 60 s left: miss', fill(res({ cc: 'max-age=60' })), miss(cc('min-fresh=90'))),
  optimal('RFC 9111 §5.2.1.3', 'min-fresh=30 with 20 s left by Age: miss', fill(res({ cc: 'max-age=60', Age: '40' })), miss(cc('min-fresh=30'))),
  optimal('RFC 9111 §5.2.1.2', 'max-stale: a stale response is used', fill(res({ cc: 'max-age=1' })), wait(2.2), hit(cc('max-stale'))),
  optimal('RFC 9111 §5.2.1.2', 'max-stale=60: a stale response is used', fill(res({ cc: 'max-age=1' })), wait(2.2), hit(cc('max-stale=60', { has: { age: /^[23]$/ } }))),
  optimal('RFC 9111 §5.2.1.2', 'max-stale=60: a response stale by Age is used', fill(res({ cc: 'max-age=60', Age: '100', ETag: '"1"' })), hit(cc('max-stale=60'))),
  must('RFC 9111 §4.2.4', 'max-stale=1: an older stale response is not used', fill(res({ cc: 'max-age=1' })), wait(3.4), miss(cc('max-stale=1'))),
  ...['must-revalidate', 'proxy-revalidate', 'no-cache'].map((directive) =>
    must('RFC 9111 §4.2.4', `${directive} overrides max-stale`, fill(res({ cc: `max-age=1, ${directive}` })), wait(2.2), miss(cc('max-stale')))),
  must('RFC 9111 §5.2.2.10', 's-maxage overrides max-stale', fill(res({ cc: 's-maxage=1' })), wait(2.2), miss(cc('max-stale'))),
  optimal('RFC 9111 §5.2.1.7', 'only-if-cached, stored: hit', fill(res({ cc: 'max-age=60' })), hit(cc('only-if-cached'))),
  optimal('RFC 9111 §5.2.1.7', 'only-if-cached, not stored: 504', hit({ plan: res({ cc: 'max-age=60' }), status: 504, ...cc('only-if-cached') })),
  optimal('RFC 9111 §5.2.1.7', 'only-if-cached, stale: 504', fill(res({ cc: 'max-age=1' })), wait(2.2), any({ status: 504, ...cc('only-if-cached') })),
  optimal('RFC 9111 §5.2.1', 'unknown directives are ignored', fill(res(FRESH)), hit(cc('x-what, y="no-cache"'))),
  optimal('RFC 9111 §5.2.1.6', 'no-transform does not affect the lookup', fill(res(FRESH)), hit(cc('no-transform'))),
  optimal('RFC 9111 §5.4', 'Pragma: no-cache forwards the request', fill(res(FRESH)), asked({ fields: { Pragma: 'no-cache' } })),
  optimal('RFC 9111 §5.4', 'Pragma is ignored besides Cache-Control', fill(res(FRESH)), hit({ fields: { Pragma: 'no-cache', cc: 'max-age=60' } })),
  optimal('RFC 9111 §5.4', 'Pragma of a response is ignored', fill(res({ cc: 'max-age=60', Pragma: 'no-cache' })), hit()),
  optimal('RFC 9111 §5.4', 'Pragma: foo is ignored', fill(res(FRESH)), hit({ fields: { Pragma: 'foo' } })),
  optimal('RFC 5861 §4', 'stale-if-error of the request: a stale response is served instead of 503', fill(res({ cc: 'max-age=1' })), wait(2.2), asked({ plan: res({}, { status: 503 }), nth: 1, status: 200, ...cc('stale-if-error=60') })),

  ...['max-age=60', 'max-age=60, immutable', 'max-age=60, proxy-revalidate'].map((value) =>
    must('RFC 9111 §3.5', `Authorization, ${value}: not stored`, fill(res({ cc: value }), { fields: { Authorization: 'Basic YTpi' }, sent: { authorization: 'Basic YTpi' } }), miss())),
  must('RFC 9111 §3.5', 'Authorization, Expires: not stored', fill(res({ Expires: at(60) }), { fields: { Authorization: 'Basic YTpi' } }), miss({ fields: { Authorization: 'Basic YTpj' } })),
  ...['public, max-age=60', 's-maxage=60', 'max-age=60, must-revalidate', 'Public, MAX-AGE=60'].map((value) =>
    optimal('RFC 9111 §3.5', `Authorization, ${value}: stored`, fill(res({ cc: value }), { fields: { Authorization: 'Basic YTpi' } }), hit(), hit({ fields: { Authorization: 'Basic YTpj' } }))),
  optimal('RFC 9111 §3.5', 'a request with Authorization gets a response stored without it', fill(res({ cc: 'public, max-age=60' })), hit({ fields: { Authorization: 'Basic YTpi' } })),
  must('RFC 9111 §3.5', 'Vary: Authorization separates variants', fill(res({ cc: 'public, max-age=60', Vary: 'Authorization' }), { fields: { Authorization: 'a' } }), miss({ fields: { Authorization: 'b' } })),

  must('RFC 6265 §3', 'Set-Cookie in several lines is not joined', fill(res({ cc: 'max-age=60', 'Set-Cookie': ['a=b; Path=/', 'c=d; Expires=Wed, 09 Jun 2032 10:18:14 GMT'] }),
    { has: { 'set-cookie': ['a=b; Path=/', 'c=d; Expires=Wed, 09 Jun 2032 10:18:14 GMT'] } })),
  must('RFC 9111 §3', 'no-store with Set-Cookie: not stored', fill(res({ cc: 'no-store', 'Set-Cookie': 'a=b' })), miss()),
  optimal('RFC 9111 §4', 'Cookie does not select a variant without Vary', fill(res({ cc: 'max-age=60' }), { fields: { Cookie: 'a=b' } }), hit({ fields: { Cookie: 'a=c' } }), hit()),
  must('RFC 9111 §4.1', 'Vary: Cookie separates variants', fill(res({ cc: 'max-age=60', Vary: 'Cookie' }), { fields: { Cookie: 'a=b' }, sent: { cookie: 'a=b' } }), miss({ fields: { Cookie: 'a=c' } })),
  must('RFC 9110 §10', 'unknown request fields are forwarded', fill(res({ cc: 'max-age=60' }), {
    fields: { 'X-One': '1', 'User-Agent': 'test/1', Referer: 'http://a.test/', From: 'a@b.test', DNT: '1', Priority: 'u=1', Prefer: 'a' },
    sent: { 'x-one': '1', 'user-agent': 'test/1', referer: 'http://a.test/', from: 'a@b.test', dnt: '1', priority: 'u=1', prefer: 'a' },
  }), any()),
]
