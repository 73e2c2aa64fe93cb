// A short replay of a real log: every body is correct, and the three counts of hits agree.

import { it } from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { bounds, normalize, parseLog } from '../../scripts/replay/log.mjs'

const SCRIPT = fileURLToPath(new URL('../../scripts/replay.mjs', import.meta.url))
const SAMPLE = fileURLToPath(new URL('../data/blog-access-sample.tsv', import.meta.url))

it('replay of 200 rows gets no wrong body', { timeout: 120_000 }, async (t) => {
  const run = promisify(execFile)(process.execPath, [SCRIPT, '--limit', '200'])
  const { stdout } = await run.catch((error) => assert.fail(`${error.message}\n${error.stdout}\n${error.stderr}`))
  assert.match(stdout, /^wrong bodies: +0$/m, stdout)
  assert.match(stdout, /agree\.$/m, stdout)
  for (const line of stdout.split('\n').filter((line) => /^(hits|bound|origin requests)/.test(line))) t.diagnostic(line)
})

it('bounds count every GET and HEAD except the first of its target', () => {
  const head = 'seconds\tclient\tmethod\ttarget\tstatus\tbytes\tuser_agent'
  const row = (method, target) => `0\t1\t${method}\t${target}\t200\t10\t-`
  const text = [head, row('GET', '/a'), row('HEAD', '/a'), row('POST', '/a'), row('GET', '/a?utm_source=x'), row('GET', '/a?b=1&a=1'), row('GET', '/a?a=1&b=1')]
  assert.deepEqual(bounds(parseLog(text.join('\n'), 'x')), { reads: 5, raw: 1, normalized: 3 })
  assert.equal(normalize('/%7Ea%2fb?utm_medium=1'), '/~a%2Fb')
})

it('log that cannot be parsed is refused with the line', () => {
  const text = readFileSync(SAMPLE, 'utf8').split('\n').slice(0, 3)
  assert.throws(() => parseLog('a\tb', 'x'), /x:1: expected the columns/)
  assert.throws(() => parseLog([...text, 'broken'].join('\n'), 'x'), /x:4: cannot read this line/)
})
