// RFC 9110 §7.6 (connection fields, Via), RFC 9111 §3.1 (stored fields), RFC 9211 (Cache-Status), unusual and large heads.

import { any, beyond, fill, hit, miss, must, optimal, res } from './play.mjs'

const page = (more, rest) => res({ ...(more?.['Cache-Control'] ? {} : { cc: 'max-age=60' }), ...more }, rest)
const kept = (fields) => Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), Array.isArray(value) ? value : [value]]))
/** The client gets these fields unchanged, from the origin and from the cache. */
const keeps = (section, title, fields) => must(section, title, fill(page(fields), { has: kept(fields) }), hit({ has: kept(fields) }))
const LATIN1 = 'workerd reads fields as UTF-8 and shows other bytes as U+FFFD'
const HOP = { 'Keep-Alive': 'timeout=5', 'Proxy-Connection': 'keep-alive', 'Proxy-Authenticate': 'Basic realm="x"', 'Proxy-Authentication-Info': 'x', TE: 'trailers' }
const member = (value) => (value ?? '').split(/,\s*(?=edgekeep)/).at(-1)

const ODD = {
  'X-Empty': '', 'X-Tab': 'a\tb', 'X-Quoted': '"a, b", "c\\"d"', 'X-Comma': ',', 'X-Colon': ':: a: b', 'X-Percent': '%00%zz', 'X-Semi': ';;;', 'X-Long-Spaces': 'a    b',
  "X-!#$%&'*+.^_`|~": 'every token character', 'X-Json': '{"a":[1,2]}', 'X-Html': '<script>&amp;</script>', 'X-Utf8': 'gr\xc3\xbc\xc3\x9fe',
}
const CONTENT = {
  'Content-Type': 'text/plain; charset="utf-8"; x=y', 'Content-Language': 'de, en', 'Content-Location': '/other', 'Content-Disposition': 'attachment; filename="a b.txt"', 'Content-Security-Policy': "default-src 'self'",
  'Content-MD5': 'Q2hlY2sgSW50ZWdyaXR5IQ==', 'Content-Foo': 'bar', 'Repr-Digest': 'sha-256=:AAAA:',
}
const META = {
  ETag: '"a"', 'Last-Modified': 'Mon, 06 Nov 2023 08:49:37 GMT', Expires: 'Fri, 31 Dec 2038 23:59:59 GMT', Vary: 'X-A', Link: '</a>; rel=next', Server: 'test/1 (x)', 'Access-Control-Allow-Origin': '*', Allow: 'GET, HEAD', Pragma: 'no-cache',
  'Server-Timing': 'a;dur=1', 'X-Content-Type-Options': 'nosniff', 'Strict-Transport-Security': 'max-age=1', 'Alt-Svc': 'clear', 'Retry-After': '10', 'Surrogate-Control': 'max-age=1', 'CDN-Cache-Control': 'max-age=60', Warning: '199 - "x"',
}

export default [
  keeps('RFC 9111 §3.1', 'unusual values are kept', ODD),
  ...Object.entries(ODD).map(([name, value]) => keeps('RFC 9111 §3.1', `${name}: ${value} is kept`, { [name]: value })),
  keeps('RFC 9111 §3.1', 'Content-* fields are kept', CONTENT),
  keeps('RFC 9111 §3.1', 'metadata are kept', META),
  keeps('RFC 9110 §5.3', 'lines of a field keep their order', { 'X-A': ['1', '2', '3', '1'], Link: ['</a>', '</b>'], 'WWW-Authenticate': ['Basic realm="a, b"', 'Digest x=y'] }),
  keeps('RFC 9111 §3.1', 'Cache-Control with unknown directives is kept', { 'Cache-Control': 'max-age=60, x="a,b" , Y' }),
  keeps('RFC 9111 §3.1', 'Cache-Control of several lines is kept', { 'Cache-Control': ['public', 'max-age=60'] }),
  keeps('RFC 9111 §3.1', '200 fields are kept', Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`X-Field-${i}`, `value ${i}`]))),
  keeps('RFC 9111 §3.1', 'a value of 8,000 bytes is kept', { 'X-Long': 'a'.repeat(8000) }),
  must('RFC 9110 §5.4', 'a value of 12,000 bytes is kept', fill(page({ 'X-Long': 'a'.repeat(12_000) }), { has: { 'x-long': (value) => value?.length === 12_000 } }), any({ status: 200, has: { 'x-long': (value) => value?.length === 12_000 } })),
  must('RFC 9110 §5.4', 'a request field of 10,000 bytes is forwarded', fill(page(), { fields: { 'X-Long': 'b'.repeat(10_000) }, sent: { 'x-long': (value) => value?.length === 10_000 } }), any()),
  must('RFC 9110 §5.4', '100 request fields are forwarded', fill(page(), { fields: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`X-F${i}`, `${i}`])), sent: { 'x-f0': '0', 'x-f99': '99' } }), any()),
  beyond(LATIN1, optimal('RFC 9110 §5.5', 'Latin-1 request fields are forwarded', fill(page(), { fields: { 'X-A': 'caf\xe9' }, sent: { 'x-a': 'caf\xe9' } }), any())),
  beyond(LATIN1, { ...keeps('RFC 9110 §5.5', 'Latin-1 fields are kept', { 'X-A': 'caf\xe9 \xa0\xff' }), level: 'OPTIMAL' }),
  must('RFC 9110 §5.3', 'request fields of several lines are forwarded', fill(page(), { fields: { 'X-A': ['1', '2'] }, sent: { 'x-a': /^1, ?2$/ } }), any()),

  ...Object.entries(HOP).flatMap(([name, value]) => [
    must('RFC 9111 §3.1', `${name} is not stored`, fill(page({ [name]: value })), hit({ lacks: [name] })),
    ...(/authenticat/i.test(name) ? [] : [must('RFC 9110 §7.6.1', `${name} is not passed to the client`, fill(page({ [name]: value }), { lacks: [name === 'Keep-Alive' ? 'x-none' : name], has: name === 'Keep-Alive' ? { 'keep-alive': (v) => v !== 'timeout=5' } : {} }))]),
  ]),
  ...[['X-Hop'], ['x-hop'], ['close, X-Hop'], ['X-Hop, close'], ['X-Other,X-Hop'], [', X-Hop'], ['X-Other\t, X-HOP ']].map(([value]) =>
    must('RFC 9110 §7.6.1', `Connection: ${value} removes a field of the response`, fill(page({ Connection: value, 'X-Hop': '1', 'X-End': '1' }), { lacks: ['x-hop'], has: { 'x-end': '1' } }), hit({ lacks: ['x-hop'], has: { 'x-end': '1' } }))),
  must('RFC 9110 §7.6.1', 'Connection in two lines removes fields of the response', fill(page({ Connection: ['X-One', 'X-Two'], 'X-One': '1', 'X-Two': '2' }), { lacks: ['x-one', 'x-two'] }), hit({ lacks: ['x-one', 'x-two'] })),
  ...['X-Hop', 'close, x-hop', 'X-Other, X-HOP'].map((value) =>
    must('RFC 9110 §7.6.1', `Connection: ${value} removes a field of the request`, fill(page(), { fields: { Connection: value, 'X-Hop': '1', 'X-End': '1' }, unsent: ['x-hop'], sent: { 'x-end': '1' } }))),
  must('RFC 9110 §7.6.1', 'Connection of a POST removes a field of the request', miss({ plan: res({}), method: 'POST', body: 'x', fields: { Connection: 'X-Hop', 'X-Hop': '1' }, unsent: ['x-hop'] })),
  ...['Keep-Alive', 'Proxy-Connection', 'TE'].map((name) => must('RFC 9110 §7.6.1', `${name} of the request is not forwarded`, fill(page(), { fields: { [name]: 'a' }, unsent: [name] }))),
  must('RFC 9110 §7.6.1', 'Vary on a connection field causes no error', fill(page({ Vary: 'X-Hop' }), { fields: { Connection: 'X-Hop', 'X-Hop': '1' }, unsent: ['x-hop'] }), any({ status: 200 })),
  must('RFC 9110 §7.6.3', 'the forwarded request has Via', fill(page(), { sent: { via: /edgekeep/i } })),
  must('RFC 9110 §7.6.3', "the worker's Via is appended to that of the request", fill(page(), { fields: { Via: '1.1 before' }, sent: { via: /^1\.1 before, .+/ } })),
  optimal('RFC 9110 §7.6.3', 'the response has Via', fill(page(), { has: { via: true } }), hit({ has: { via: true } })),
  must('RFC 9110 §7.6.3', "the worker's Via is appended to that of the response", fill(page({ Via: '1.1 behind' }), { has: { via: /^1\.1 behind(, .+)?$/ } }), hit({ has: { via: /^1\.1 behind(, .+)?$/ } })),
  must('RFC 9111 §5.1', 'a miss has no Age of the worker', fill(page(), { has: { age: (value) => value === undefined || value === '0' } })),
  must('RFC 9111 §5.1', 'Age of upstream is kept on a miss', fill(page({ Age: '20' }), { has: { age: /^2[01]$/ } })),
  optimal('RFC 9111 §5.1', 'Age of upstream is kept on a response that is not stored', fill(res({ cc: 'no-store', Age: '20' }), { has: { age: /^2[01]$/ } })),

  optimal('RFC 9211 §2', 'Cache-Status of a miss: fwd', fill(page(), { has: { 'cache-status': (value) => /;\s*fwd=(uri-miss|miss|vary-miss)/.test(member(value)) && !/;\s*hit/.test(member(value)) } })),
  optimal('RFC 9211 §2', 'Cache-Status of a hit: hit and ttl', fill(page()), hit({ has: { 'cache-status': (value) => /;\s*hit(;|$)/.test(member(value)) && /;\s*ttl=[56]\d(;|$)/.test(member(value)) && !/;\s*fwd/.test(member(value)) } })),
  optimal('RFC 9211 §2.4', 'Cache-Status of a miss: fwd-status and stored', fill(page(), { has: { 'cache-status': (value) => /;\s*fwd-status=200/.test(member(value)) && /;\s*stored/.test(member(value)) } })),
  must('RFC 9211 §2', 'a Cache-Status of upstream precedes ours', fill(page({ 'Cache-Status': 'Behind; hit' }), { has: { 'cache-status': /^Behind; ?hit, .+/ } }), hit({ has: { 'cache-status': /^Behind; ?hit, .+/ } })),
  optimal('RFC 9211 §2', 'a method that is not cacheable: fwd=method', miss({ plan: res({}), method: 'POST', body: 'x', has: { 'cache-status': /fwd=method/ } })),
  optimal('RFC 9211 §2', 'no-cache of the request: fwd=request', fill(page()), miss({ fields: { cc: 'no-cache' }, has: { 'cache-status': /fwd=request/ } })),
]
