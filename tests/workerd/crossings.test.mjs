// Limits for the calls between JavaScript and wasm of a warm hit (none to KV, the ledger or the origin) and of a miss, and
// for the worker's size. tests/bench/recorded.json has the numbers and how much each may grow.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'smol-toml'
import { changes, hitCalls, missCalls, recorded, sizes } from '../bench/exact.mjs'
import { ROOT } from '../../scripts/tools.mjs'

const build = join(ROOT, 'build')
const { compatibility_date: date, compatibility_flags: flags = [] } = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'))

test('hit in the Cache API or in memory takes no more calls than recorded', async () => {
  const hit = await hitCalls({ build, compatibility: { date, flags } })
  const memory = await hitCalls({ build, compatibility: { date, flags }, tier: 'memory' })
  for (const { kv, ledger, origin } of [hit, memory]) assert.deepEqual({ kv, ledger, origin }, { kv: 0, ledger: 0, origin: 0 })
  const { miss } = recorded().crossings
  const { worse, better } = changes('crossings', { hit: hit.crossings, memory: memory.crossings, miss })
  assert.deepEqual(worse, [], `The calls in order (< from wasm, > into it):\n${[...hit.calls, '', ...memory.calls].join('\n')}`)
  assert.deepEqual(better, [], 'Fewer than recorded: record the new numbers by npm run bench -- --exact --record.')
  // The counter works: there are calls into wasm and out of it.
  for (const { calls } of [hit, memory]) {
    assert.ok(calls.includes('>fetch'))
    assert.ok(calls.some((name) => name.startsWith('<')))
  }
  // A hit in memory does not await a store.
  assert.ok(!memory.calls.includes('>completed'))
})

test('miss that is stored in the Cache API takes no more calls than recorded', async () => {
  const miss = await missCalls({ build, compatibility: { date, flags } })
  const { hit, memory } = recorded().crossings
  const { worse, better } = changes('crossings', { hit, memory, miss: miss.crossings })
  assert.deepEqual(worse, [], `The calls in order (< from wasm, > into it):\n${miss.calls.join('\n')}`)
  assert.deepEqual(better, [], 'Fewer than recorded: record the new numbers by npm run bench -- --exact --record.')
})

test('worker is no larger than recorded', () => {
  assert.deepEqual(changes('bytes', sizes(build)).worse, [])
})
