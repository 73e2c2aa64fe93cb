// The parser of the stories: what each instruction means, and that an unknown line is an error.

import { it } from 'node:test'
import assert from 'node:assert/strict'
import { merge, parseStory } from './story.mjs'

const parse = (text) => parseStory(text, '/stories/trial.story')
const one = (line) => parse(line).steps[0]

it('rule lines of one glob form one rule', () => {
  const { rules } = parse('rule edge_ttl = 5\nrule /a* query = {allow = ["x"]}\nrule kv = false')
  assert.deepEqual(rules, [
    { host: 'trial.test', path: '*', edge_ttl: 5, kv: false },
    { host: 'trial.test', path: '/a*', query: { allow: ['x'] } },
  ])
})

it('origin and backup lines set plans', () => {
  // line, its plan
  const rows = [
    ['origin /a 200', { status: 200, slow: 0, cut: false, fields: [], body: '' }],
    ['origin /a 200 | one | two', { status: 200, slow: 0, cut: false, fields: [], body: 'one | two' }],
    ['origin /a?x=1 slow=0.5 cut 404 max-age=2, private; ETag: "v1"; Content-Type: text/html;charset=utf-8 | body', {
      status: 404, slow: 0.5, cut: true, body: 'body',
      fields: [['Cache-Control', 'max-age=2, private'], ['ETag', '"v1"'], ['Content-Type', 'text/html;charset=utf-8']],
    }],
    ['origin /a down', { down: true }],
    ['origin /a hang', { hang: true }],
    ['origin /a next=2 down', { down: true }],
    ['backup /a 200 | spare', { status: 200, slow: 0, cut: false, fields: [], body: 'spare' }],
  ]
  for (const [line, plan] of rows) assert.deepEqual(one(line).plan, plan, line)
  const { next, at, plan } = one('backup /a next=3 slow=1 503 | sorry')
  assert.deepEqual([next, at, plan.slow, plan.status], [3, 'backup', 1, 503])
  assert.deepEqual([one('origin /a 200').next, one('origin /a 200').at], [undefined, undefined])
  assert.deepEqual([one('asked /a 2').at, one('asked backup /a 2').at, one('asked backup /a 2').times], [undefined, 'backup', 2])
})

it('setting lines are merged into one object', () => {
  const { settings } = parse('setting protection.max_requests = 2\nsetting protection.queue_timeout = 1\nsetting origin_deadline = 3')
  assert.deepEqual(settings, { protection: { max_requests: 2, queue_timeout: 1 }, origin_deadline: 3 })
  assert.deepEqual(merge({ a: { b: 1, c: 2 }, d: [1] }, { a: { c: 3 }, d: [2] }), { a: { b: 1, c: 3 }, d: [2] })
})

it('expected responses have a status, a body and words about Cache-Status', () => {
  // line, expected
  const rows = [
    ['get /a -> 200', { status: 200, body: undefined, words: [] }],
    ['get /a -> 200 -', { status: 200, body: '', words: [] }],
    ['get /a -> 200 one two # hit !stored ttl=5', { status: 200, body: 'one two', words: ['hit', '!stored', 'ttl=5'] }],
    ['get /a -> 304 # fwd=stale', { status: 304, body: undefined, words: ['fwd=stale'] }],
    ['finish slow -> 502 x', { status: 502, body: 'x', words: [] }],
  ]
  for (const [line, expected] of rows) assert.deepEqual(one(line).expected, expected, line)
})

it('request lines have a method, a target, fields and a body', () => {
  assert.deepEqual(one('propfind /a X-A: 1; Cookie: a=1;b=2 -> 200').request, {
    method: 'PROPFIND', target: '/a', fields: [['X-A', '1'], ['Cookie', 'a=1;b=2']],
  })
  assert.deepEqual(one('request get /a -> 501').request, { method: 'get', target: '/a', fields: [] })
  assert.deepEqual(one('post /a X-A: 1 | {"a": "b; c"} -> 200').request, { method: 'POST', target: '/a', fields: [['X-A', '1']], body: '{"a": "b; c"}' })
  assert.deepEqual(one('start slow get /a X-A: 1').request, { method: 'GET', target: '/a', fields: [['X-A', '1']] })
})

it('purge lines have an id, a key, a proof and an expected receipt', () => {
  const step = one('purge id=one forged {"files": ["https://$host/a"]} -> 401')
  assert.deepEqual([step.id, step.by, step.how, step.json, step.expected.status], ['one', undefined, 'forged', '{"files": ["https://$host/a"]}', 401])
  assert.deepEqual(one('purge {"hosts": ["$host"]} -> 200 # same').expected, { status: 200, receipt: 'same' })
  const { by, how, json } = one('purge by=editor ed25519 {} -> 200')
  assert.deepEqual([by, how, json], ['editor', 'ed25519', '{}'])
})

it('key and cascade lines become settings', () => {
  const { keys, cascades } = parse('key editor may = {hosts = ["$host"]}\nkey editor admin = true\nkey free\ncascade a:* = ["b", "c"]')
  assert.deepEqual(keys, [
    { name: 'trial-editor', secret: 'STORY_TRIAL_EDITOR', may: { hosts: ['trial.test'] }, admin: true },
    { name: 'trial-free', secret: 'STORY_TRIAL_FREE' },
  ])
  assert.deepEqual(cascades, [{ tag: 'a:*', carries: ['b', 'c'] }])
})

it('indented lines are checks of the response above', () => {
  const [step] = parse('# a comment\n\nget /a -> 200\n  has ETag: "v1"\n  lacks Age\n\n  sent X-A: 1\n').steps
  assert.deepEqual(step.checks.map(({ verb, name, value }) => [verb, name, value]), [
    ['has', 'ETag', '"v1"'], ['lacks', 'Age', undefined], ['sent', 'X-A', '1'],
  ])
  const checks = parse('purge {} -> 200\n  json /hard ["tag:$host"]\n  nojson /soft').steps[0].checks
  assert.deepEqual(checks.map(({ verb, pointer, value }) => [verb, pointer, value]), [['json', '/hard', '["tag:$host"]'], ['nojson', '/soft', '']])
})

it('settings hold for the whole story, in any line', () => {
  const { rules, settings, steps } = parse('wait 1\nrule /a kv = false\nsetting origin_deadline = 3\nwait 2')
  assert.deepEqual([rules, settings], [[{ host: 'trial.test', path: '/a', kv: false }], { origin_deadline: 3 }])
  assert.deepEqual(steps.map(({ seconds }) => seconds), [1, 2])
})

it('line that cannot be parsed is an error with file and line', () => {
  const lines = [
    'gett -> 200', 'get a -> 200', 'get /a', 'get /a -> ok', 'get /a X-A -> 200', 'get /a -> 200 # HIT', 'origin /a', 'origin a 200',
    'origin /a soon 200', 'origin /a next=0 down', 'origin /a next= down', 'backup a 200', 'asked spare /a 1', 'setting a', 'setting A = 1', 'setting a = [', 'wait', 'wait long', 'evict all', 'at c', 'asked /a', 'asked /a twice', 'start get /a', 'start x get /a -> 200',
    'finish x', 'purge {} 200', 'purge {} -> 200 # old', 'ledger down', 'kv up', 'kv full', 'only native\nkv empty', 'only native\nledger slow=1', 'spoil kv', 'spoil kv somehow', 'spoil ledger cut', 'rule edge_ttl 5', 'rule edge_ttl = [', '  has ETag',
    'get /a -> 200\n  had ETag', 'get /a -> 200\n  lacks ETag: x', 'wait 1\nonly native', 'purge {} -> 200\n  sent X-A',
    'rule kv = true\nrule kv = false', 'key', 'key a may', 'key a may = [', 'cascade a ["b"]', 'get /a -> 200\n  json hard []',
    'get /a -> 200\n  json /hard', 'get /a -> 200\n  nojson /hard []', 'only natively', 'origin /a 200\n  has ETag',
  ]
  for (const line of lines) {
    assert.throws(() => parse(line), (error) => /^\/stories\/trial\.story:\d+: .+/.test(error.message), line)
  }
})
