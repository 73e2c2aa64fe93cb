// RFC 9111 §4.4 (invalidation), RFC 9875 (Cache-Groups), and methods: RFC 9110 §9, RFC 9111 §4.3.5 (HEAD).

import { any, asked, fill, hit, leftOut, miss, must, optimal, res, wait } from './play.mjs'

const leftOutBecause = (why) => (...row) => leftOut(why, optimal(...row))

const page = (more) => res({ cc: 'max-age=60', ...more })
const write = (method, status = 200, fields = {}, more = {}) => asked({ method, plan: res(fields, { status }), body: ['DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'].includes(method) ? undefined : 'x', status, ...more })
const HOST = 'conformance.test'
/** A page below `/` that a field of the response to a write to `/` refers to; `i` is the case's number, which is in its path. */
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
  add(optimal, 'RFC 9111 §4.4', `POST with ${status} does not invalidate`, [fill(page()), write('POST', status), hit({ plan: page(), nth: 1 })])
}
add(optimal, 'RFC 9111 §4.4', 'POST without a response does not invalidate', [fill(page()), asked({ method: 'POST', body: 'x', plan: res({}, { down: true }) }), hit({ plan: page(), text: undefined, nth: 1 })])
for (const method of ['HEAD', 'OPTIONS']) {
  add(optimal, 'RFC 9111 §4.4', `${method} does not invalidate`, [fill(page()), any({ method }), hit({ nth: 1 })])
}
add(must, 'RFC 9111 §4.4', 'POST invalidates all variants', [fill(page({ Vary: 'X-A' }), { fields: { 'X-A': '1' } }), fill(page({ Vary: 'X-A' }), { fields: { 'X-A': '2' } }),
  write('POST'), miss({ plan: page({ Vary: 'X-A' }), fields: { 'X-A': '1' } }), miss({ fields: { 'X-A': '2' } })])
add(must, 'RFC 9111 §4.4', 'POST invalidates a response to a request with Authorization', [fill(page({ cc: 'public, max-age=60' }), { fields: { Authorization: 'a' } }), write('POST'), miss({ plan: page() })])
add(must, 'RFC 9111 §4.4', 'POST invalidates the target with its query', [fill(page(), { at: '?a=1' }), write('POST', 200, {}, { at: '?a=1' }), miss({ plan: page(), at: '?a=1' })])
add(optimal, 'RFC 9111 §4.4', 'POST does not invalidate a target with another query', [fill(page(), { at: '?a=1' }), write('POST', 200, {}, { at: '?a=2' }), hit({ at: '?a=1' })])
add(optimal, 'RFC 9111 §4.4', 'POST does not invalidate paths below its target', [fill(page(), { at: '/below' }), write('POST'), hit({ at: '/below' })])
add(must, 'RFC 9111 §4.4', 'an invalidated response is not served by stale-while-revalidate', [fill(page({ cc: 'max-age=60, stale-while-revalidate=60' })), write('POST'), miss({ plan: page() })])
add(must, 'RFC 9111 §4.4', 'POST invalidates a stored part', [asked({ plan: res({ cc: 'max-age=60', ETag: '"1"' }, { body: 'abcdefgh', ranges: true }), fields: { Range: 'bytes=0-3' } }),
  write('POST'), asked({ plan: res({ cc: 'max-age=60', ETag: '"1"' }, { body: 'abcdefgh', ranges: true }), fields: { Range: 'bytes=0-3' } })])
add(optimal, 'RFC 9111 §4.4', 'the response after a POST is stored', [fill(page()), write('POST'), miss({ plan: page() }), hit()])
for (const field of ['Location', 'Content-Location']) {
  add(optimal, 'RFC 9111 §4.4', `${field} with a path invalidates`, (i) => named(field, (base) => `${base}/p`, {}, i))
  add(optimal, 'RFC 9111 §4.4', `${field} with an absolute URL invalidates`, (i) => named(field, (base) => `http://${HOST}${base}/p`, {}, i))
  add(optimal, 'RFC 9111 §4.4', `${field} with a relative reference invalidates`, (i) => named(field, () => 'p', {}, i))
  add(optimal, 'RFC 9111 §4.4', `${field} with dot segments and a fragment invalidates`, (i) => named(field, (base) => `${base}/x/../p#top`, {}, i))
  // The target of a redirect may be chosen by the client.
  add(optimal, 'RFC 9111 §4.4', `${field} of a redirect invalidates nothing`, (i) => named(field, (base) => `${base}/p`, { stays: true, status: 303 }, i))
  add(optimal, 'RFC 9111 §4.4', `${field} not below the target invalidates nothing`, (i) => named(field, (base) => `${base}/p`, { stays: true, at: '/w' }, i))
  add(must, 'RFC 9111 §4.4', `${field} with another host invalidates nothing`, (i) => [fill(page(), { at: '/p', host: 'other-conformance.test' }),
    write('POST', 201, { [field]: `http://other-conformance.test/invalidation/${i}/p` }, { at: '/' }), hit({ at: '/p', host: 'other-conformance.test' })])
  add(must, 'RFC 9111 §4.4', `${field} with another port invalidates nothing`, (i) => named(field, (base) => `http://${HOST}:8080${base}/p`, { stays: true }, i))
  add(optimal, 'RFC 9111 §4.4', `${field} of a 500 invalidates nothing`, (i) => [fill(page(), { at: '/p' }), write('POST', 500, { [field]: `/invalidation/${i}/p` }, { at: '/w' }), hit({ at: '/p' })])
  add(optimal, 'RFC 9111 §4.4', `${field} of a GET invalidates nothing`, (i) => [fill(page(), { at: '/p' }), fill(res({ [field]: `/invalidation/${i}/p` }), { at: '/w' }), hit({ at: '/p' })])
  add(must, 'RFC 9111 §4.4', `${field} with an invalid URL causes no error`, [fill(page()), write('POST', 200, { [field]: 'http://[' }), miss({ plan: page() })])
}

// RFC 9875
const group = (value, more) => page({ 'Cache-Groups': value, ...more })
const groups = (title, stored, invalid, goes, { make = goes ? optimal : must, host, method = 'POST', status = 200, where = '/w' } = {}) =>
  add(make, 'RFC 9875 §3', title, (i) => {
    const fill_in = (value) => [value].flat().map((v) => v?.replaceAll('G', `g${i}`))
    return [fill(group(fill_in(stored)), { at: '/p' }), asked({ method, at: where, host, body: method === 'POST' ? 'x' : undefined, status, plan: res({ 'Cache-Group-Invalidation': fill_in(invalid) }, { status }) }),
      (goes ? miss : hit)({ at: '/p' })]
  })
groups('equal group is invalidated', '"G"', '"G"', true)
groups('one of several stored groups is invalidated', '"x", "G", "y"', '"G"', true)
groups('several groups in one invalidation', '"G"', '"other", "G"', true)
groups('Cache-Groups in two lines', ['"x"', '"G"'], '"G"', true)
groups('Cache-Group-Invalidation in two lines', '"G"', ['"other"', '"G"'], true)
groups('parameters are ignored', '"G";x=1', '"G";y', true)
groups('another group is not invalidated', '"G"', '"Gx"', false)
groups('groups are case-sensitive', '"Ga"', '"GA"', false)
groups('tokens are not strings', 'G', 'G', false)
groups('a syntax error invalidates nothing', '"G"', '"G", ', false)
groups('a group of another host is not invalidated', '"G"', '"G"', false, { host: 'other-conformance.test' })
groups('a GET invalidates no group', '"G"', '"G"', false, { method: 'GET' })
add(leftOutBecause('a write would have to look up the stored response of its target'), 'RFC 9875 §2.2', 'a write that invalidates a page invalidates its group', (i) => [fill(group(`"z${i}"`), { at: '/p' }), fill(group(`"z${i}"`), { at: '/q' }),
  write('POST', 200, {}, { at: '/q' }), asked({ at: '/p' })])

// Methods
add(optimal, 'RFC 9111 §4', 'HEAD is served from a stored GET response', [fill(page({ 'X-A': '1' }, {})), hit({ method: 'HEAD', status: 200, has: { 'x-a': '1', age: /^\d+$/, 'content-length': /^[1-9]/ } })])
add(must, 'RFC 9110 §9.3.2', 'HEAD has no body', [any({ plan: page(), method: 'HEAD', status: 200 })])
add(must, 'RFC 9111 §3', 'a HEAD response is not served for GET', [any({ plan: page(), method: 'HEAD', status: 200 }), any({ status: 200, check: (answer) => answer.body.length === 0 && 'an empty body' })])
add(optimal, 'RFC 9111 §4.3.5', 'HEAD with the same ETag freshens the stored response', [fill(res({ cc: 'max-age=1', ETag: '"1"' })), wait(2.2), any({ method: 'HEAD', plan: res({ cc: 'max-age=60', ETag: '"1"', 'X-New': '1' }), status: 200 }), hit({ nth: 1, has: { 'x-new': '1' } })])
add(optimal, 'RFC 9111 §4.3.5', 'HEAD with another ETag makes the stored response stale', [fill(page({ ETag: '"1"' })),
  asked({ method: 'HEAD', fields: { cc: 'no-cache' }, plan: page({ ETag: '"2"' }), status: 200 }), asked()])
add(optimal, 'RFC 9111 §4.3.5', 'HEAD with another length makes the stored response stale', [fill(res({ cc: 'max-age=60' }, { body: 'abc' })),
  asked({ method: 'HEAD', fields: { cc: 'no-cache' }, plan: res({ cc: 'max-age=60' }, { body: 'abcdef' }), status: 200 }), asked({ text: 'abcdef' })])
add(must, 'RFC 9110 §9.3.7', 'OPTIONS is not stored', [write('OPTIONS', 200, { cc: 'max-age=60' }), asked({ method: 'OPTIONS', status: 200, sentMethod: 'OPTIONS' })])
add(must, 'RFC 9111 §4', 'OPTIONS is not served from a stored GET response', [fill(page()), asked({ method: 'OPTIONS', sentMethod: 'OPTIONS' })])
for (const method of ['PROPFIND', 'REPORT', 'SEARCH', 'COPY', 'MERGE', 'NOTIFY', 'SUBSCRIBE', 'UNLOCK', 'MKACTIVITY']) {
  add(must, 'RFC 9110 §9', `${method} is not treated as GET`, [fill(page()), write(method, 200, { cc: 'max-age=60' }, { sentMethod: method }), asked({ method, sentMethod: method })])
}
add(must, 'RFC 9111 §4', 'PUT, DELETE and PATCH are forwarded each time', ['PUT', 'DELETE', 'PATCH', 'PUT', 'DELETE', 'PATCH'].map((method) => write(method, 200, { cc: 'max-age=60' }, { sentMethod: method })))
add(must, 'RFC 9111 §4', 'POST is not served from a stored GET response', [fill(page()), write('POST', 200, { cc: 'max-age=60' }, { sentMethod: 'POST' })])
add(must, 'RFC 9110 §9.3.3', 'POST is not served from a stored POST response', [write('POST', 200, { cc: 'max-age=60' }), write('POST', 200, { cc: 'max-age=60' })])
add(must, 'RFC 9110 §9.3.3', 'a POST response with max-age is not served for GET', [write('POST', 200, { cc: 'max-age=60' }), asked()])
add(leftOutBecause('responses to writes are only for their client'), 'RFC 9110 §9.3.3', 'a POST response with max-age and its own Content-Location is served for GET', (i) => [write('POST', 200, { cc: 'max-age=60', 'Content-Location': `/invalidation/${i}` }), hit()])
add(must, 'RFC 9110 §9.3.3', 'the body of a POST is forwarded', [write('POST', 200, {}, { body: 'one two', check: (_, seen) => seen.body.toString() !== 'one two' && `body ${seen.body}` })])
add(must, 'RFC 9110 §9.3.3', 'the response to a POST is forwarded', [write('POST', 201, { Location: '/x', 'X-A': ['1', '2'] }, { has: { location: '/x', 'x-a': ['1', '2'] } })])
add(optimal, 'RFC 9110 §9.3.1', 'GET with a body gets a response', [fill(page()), any({ body: 'x', status: 200 }), any({ status: 200, nth: 1 })])

export default rows
