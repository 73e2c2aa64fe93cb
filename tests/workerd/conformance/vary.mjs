// RFC 9111 §4.1: Vary, variants, and the field values that select them.

import { any, asked, beyond, fill, hit, leftOut, miss, must, optimal, res, valid, wait } from './play.mjs'

const vary = (Vary, more) => res({ cc: 'max-age=60', Vary, ...more })
const a = (value) => ({ fields: { 'X-A': value } })
const accept = (name) => (value) => ({ fields: value === undefined ? {} : { [name]: value } })
const language = accept('Accept-Language')
const encoding = accept('Accept-Encoding')
const media = accept('Accept')

/** Equivalent values: [function that makes the request, field, one spelling, another]. */
const SAME = [
  [language, 'Accept-Language', 'en, de', 'en,de'], [language, 'Accept-Language', 'en;q=0.8, de', 'de, en;q=0.8'],
  [language, 'Accept-Language', 'en;q=0.8', 'en; q=0.8'], [language, 'Accept-Language', 'en;q=0.8', 'en;q=0.80'], [language, 'Accept-Language', 'en;q=1.0, de;q=0.5', 'en, de;q=0.5'],
  [encoding, 'Accept-Encoding', 'gzip, br', 'br, gzip'], [encoding, 'Accept-Encoding', 'gzip,br', 'gzip, br'], [encoding, 'Accept-Encoding', 'GZIP', 'gzip'],
  [encoding, 'Accept-Encoding', 'gzip;q=1.0', 'gzip'], [encoding, 'Accept-Encoding', 'br;q=0.5, gzip', 'gzip, br;q=0.5'],
  [media, 'Accept', 'text/html, text/plain', 'text/html,text/plain'], [media, 'Accept', 'text/html;q=0.5, text/plain', 'text/plain, text/html;q=0.5'],
  [a, 'X-A', 'a, b', 'a,b'], [a, 'X-A', 'a, b', 'a ,  b'], [a, 'X-A', ['a', 'b'], 'a, b'],
]
/** Equivalent values in another case. The origin gets the client's spelling, so each spelling is a separate variant. */
const SPELLED = [
  [language, 'Accept-Language', 'en-US', 'EN-us'], [media, 'Accept', 'TEXT/html', 'text/html'],
]
/** Different values. */
const OTHER = [
  [language, 'Accept-Language', 'en, de;q=0.5', 'de, en;q=0.5'], [language, 'Accept-Language', 'en', 'de'], [language, 'Accept-Language', 'en', undefined],
  [language, 'Accept-Language', 'en', 'en;q=0'], [language, 'Accept-Language', 'en', 'en-US'], [language, 'Accept-Language', 'en', 'en, *'],
  [encoding, 'Accept-Encoding', 'gzip', 'br'], [encoding, 'Accept-Encoding', 'gzip', 'identity'], [encoding, 'Accept-Encoding', 'gzip', 'gzip;q=0'],
  [encoding, 'Accept-Encoding', 'gzip', undefined], [encoding, 'Accept-Encoding', undefined, 'gzip'], [encoding, 'Accept-Encoding', 'gzip', 'gzip, br'],
  [encoding, 'Accept-Encoding', 'gzip', ''], [media, 'Accept', 'text/html', 'application/json'], [media, 'Accept', 'text/html;level=1', 'text/html;level=2'],
  [media, 'Accept', 'text/html', undefined],
  [a, 'X-A', '1', '2'], [a, 'X-A', 'a', 'A'], [a, 'X-A', 'a, b', 'b, a'], [a, 'X-A', 'a', 'a, a'], [a, 'X-A', 'a', ''], [a, 'X-A', 'ab', 'a b'], [a, 'X-A', '"a, b"', '"a,b"'],
]
const words = (value) => value === undefined ? 'none' : JSON.stringify(value)

export default [
  optimal('RFC 9111 §4.1', 'the same value selects the variant', fill(vary('X-A'), a('1')), hit(a('1'))),
  optimal('RFC 9111 §4.1', 'a field absent in both requests selects the variant', fill(vary('X-A')), hit()),
  optimal('RFC 9111 §4.1', 'fields that Vary does not list do not select', fill(vary('X-A'), { fields: { 'X-A': '1', 'X-B': '1' } }), hit({ fields: { 'X-A': '1', 'X-B': '2' } })),
  optimal('RFC 9111 §4.1', 'without Vary no field selects', fill(res({ cc: 'max-age=60' }), encoding('gzip')), hit(encoding('br')), hit()),
  optimal('RFC 9111 §4.1', 'with an empty Vary no field selects', fill(vary(''), a('1')), hit(a('2'))),
  must('RFC 9111 §4.1', 'a field absent, then present: two variants', fill(vary('X-A')), miss(a('1'))),
  must('RFC 9111 §4.1', 'a field present, then absent: two variants', fill(vary('X-A'), a('1')), miss()),
  must('RFC 9111 §4.1', 'two fields, the other one present: two variants', fill(vary('X-A, X-B'), a('1')), miss({ fields: { 'X-B': '1' } })),
  ...['*', 'X-A, *', '*, X-A', ' * ', '*,*', ['X-A', '*'], ['*', 'X-A'], 'x-a,*, x-b', ',*'].map((value) =>
    must('RFC 9111 §4.1', `Vary: ${value} matches no request`, fill(vary(value, { lm: 'Mon, 06 Nov 2023 08:49:37 GMT' }), a('1')), asked(a('1')))),
  ...['x-a', 'X-A', 'X-B, X-A', 'X-B,X-A', ', ,X-A', 'X-B\t,\tX-A', ['X-B', 'X-A'], ['X-A', 'X-B'], ['', 'x-a'], 'X-A, X-A'].map((value) =>
    must('RFC 9111 §4.1', `Vary: ${[value].flat().join(' | ')} separates values`, fill(vary(value), a('1')), miss(a('2')))),
  ...['x-a', 'X-B, X-A', ['X-B', 'X-A']].map((value) =>
    optimal('RFC 9111 §4.1', `Vary: ${[value].flat().join(' | ')}: equal values share a variant`, fill(vary(value), { fields: { 'X-A': '1', 'X-B': '2' } }), hit({ fields: { 'X-A': '1', 'X-B': '2' } }))),
  must('RFC 9111 §4.1', 'two fields, the second one differs: two variants', fill(vary('X-A, X-B'), { fields: { 'X-A': '1', 'X-B': '1' } }), miss({ fields: { 'X-A': '1', 'X-B': '2' } })),
  must('RFC 9111 §4.1', 'values of two fields are not concatenated', fill(vary('X-A, X-B'), { fields: { 'X-A': '1', 'X-B': '12' } }), miss({ fields: { 'X-A': '11', 'X-B': '2' } })),
  must('RFC 9111 §4.1', 'Vary: User-Agent separates values', fill(vary('User-Agent'), { fields: { 'User-Agent': 'a' } }), miss({ fields: { 'User-Agent': 'b' } })),
  must('RFC 9111 §4.1', 'Vary: Origin separates values', fill(vary('Origin'), { fields: { Origin: 'http://a.test' } }), miss({ fields: { Origin: 'http://b.test' } })),
  must('RFC 9111 §4.1', 'Vary: Referer separates values', fill(vary('Referer'), { fields: { Referer: 'http://a.test/' } }), miss({ fields: { Referer: 'http://b.test/' } })),
  optimal('RFC 9111 §4.1', 'Vary: Host, the same host: hit', fill(vary('Host')), hit()),
  must('RFC 9111 §4.1', 'Vary without a lifetime is not reused', fill(res({ Vary: 'X-A' }), a('1')), asked(a('1'))),
  ...SAME.map(([make, name, one, other]) => optimal('RFC 9111 §4.1', `${name}: ${words(one)} and ${words(other)} are one variant`, fill(vary(name), make(one)), hit(make(other)))),
  ...SPELLED.map(([make, name, one, other]) => must('RFC 9111 §4.1', `${name}: ${words(one)} and ${words(other)} are two variants`, fill(vary(name), make(one)), miss(make(other)))),
  ...OTHER.map(([make, name, one, other]) => must('RFC 9111 §4.1', `${name}: ${words(one)} and ${words(other)} are different variants`, fill(vary(name), make(one)), miss(make(other)))),

  beyond('workerd shows both, and sends both to the origin, as U+FFFD', must('RFC 9111 §4.1', 'X-A: different Latin-1 values are two variants', fill(vary('X-A'), a('caf\xe9')), miss(a('caf\xe8')))),

  optimal('RFC 9111 §4.1', 'three variants are stored', fill(vary('X-A'), a('1')), fill(vary('X-A'), a('2')), fill(vary('X-A'), a('3')),
    hit({ ...a('1'), nth: 1 }), hit({ ...a('2'), nth: 2 }), hit({ ...a('3'), nth: 3 })),
  optimal('RFC 9111 §4.1', 'variants with and without the field are stored', fill(vary('X-A'), a('1')), fill(vary('X-A')), hit({ ...a('1'), nth: 1 }), hit({ nth: 2 })),
  optimal('RFC 9111 §4.1', 'six variants by two fields are stored',
    ...[1, 2, 3].flatMap((x) => [1, 2].map((y) => fill(vary('X-A, X-B'), { fields: { 'X-A': x, 'X-B': y } }))),
    ...[1, 2, 3].flatMap((x) => [1, 2].map((y) => hit({ fields: { 'X-A': x, 'X-B': y }, nth: (x - 1) * 2 + y })))),
  optimal('RFC 9111 §4.1', 'variants expire independently', fill(res({ cc: 'max-age=1', Vary: 'X-A' }), a('1')), fill(vary('X-A'), a('2')), wait(2.2),
    hit({ ...a('2'), nth: 2 }), miss(a('1')), hit({ ...a('2'), nth: 2 })),
  must('RFC 9111 §4.1', 'a response with another Vary is selected by its own fields', fill(vary('X-A'), a('1')), fill(vary('X-A, X-B'), { fields: { 'X-A': '2', 'X-B': '1' } }),
    miss({ fields: { 'X-A': '2', 'X-B': '2' } })),
  must('RFC 9111 §4.1', 'a stale response without Vary, then one with Vary', fill(res({ cc: 'max-age=1' })), wait(2.2), fill(vary('X-A'), a('1')), miss(a('2'))),
  optimal('RFC 9111 §4.1', 'a variant is revalidated by its own ETag',
    fill(res({ cc: 'max-age=1', Vary: 'X-A', ETag: '"one"' }), a('1')), fill(res({ cc: 'max-age=1', Vary: 'X-A', ETag: '"two"' }), a('2')), wait(2.2),
    valid({ ...a('2'), nth: 2, plan: res({ cc: 'max-age=60', Vary: 'X-A', ETag: '"two"' }), sent: { 'if-none-match': /"two"/ } }), hit({ ...a('2'), nth: 2 })),
  leftOut('a revalidation uses only the ETag of the selected variant', optimal('RFC 9111 §4.3.1', 'a request for another variant has the ETags of the stored ones', fill(vary('X-A', { ETag: '"one"' }), a('1')),
    asked({ ...a('2'), sent: { 'if-none-match': /"one"/ } }))),
  leftOut('a revalidation uses only the ETag of the selected variant', optimal('RFC 9111 §4.3.3', 'a 304 with the ETag of another variant selects it', fill(vary('X-A', { ETag: '"one"' }), a('1')), valid({ ...a('2'), nth: 1 }))),
  must('RFC 9111 §4.1', 'Vary is kept', fill(vary('X-A, Accept-Encoding'), { has: { vary: 'X-A, Accept-Encoding' } }), hit({ has: { vary: 'X-A, Accept-Encoding' } })),
  must('RFC 9111 §4.1', 'selecting fields are forwarded unchanged', fill(vary('Accept-Encoding, Accept-Language'), {
    fields: { 'Accept-Encoding': 'br, gzip;q=0.9', 'Accept-Language': 'de, en;q=0.5', 'X-A': '1' }, sent: { 'accept-encoding': /br/, 'accept-language': /de/, 'x-a': '1' },
  }), any()),
]
