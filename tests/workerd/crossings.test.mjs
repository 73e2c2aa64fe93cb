// A warm hit takes so many calls between JavaScript and wasm and no more, none of KV, the ledger or the origin; and the
// worker is so large. The numbers, and by how much each may grow, stand in tests/bench/recorded.json.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'smol-toml'
import { changes, hitCalls, sizes } from '../bench/exact.mjs'
import { ROOT } from '../../scripts/tools.mjs'

const build = join(ROOT, 'build')
const { compatibility_date: date, compatibility_flags: flags = [] } = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'))

test('a hit in the Cache API takes no more calls than recorded', async () => {
  const hit = await hitCalls({ build, compatibility: { date, flags } })
  assert.deepEqual({ kv: hit.kv, ledger: hit.ledger, origin: hit.origin }, { kv: 0, ledger: 0, origin: 0 })
  const { worse, better } = changes('crossings', { hit: hit.crossings })
  assert.deepEqual(worse, [], `The calls in order (< from wasm, > into it):\n${hit.calls.join('\n')}`)
  assert.deepEqual(better, [], 'Fewer than recorded: npm run bench -- --exact --record keeps it so.')
  // The counting itself sees something: wasm is entered, and calls out.
  assert.equal(hit.calls[0], '>fetch')
  assert.ok(hit.calls.some((name) => name.startsWith('<')))
})

test('the worker is no larger than recorded', () => {
  assert.deepEqual(changes('bytes', sizes(build)).worse, [])
})
