// Invalid settings are never applied in part: nothing is cached, and requests are passed to the origin, unless the
// origin itself is uncertain.

import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'
import { until } from './wire.mjs'

// error, settings, path of the field that the log contains
const passingFaults = [
  ['wrong type in a rule', { rules: [{ host: '*', path: '*', edge_ttl: 'long' }] }, 'rules[0].edge_ttl'],
  ['unknown field in the second rule', { rules: [{ path: '/a' }, { path: '/b', edge_ttll: 5 }] }, 'edge_ttll'],
  ['invalid value of query', { rules: [{ path: '*', query: 'some' }] }, 'rules[0].query'],
  ['wrong type in the defaults', { defaults: { drop_tracking: 'yes' } }, 'defaults.drop_tracking'],
  ['invalid field name', { rules: [{ path: '*', key_headers: ['no name'] }] }, 'rules[0].key_headers'],
  ['max_purge_lag out of bounds', { max_purge_lag: 0 }, 'max_purge_lag'],
  ['key without a secret', { keys: [{ name: 'cms' }] }, 'keys[0]'],
]
const refusedFaults = [
  ['unknown top-level field', { max_purge_lagg: 5 }, 'max_purge_lagg'],
  ['origin that is not a URL', { origins: { 'shop.test': 'not a url' } }, 'origins'],
]

describe('invalid settings', { concurrency: 2 }, () => {
  for (const [check, faults, outcome] of [[checkPassing, passingFaults, 'requests bypass the cache'], [checkRefusal, refusedFaults, 'requests are refused']]) {
    for (const [name, rules, field] of faults) {
      it(`${name}: ${outcome}`, { timeout: 30_000 }, async () => {
        const stand = await Stand.start({ rules })
        try {
          await check(stand, field)
          const isLogged = () => stand.raw.some((line) => line.includes(field))
          assert.ok(await until(isLogged, 1_000), `the log does not contain ${field}:\n${stand.raw.join('\n')}`)
        } finally {
          await stand.stop()
        }
      })
    }
  }
})

/** Each request is passed to the origin; orders are refused. */
async function checkPassing(stand, field) {
  const host = 'config.test'
  stand.origin.on(host, '*', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'page' })
  for (const cookie of ['session=one', 'session=two']) {
    const answer = await stand.get(host, '/a', [['Cookie', cookie]])
    assert.deepEqual([answer.status, answer.text], [200, 'page'], String(answer))
    assert.match(answer.field('cache-status'), /^edgekeep; fwd=bypass; fwd-status=200; detail=misconfigured$/)
    assert.equal(stand.origin.requests(host, '/a').at(-1).field('cookie'), cookie)
  }
  const written = await stand.send({ host, method: 'POST', path: '/a', body: 'x' })
  assert.deepEqual([written.status, written.text], [200, 'page'], String(written))
  assert.equal(stand.origin.requests(host, '/a').length, 3)
  const order = await stand.purge(host, { hosts: [host] })
  assert.equal(order.status, 503, String(order))
  assert.match(order.field('content-type'), /^application\/problem\+json/)
  assert.equal(JSON.parse(order.text).title, 'Misconfigured')
  assert.ok(!order.text.includes(field), `the response shows the settings to the client:\n${order}`)
}

/** The origin is uncertain: every request gets a 500. */
async function checkRefusal(stand, field) {
  const host = 'config.test'
  stand.origin.on(host, '*', { status: 200, fields: [['Cache-Control', 'max-age=60']], body: 'page' })
  const answers = [
    await stand.get(host, '/a'),
    await stand.get(host, '/a'),
    await stand.send({ host, method: 'POST', path: '/a', body: 'x' }),
    await stand.purge(host, { hosts: [host] }),
  ]
  for (const answer of answers) {
    assert.equal(answer.status, 500, String(answer))
    assert.match(answer.field('content-type') ?? '', /^text\/plain/, String(answer))
    assert.ok(!answer.text.includes(field), `the response shows the settings to the client:\n${answer}`)
  }
  assert.equal(stand.origin.count, 0, 'a request reached the origin')
}
