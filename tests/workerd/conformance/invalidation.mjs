// RFC 9111 §4.4 (invalidation), RFC 9875 (Cache-Groups), and methods: RFC 9110 §9, RFC 9111 §4.3.5 (HEAD).

import { any, asked, fill, hit, leftOut, miss, must, optimal, res, wait } from './play.mjs'

const leftOutBecause = (why) => (...row) => leftOut(why, optimal(...row))

const page = (more) => res({ cc: 'max-age=60', ...more })
const write = (method, status = 200, fields = {}, more = {}) => asked({ method, plan: res(fields, { status }), body: ['DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'].includes(method) ? undefined : 'x', status, ...more })
const HOST = 'conformance.test'
/** A page named by the answer to a write to `/`, below which it lies; `i` is the case's number, which is in its path. */
const named = (field, value, { stays = false, status = 201, at = '/' } = {}, i) => [fill(page(), { at: '/p' }),
  write('POST', status, { [field]: value(`/invalidation/${i}`) }, { at }), (stays ? hit : miss)({ at: '/p', plan: page() })]

const rows = []
const add = (make, section, title, steps) => rows.push(make(section, title, ...(typeof steps === 'function' ? steps(rows.length + 1) : steps)))

for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'MOVE', 'PROPPATCH', 'MKCOL', 'LOCK', 'PURGE']) {
  add(must, 'RFC 9111 §4.4', `${method} invalidates its target`, [fill(page()), write(method), miss({ plan: page() })])
}
for (const status of [201, 202, 204, 301, 303, 307]) {
  add(must, 'RFC 9111 §4.4', `POST with ${status} invalidates`, [fill(page()), write('POST', status), miss({ plan: page() })])
}
for (const status of [400, 403, 404, 409, 412, 500, 503]) {
  add(optimal, 'RFC 9111 §4.4', `POST with ${status} does not`, [fill(page()), write('POST', status), hit({ plan: page(), nth: 1 })])
}
add(optimal, 'RFC 9111 §4.4', 'POST without an answer does not', [fill(page()), asked({ method: 'POST', body: 'x', plan: res({}, { down: true }) }), hit({ plan: page(), text: undefined, nth: 1 })])
for (const method of ['HEAD', 'OPTIONS']) {
  add(optimal, 'RFC 9111 §4.4', `${method} does not`, [fill(page()), any({ method }), hit({ nth: 1 })])
}
add(must, 'RFC 9111 §4.4', 'all variants', [fill(page({ Vary: 'X-A' }), { fields: { 'X-A': '1' } }), fill(page({ Vary: 'X-A' }), { fields: { 'X-A': '2' } }),
  write('POST'), miss({ plan: page({ Vary: 'X-A' }), fields: { 'X-A': '1' } }), miss({ fields: { 'X-A': '2' } })])
add(must, 'RFC 9111 §4.4', 'what stands under another Authorization too', [fill(page({ cc: 'public, max-age=60' }), { fields: { Authorization: 'a' } }), write('POST'), miss({ plan: page() })])
add(must, 'RFC 9111 §4.4', 'with its query', [fill(page(), { at: '?a=1' }), write('POST', 200, {}, { at: '?a=1' }), miss({ plan: page(), at: '?a=1' })])
add(optimal, 'RFC 9111 §4.4', 'not what has another query', [fill(page(), { at: '?a=1' }), write('POST', 200, {}, { at: '?a=2' }), hit({ at: '?a=1' })])
add(optimal, 'RFC 9111 §4.4', 'not what lies below', [fill(page(), { at: '/below' }), write('POST'), hit({ at: '/below' })])
add(must, 'RFC 9111 §4.4', 'not for stale-while-revalidate', [fill(page({ cc: 'max-age=60, stale-while-revalidate=60' })), write('POST'), miss({ plan: page() })])
add(must, 'RFC 9111 §4.4', 'a stored part too', [asked({ plan: res({ cc: 'max-age=60', ETag: '"1"' }, { body: 'abcdefgh', ranges: true }), fields: { Range: 'bytes=0-3' } }),
  write('POST'), asked({ plan: res({ cc: 'max-age=60', ETag: '"1"' }, { body: 'abcdefgh', ranges: true }), fields: { Range: 'bytes=0-3' } })])
add(optimal, 'RFC 9111 §4.4', 'what comes after is stored', [fill(page()), write('POST'), miss({ plan: page() }), hit()])
for (const field of ['Location', 'Content-Location']) {
  add(optimal, 'RFC 9111 §4.4', `${field}: a path`, (i) => named(field, (base) => `${base}/p`, {}, i))
  add(optimal, 'RFC 9111 §4.4', `${field}: an address`, (i) => named(field, (base) => `http://${HOST}${base}/p`, {}, i))
  add(optimal, 'RFC 9111 §4.4', `${field}: relative`, (i) => named(field, () => 'p', {}, i))
  add(optimal, 'RFC 9111 §4.4', `${field}: with dots and a fragment`, (i) => named(field, (base) => `${base}/x/../p#top`, {}, i))
  // A client may choose where a redirect leads.
  add(optimal, 'RFC 9111 §4.4', `${field} of a redirect is left alone`, (i) => named(field, (base) => `${base}/p`, { stays: true, status: 303 }, i))
  add(optimal, 'RFC 9111 §4.4', `${field} beside the target is left alone`, (i) => named(field, (base) => `${base}/p`, { stays: true, at: '/w' }, i))
  add(must, 'RFC 9111 §4.4', `${field}: another host's is left alone`, (i) => [fill(page(), { at: '/p', host: 'other-conformance.test' }),
    write('POST', 201, { [field]: `http://other-conformance.test/invalidation/${i}/p` }, { at: '/' }), hit({ at: '/p', host: 'other-conformance.test' })])
  add(must, 'RFC 9111 §4.4', `${field}: another port is another origin`, (i) => named(field, (base) => `http://${HOST}:8080${base}/p`, { stays: true }, i))
  add(optimal, 'RFC 9111 §4.4', `${field} of a failure invalidates nothing`, (i) => [fill(page(), { at: '/p' }), write('POST', 500, { [field]: `/invalidation/${i}/p` }, { at: '/w' }), hit({ at: '/p' })])
  add(optimal, 'RFC 9111 §4.4', `${field} of a GET invalidates nothing`, (i) => [fill(page(), { at: '/p' }), fill(res({ [field]: `/invalidation/${i}/p` }), { at: '/w' }), hit({ at: '/p' })])
  add(must, 'RFC 9111 §4.4', `${field} that is no address does no harm`, [fill(page()), write('POST', 200, { [field]: 'http://[' }), miss({ plan: page() })])
}

// RFC 9875
const group = (value, more) => page({ 'Cache-Groups': value, ...more })
const groups = (title, stored, invalid, goes, { make = goes ? optimal : must, host, method = 'POST', status = 200, where = '/w' } = {}) =>
  add(make, 'RFC 9875 §3', title, (i) => {
    const fill_in = (value) => [value].flat().map((v) => v?.replaceAll('G', `g${i}`))
    return [fill(group(fill_in(stored)), { at: '/p' }), asked({ method, at: where, host, body: method === 'POST' ? 'x' : undefined, status, plan: res({ 'Cache-Group-Invalidation': fill_in(invalid) }, { status }) }),
      (goes ? miss : hit)({ at: '/p' })]
  })
groups('one group', '"G"', '"G"', true)
groups('one of several', '"x", "G", "y"', '"G"', true)
groups('several named', '"G"', '"other", "G"', true)
groups('in two lines', ['"x"', '"G"'], '"G"', true)
groups('named in two lines', '"G"', ['"other"', '"G"'], true)
groups('with parameters, which are ignored', '"G";x=1', '"G";y', true)
groups('another group', '"G"', '"Gx"', false)
groups('case counts', '"Ga"', '"GA"', false)
groups('tokens are no strings', 'G', 'G', false)
groups('a syntax error is nothing', '"G"', '"G", ', false)
groups('of another host', '"G"', '"G"', false, { host: 'other-conformance.test' })
groups('from a GET', '"G"', '"G"', false, { method: 'GET' })
add(leftOutBecause('a write would have to look up what is stored of its target'), 'RFC 9875 §2.2', 'a page invalidated by a write takes its group along', (i) => [fill(group(`"z${i}"`), { at: '/p' }), fill(group(`"z${i}"`), { at: '/q' }),
  write('POST', 200, {}, { at: '/q' }), asked({ at: '/p' })])

// Methods
add(optimal, 'RFC 9111 §4', 'HEAD from a stored GET', [fill(page({ 'X-A': '1' }, {})), hit({ method: 'HEAD', status: 200, has: { 'x-a': '1', age: /^\d+$/, 'content-length': /^[1-9]/ } })])
add(must, 'RFC 9110 §9.3.2', 'HEAD has no body', [any({ plan: page(), method: 'HEAD', status: 200 })])
add(must, 'RFC 9111 §3', 'what HEAD brings is not the answer to GET', [any({ plan: page(), method: 'HEAD', status: 200 }), any({ status: 200, check: (answer) => answer.body.length === 0 && 'an empty body' })])
add(optimal, 'RFC 9111 §4.3.5', 'HEAD that tells the same renews', [fill(res({ cc: 'max-age=1', ETag: '"1"' })), wait(2.2), any({ method: 'HEAD', plan: res({ cc: 'max-age=60', ETag: '"1"', 'X-New': '1' }), status: 200 }), hit({ nth: 1, has: { 'x-new': '1' } })])
add(optimal, 'RFC 9111 §4.3.5', 'HEAD that tells another ETag makes it stale', [fill(page({ ETag: '"1"' })),
  asked({ method: 'HEAD', fields: { cc: 'no-cache' }, plan: page({ ETag: '"2"' }), status: 200 }), asked()])
add(optimal, 'RFC 9111 §4.3.5', 'HEAD that tells another length makes it stale', [fill(res({ cc: 'max-age=60' }, { body: 'abc' })),
  asked({ method: 'HEAD', fields: { cc: 'no-cache' }, plan: res({ cc: 'max-age=60' }, { body: 'abcdef' }), status: 200 }), asked({ text: 'abcdef' })])
add(must, 'RFC 9110 §9.3.7', 'OPTIONS is not stored', [write('OPTIONS', 200, { cc: 'max-age=60' }), asked({ method: 'OPTIONS', status: 200, sentMethod: 'OPTIONS' })])
add(must, 'RFC 9111 §4', 'OPTIONS does not get the stored GET', [fill(page()), asked({ method: 'OPTIONS', sentMethod: 'OPTIONS' })])
for (const method of ['PROPFIND', 'REPORT', 'SEARCH', 'COPY', 'MERGE', 'NOTIFY', 'SUBSCRIBE', 'UNLOCK', 'MKACTIVITY']) {
  add(must, 'RFC 9110 §9', `${method} is not taken for GET`, [fill(page()), write(method, 200, { cc: 'max-age=60' }, { sentMethod: method }), asked({ method, sentMethod: method })])
}
add(must, 'RFC 9111 §4', 'PUT, DELETE and PATCH reach the origin each time', ['PUT', 'DELETE', 'PATCH', 'PUT', 'DELETE', 'PATCH'].map((method) => write(method, 200, { cc: 'max-age=60' }, { sentMethod: method })))
add(must, 'RFC 9111 §4', 'POST is not answered from a stored GET', [fill(page()), write('POST', 200, { cc: 'max-age=60' }, { sentMethod: 'POST' })])
add(must, 'RFC 9110 §9.3.3', 'POST with max-age is not answered from itself', [write('POST', 200, { cc: 'max-age=60' }), write('POST', 200, { cc: 'max-age=60' })])
add(must, 'RFC 9110 §9.3.3', 'POST with max-age is no answer to GET', [write('POST', 200, { cc: 'max-age=60' }), asked()])
add(leftOutBecause('answers to writes are for who wrote'), 'RFC 9110 §9.3.3', 'POST with max-age and its own Content-Location answers GET', (i) => [write('POST', 200, { cc: 'max-age=60', 'Content-Location': `/invalidation/${i}` }), hit()])
add(must, 'RFC 9110 §9.3.3', 'the body of a POST arrives', [write('POST', 200, {}, { body: 'one two', check: (_, seen) => seen.body.toString() !== 'one two' && `body ${seen.body}` })])
add(must, 'RFC 9110 §9.3.3', 'the answer to a POST arrives', [write('POST', 201, { Location: '/x', 'X-A': ['1', '2'] }, { has: { location: '/x', 'x-a': ['1', '2'] } })])
add(optimal, 'RFC 9110 §9.3.1', 'GET with a body gets its answer', [fill(page()), any({ body: 'x', status: 200 }), any({ status: 200, nth: 1 })])

export default rows
