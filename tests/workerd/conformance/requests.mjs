// RFC 9111 §5.2.1 (request directives: advisory), §5.4 (Pragma), §3.5 (Authorization), and cookies.

import { any, asked, at, fill, hit, miss, must, optimal, res, valid, wait } from './play.mjs'

const cc = (value, more) => ({ fields: { cc: value }, ...more })
const FRESH = { cc: 'max-age=60', ETag: '"1"' }

export default [
  ...['no-cache', 'No-Cache', 'max-age=0', 'foo, no-cache', 'no-cache, max-age=60', 'x="y", max-age=0'].map((value) =>
    optimal('RFC 9111 §5.2.1', `${value} asks the origin`, fill(res(FRESH)), wait(1.2), asked(cc(value)))),
  optimal('RFC 9111 §5.2.1.4', 'no-cache validates what is stored', fill(res(FRESH)), valid(cc('no-cache'))),
  optimal('RFC 9111 §5.2.1.4', 'no-cache: a new answer replaces', fill(res({ cc: 'max-age=60' })), miss(cc('no-cache')), hit()),
  optimal('RFC 9111 §5.2.1.4', 'no-cache: what it brings is reused', miss({ plan: res(FRESH), ...cc('no-cache') }), hit()),
  optimal('RFC 9111 §5.2.1.5', 'no-store: the answer is not stored', miss({ plan: res({ cc: 'max-age=60' }), ...cc('no-store') }), miss()),
  optimal('RFC 9111 §5.2.1.1', 'max-age=1: an older answer is not used', fill(res({ cc: 'max-age=60' })), hit(cc('max-age=1')), wait(2.2), miss(cc('max-age=1'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age=60: a younger answer is', fill(res({ cc: 'max-age=600' })), wait(1.1), hit(cc('max-age=60'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age=10 counts the Age of upstream', fill(res({ cc: 'max-age=60', Age: '20' })), miss(cc('max-age=10'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age="0" quoted', fill(res({ cc: 'max-age=60' })), wait(1.2), miss(cc('max-age="0"'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age=0 is a reload, even within the first second', fill(res(FRESH)), valid(cc('max-age=0'))),
  optimal('RFC 9111 §5.2.1.1', 'max-age=600 does not lengthen', fill(res({ cc: 'max-age=1' })), wait(2.2), miss(cc('max-age=600'))),
  optimal('RFC 9111 §5.2.1.3', 'min-fresh=30 with 60 s left', fill(res({ cc: 'max-age=60' })), hit(cc('min-fresh=30'))),
  optimal('RFC 9111 §5.2.1.3', 'min-fresh=90 with 60 s left', fill(res({ cc: 'max-age=60' })), miss(cc('min-fresh=90'))),
  optimal('RFC 9111 §5.2.1.3', 'min-fresh=30 with 20 s left by Age', fill(res({ cc: 'max-age=60', Age: '40' })), miss(cc('min-fresh=30'))),
  optimal('RFC 9111 §5.2.1.2', 'max-stale', fill(res({ cc: 'max-age=1' })), wait(2.2), hit(cc('max-stale'))),
  optimal('RFC 9111 §5.2.1.2', 'max-stale=60', fill(res({ cc: 'max-age=1' })), wait(2.2), hit(cc('max-stale=60', { has: { age: /^[23]$/ } }))),
  optimal('RFC 9111 §5.2.1.2', 'max-stale=60 by Age', fill(res({ cc: 'max-age=60', Age: '100', ETag: '"1"' })), hit(cc('max-stale=60'))),
  must('RFC 9111 §4.2.4', 'max-stale=1, staler', fill(res({ cc: 'max-age=1' })), wait(3.4), miss(cc('max-stale=1'))),
  ...['must-revalidate', 'proxy-revalidate', 'no-cache'].map((directive) =>
    must('RFC 9111 §4.2.4', `max-stale against ${directive}`, fill(res({ cc: `max-age=1, ${directive}` })), wait(2.2), miss(cc('max-stale')))),
  must('RFC 9111 §5.2.2.10', 'max-stale against s-maxage', fill(res({ cc: 's-maxage=1' })), wait(2.2), miss(cc('max-stale'))),
  optimal('RFC 9111 §5.2.1.7', 'only-if-cached, stored', fill(res({ cc: 'max-age=60' })), hit(cc('only-if-cached'))),
  optimal('RFC 9111 §5.2.1.7', 'only-if-cached, not stored', hit({ plan: res({ cc: 'max-age=60' }), status: 504, ...cc('only-if-cached') })),
  optimal('RFC 9111 §5.2.1.7', 'only-if-cached, stale', fill(res({ cc: 'max-age=1' })), wait(2.2), any({ status: 504, ...cc('only-if-cached') })),
  optimal('RFC 9111 §5.2.1', 'unknown directives do not matter', fill(res(FRESH)), hit(cc('x-what, y="no-cache"'))),
  optimal('RFC 9111 §5.2.1.6', 'no-transform does not matter', fill(res(FRESH)), hit(cc('no-transform'))),
  optimal('RFC 9111 §5.4', 'Pragma: no-cache asks the origin', fill(res(FRESH)), asked({ fields: { Pragma: 'no-cache' } })),
  optimal('RFC 9111 §5.4', 'Pragma does not matter beside Cache-Control', fill(res(FRESH)), hit({ fields: { Pragma: 'no-cache', cc: 'max-age=60' } })),
  optimal('RFC 9111 §5.4', 'Pragma of an answer says nothing', fill(res({ cc: 'max-age=60', Pragma: 'no-cache' })), hit()),
  optimal('RFC 9111 §5.4', 'Pragma: foo says nothing', fill(res(FRESH)), hit({ fields: { Pragma: 'foo' } })),
  optimal('RFC 5861 §4', 'stale-if-error of the request', fill(res({ cc: 'max-age=1' })), wait(2.2), asked({ plan: res({}, { status: 503 }), nth: 1, status: 200, ...cc('stale-if-error=60') })),

  ...['max-age=60', 'max-age=60, immutable', 'max-age=60, proxy-revalidate'].map((value) =>
    must('RFC 9111 §3.5', `Authorization, ${value}`, fill(res({ cc: value }), { fields: { Authorization: 'Basic YTpi' }, sent: { authorization: 'Basic YTpi' } }), miss())),
  must('RFC 9111 §3.5', 'Authorization, Expires', fill(res({ Expires: at(60) }), { fields: { Authorization: 'Basic YTpi' } }), miss({ fields: { Authorization: 'Basic YTpj' } })),
  ...['public, max-age=60', 's-maxage=60', 'max-age=60, must-revalidate', 'Public, MAX-AGE=60'].map((value) =>
    optimal('RFC 9111 §3.5', `Authorization, ${value}`, fill(res({ cc: value }), { fields: { Authorization: 'Basic YTpi' } }), hit(), hit({ fields: { Authorization: 'Basic YTpj' } }))),
  optimal('RFC 9111 §3.5', 'Authorization may get what was stored without', fill(res({ cc: 'public, max-age=60' })), hit({ fields: { Authorization: 'Basic YTpi' } })),
  must('RFC 9111 §3.5', 'Authorization, Vary on it', fill(res({ cc: 'public, max-age=60', Vary: 'Authorization' }), { fields: { Authorization: 'a' } }), miss({ fields: { Authorization: 'b' } })),

  must('RFC 6265 §3', 'Set-Cookie in several lines stays so', fill(res({ cc: 'max-age=60', 'Set-Cookie': ['a=b; Path=/', 'c=d; Expires=Wed, 09 Jun 2032 10:18:14 GMT'] }),
    { has: { 'set-cookie': ['a=b; Path=/', 'c=d; Expires=Wed, 09 Jun 2032 10:18:14 GMT'] } })),
  must('RFC 9111 §3', 'no-store beside Set-Cookie', fill(res({ cc: 'no-store', 'Set-Cookie': 'a=b' })), miss()),
  optimal('RFC 9111 §4', 'a Cookie does not matter without Vary', fill(res({ cc: 'max-age=60' }), { fields: { Cookie: 'a=b' } }), hit({ fields: { Cookie: 'a=c' } }), hit()),
  must('RFC 9111 §4.1', 'a Cookie matters with Vary', fill(res({ cc: 'max-age=60', Vary: 'Cookie' }), { fields: { Cookie: 'a=b' }, sent: { cookie: 'a=b' } }), miss({ fields: { Cookie: 'a=c' } })),
  must('RFC 9110 §10', 'unknown request fields reach the origin', fill(res({ cc: 'max-age=60' }), {
    fields: { 'X-One': '1', 'User-Agent': 'test/1', Referer: 'http://a.test/', From: 'a@b.test', DNT: '1', Priority: 'u=1', Prefer: 'a' },
    sent: { 'x-one': '1', 'user-agent': 'test/1', referer: 'http://a.test/', from: 'a@b.test', dnt: '1', priority: 'u=1', prefer: 'a' },
  }), any()),
]
