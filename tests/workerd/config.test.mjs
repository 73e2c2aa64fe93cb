// A configuration that cannot be understood is never half applied.

import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'
import { until } from './wire.mjs'

// what is wrong, the table, the path of the field that the log names
const faults = [
  ['a wrong type in a rule', { rules: [{ host: '*', path: '*', edge_ttl: 'long' }] }, 'rules[0].edge_ttl'],
  ['an unknown field in the second rule', { rules: [{ path: '/a' }, { path: '/b', edge_ttll: 5 }] }, 'edge_ttll'],
  ['a wrong query recipe', { rules: [{ path: '*', query: 'some' }] }, 'rules[0].query'],
  ['an unknown field at the top', { max_purge_lagg: 5 }, 'max_purge_lagg'],
  ['a wrong type in the defaults', { defaults: { drop_tracking: 'yes' } }, 'defaults.drop_tracking'],
  ['a field name that is none', { rules: [{ path: '*', key_headers: ['no name'] }] }, 'rules[0].key_headers'],
  ['an origin that is no URL', { origins: { 'shop.test': 'not a url' } }, 'origins'],
]

describe('a bad configuration', { concurrency: 2 }, () => {
  for (const [name, rules, field] of faults) {
    it(name, { timeout: 30_000 }, async () => {
      const stand = await Stand.start({ rules })
      try {
        await checkRefusal(stand, field)
      } finally {
        await stand.stop()
      }
    })
  }
})

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
    assert.ok(!answer.text.includes(field), `the client is not told about the configuration:\n${answer}`)
  }
  assert.equal(stand.origin.count, 0, 'nothing reaches the origin')
  const named = () => stand.raw.some((line) => line.includes(field))
  assert.ok(await until(named, 1_000), `the log does not name ${field}:\n${stand.raw.join('\n')}`)
}
