// The command `edgekeep` against the built worker, and against a server that fails by a script: output and exit codes.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Webhook } from 'standardwebhooks'
import { buildCommand, cratesOfWorker, runCommand, startCommand } from './command.mjs'
import { FOREIGN_SECRET, LAG_SECONDS, SECRET, Stand } from './stand.mjs'
import { until } from './wire.mjs'

const LIMIT = { timeout: 120_000 }
const TOKEN = `token_${'0123456789abcdef'.repeat(2)}`
const FEATURE_COMMANDS = ['check', 'explain', 'purge', 'warm', 'history', 'stats', 'secret new', 'probe', 'completions']

let path, folder
before(() => {
  path = buildCommand()
  folder = mkdtempSync(join(tmpdir(), 'edgekeep-command-'))
}, { timeout: 600_000 })
after(() => { if (folder) rmSync(folder, { recursive: true }) })

const file = (name, text) => {
  const whole = join(folder, name)
  writeFileSync(whole, text)
  return whole
}
const edgekeep = (args, options) => runCommand(path, args, options)
const text = ({ code, stdout, stderr }) => `exit code ${code}\n${stdout}\n${stderr}`

/** Checks the exit code, and that standard output and standard error match. */
async function check(args, options, code, stdout, stderr = /^$/) {
  const result = await edgekeep(args, options)
  assert.equal(result.code, code, `${args.join(' ')}\n${text(result)}`)
  assert.match(result.stdout, stdout, `${args.join(' ')}\n${text(result)}`)
  assert.match(result.stderr, stderr, `${args.join(' ')}\n${text(result)}`)
  return result
}

const RULES = `[vars.EDGEKEEP.defaults]
edge_ttl = 60
[[vars.EDGEKEEP.rules]]
path = "/search"
query = { allow = ["q", "page"] }
[[vars.EDGEKEEP.rules]]
path = "/private/*"
cache = false
`

const CHECKED = `FILE: the settings are right (2 rules).

https://a.test/search?page=2&q=%61&x=1
  may be cached, as https://a.test/search?page=2&q=a
  rules[0], /search:
    query = {"allow":["q","page"]}
  defaults:
    edge_ttl = 60
  all else: the defaults of docs/rules.md

https://a.test/private/x
  goes through whole (rule)
  rules[1], /private/*:
    cache = false
  defaults:
    edge_ttl = 60
  all else: the defaults of docs/rules.md
`

describe('without a site', () => {
  it('check prints what holds for each URL', LIMIT, async () => {
    const rules = file('rules.toml', RULES)
    const urls = ['https://a.test/search?page=2&q=%61&x=1', 'https://a.test/private/x']
    const { code, stdout, stderr } = await edgekeep(['check', rules, ...urls])
    assert.deepEqual([code, stdout, stderr], [0, CHECKED.replace('FILE', rules), ''])
  })

  it('check and explain name what is wrong in a file', LIMIT, async () => {
    const rules = file('rules.toml', RULES)
    const bad = file('bad.toml', RULES.replace('edge_ttl = 60', 'edge_ttl = "long"'))
    const other = file('other.toml', '[vars]\nOTHER = 1\n')
    const none = join(folder, 'none.toml')
    const field = /^\S+bad\.toml: \[vars\.EDGEKEEP\] defaults\.edge_ttl: invalid type: string, expected a whole number from 0\n$/
    await check(['check', bad], {}, 1, /^$/, field)
    await check(['explain', 'https://a.test/', '--rules', bad], {}, 1, /^$/, field)
    await check(['check', other], {}, 1, /^$/, /other\.toml: has no table \[vars\.EDGEKEEP\]\n$/)
    await check(['check', none], {}, 1, /^$/, /none\.toml: cannot be read: /)
    await check(['check', rules, 'nourl'], {}, 1, /the settings are right/, /^nourl is no URL: write it as https:/)
  })

  it('explain prints rule, key and changes, for people and as JSON', LIMIT, async () => {
    const rules = file('rules.toml', RULES)
    const args = ['explain', 'https://a.test/%73earch?x=1&q=%61', '--rules', rules, '--header', 'Accept-Language: de,en']
    const { stdout } = await check(args, {}, 0, /^https:\/\/a\.test\/%73earch\?x=1&q=%61\n  may be answered from the cache\n/)
    for (const line of ['    https://a.test/search?q=a', '    dropped: query x=1', '    decoded: path /%73earch -> /search', '    accept-language: de, en', '  rule: rules[0], /search', '    edge_ttl = 60  (defaults)']) {
      assert.ok(stdout.split('\n').includes(line), `${line}\n${stdout}`)
    }
    assert.ok(!stdout.includes('\x1b'), 'no colours where there is no terminal')
    const json = JSON.parse((await check([...args, '--json'], {}, 0, /^{.*}\n$/)).stdout)
    assert.equal(json.key.text, 'https://a.test/search?q=a')
    assert.deepEqual(json.expected, { result: 'lookup' })
    assert.deepEqual(json.key.changes[0], { part: 'path', what: 'decoded', from: '/%73earch', to: '/search' })
    const passed = JSON.parse((await check(['explain', 'https://a.test/private/x', '--rules', rules, '--json'], {}, 0, /^{/)).stdout)
    assert.deepEqual([passed.expected, passed.key], [{ result: 'pass', reason: 'rule' }, null])
  })

  it('wrong usage has exit code 2 and says what to do', LIMIT, async () => {
    const lines = file('lines.txt', '# pages\ntag:good\n\nfront\ntag:two words\n')
    const env = { EDGEKEEP_SITE: 'https://a.test', EDGEKEEP_SECRET: SECRET }
    const pem = file('public.pem', createPublicKey(privateKey()).export({ format: 'pem', type: 'spki' }))
    const cases = [
      [[], {}, /Usage: edgekeep <COMMAND>/],
      [['steal'], {}, /unrecognized subcommand 'steal'/],
      [['check'], {}, /required arguments were not provided/],
      [['explain', 'https://a.test/'], {}, /name the site to ask \(--site .*--rules wrangler\.toml/],
      [['explain', 'https://a.test/', '--site', 'https://a.test'], {}, /set EDGEKEEP_SECRET, or name a file/],
      [['explain', 'a.test/', '--rules', 'wrangler.toml'], {}, /the URL a\.test\/ must begin with http/],
      [['explain', 'https://a.test/', '--rules', 'wrangler.toml', '--header', 'no value'], {}, /write it as name:value/],
      [['purge'], env, /name what to purge: --url, --tag/],
      [['purge', '--tag', 'a', '--refresh'], env, /--soft/],
      [['purge', '--tag', 'a', '--soft', '--refresh'], env, /--refresh fetches URLs again/],
      [['purge', '--tag', 'a', '--wait', '--dry-run'], env, /cannot be used with/],
      [['purge', '--tag', 'a', '--id-prefix', 'two words'], env, /--id-prefix has/],
      [['purge', '--tag', 'a b', '--host', 'a/b'], env, /--tag: a tag is 1 to 1024.*\n  --host: must be a host name/],
      [['purge', '--from', lines], env, /nothing was sent:\n  \S+lines\.txt:4: a line is a URL/],
      [['purge', '--from', join(folder, 'none.txt')], env, /none\.txt cannot be read/],
      [['purge', '--tag', 'x'.repeat(1025)], env, /a tag is 1 to 1024/],
      [['purge', '--tag', 'a', '--retries', '21'], env, /0\.\.=20/],
      [['purge', '--tag', 'a'], { ...env, EDGEKEEP_SITE: '' }, /--site https:\/\/www\.example\.com/],
      [['purge', '--tag', 'a', '--site', 'a.test'], env, /the site a\.test is no URL/],
      [['purge', '--tag', 'a', '--site', 'https://a.test/blog'], env, /has a path/],
      [['purge', '--tag', 'a'], { EDGEKEEP_SITE: 'https://a.test' }, /set EDGEKEEP_SECRET, or name a file/],
      [['purge', '--tag', 'a', '--secret-file', join(folder, 'none.pem')], env, /none\.pem cannot be read/],
      [['purge', '--tag', 'a', '--secret-file', pem], env, /a public key cannot sign/],
      [['purge', '--tag', 'a'], { ...env, EDGEKEEP_SECRET: `whpk_${'A'.repeat(43)}=` }, /a public key cannot sign/],
      [['purge', '--tag', 'a'], { ...env, EDGEKEEP_SECRET: `${SECRET} ${TOKEN}` }, /there are several secrets/],
      [['purge', '--tag', 'a', '--site', 'http://a.test'], { EDGEKEEP_SECRET: TOKEN }, /a token over http:\/\//],
      [['purge', '--tag', 'a', '--secret', SECRET], env, /unexpected argument '--secret'/],
      [['warm', '--limit', '0'], env, /--limit must be from 1 to 10000 pages, not 0/],
      [['warm', '--url', '/page'], env, /--url: the URL must begin with http/],
      [['warm', '--from', file('empty.txt', '\n')], env, /empty\.txt names no URL/],
      [['history', '--limit', '5', '--follow'], env, /cannot be used with/],
      [['history', 'msg_1', '--after', '5'], env, /cannot be used with/],
      [['secret', 'new', '--token', '--ed25519'], {}, /cannot be used with/],
      [['completions', 'powershell'], {}, /possible values: bash, zsh, fish/],
    ]
    for (const [args, variables, stderr] of cases) {
      const result = await check(args, { env: variables }, 2, /^$/, stderr)
      for (const secret of [SECRET, TOKEN, 'A'.repeat(43)]) assert.ok(!result.stderr.includes(secret), text(result))
    }
  })

  it('each command has help with an example', LIMIT, async () => {
    for (const command of FEATURE_COMMANDS) {
      const { stdout } = await check([...command.split(' '), '--help'], {}, 0, /\nExample:\n  /)
      assert.ok(stdout.includes(`edgekeep ${command}`), stdout)
    }
    const { stdout } = await check(['--help'], {}, 0, /Exit codes: 0 done, 1 refused or found something, 2 usage, 3 out of reach/)
    for (const command of FEATURE_COMMANDS) assert.match(stdout, new RegExp(`^  ${command.split(' ')[0]} `, 'm'))
  })

  it('completions name the commands, for three shells', LIMIT, async () => {
    for (const shell of ['bash', 'zsh', 'fish']) await check(['completions', shell], {}, 0, /edgekeep[^]*purge[^]*history/)
  })

  it('a closed pipe is no error', LIMIT, async () => {
    const { child, done } = startCommand(path, ['completions', 'bash'])
    child.stdout.destroy()
    const result = await done
    assert.deepEqual([result.code, result.stderr], [0, ''])
  })

  it('secret new makes another secret each time, and says what to put where', LIMIT, async () => {
    const make = async (...args) => JSON.parse((await check(['secret', 'new', '--json', ...args], {}, 0, /^{.*}\n$/)).stdout)
    const forms = [[[], /^whsec_[\w+/]{43}=$/], [['--token'], /^token_[0-9a-f]{64}$/], [['--ed25519'], /^whpk_[\w+/]{43}=$/]]
    for (const [args, form] of forms) {
      const [one, two] = [await make(...args), await make(...args)]
      assert.match(one.worker, form)
      assert.notEqual(one.worker, two.worker)
      if (!args.includes('--ed25519')) assert.equal(one.worker, one.caller)
    }
    const { worker, caller } = await make('--ed25519')
    const { x } = createPublicKey(createPrivateKey(caller)).export({ format: 'jwk' })
    assert.equal(worker, `whpk_${Buffer.from(x, 'base64url').toString('base64')}`)
    const { stdout } = await check(['secret', 'new', '--ed25519'], {}, 0, /wrangler secret put PURGE_SECRETS/)
    assert.match(stdout, /whpk_[^]*--secret-file key\.pem[^]*-----BEGIN PRIVATE KEY-----/)
  })
})

/** RFC 8410: a private key in PKCS #8 is 16 bytes and the 32 of the key. */
function privateKey() {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

describe('with the worker', () => {
  const PEM = privateKey().export({ format: 'pem', type: 'pkcs8' })
  const { x } = createPublicKey(privateKey()).export({ format: 'jwk' })
  const PUBLIC = `whpk_${Buffer.from(x, 'base64url').toString('base64')}`
  const rules = {
    keys: [
      { name: 'signer', secret: 'SIGNER_SECRETS' },
      { name: 'limited', secret: 'LIMITED_SECRETS', may: { tags: ['cms-*'] } },
    ],
    cascades: [{ tag: 'article:*', carries: ['home'] }],
  }
  let stand, site, host
  before(async () => {
    stand = await Stand.start({ rules, vars: { SIGNER_SECRETS: PUBLIC, LIMITED_SECRETS: TOKEN } })
    site = stand.worker.url()
    host = new URL(site).host
  })
  after(() => stand?.stop())

  const env = (secret = SECRET) => ({ EDGEKEEP_SITE: site, EDGEKEEP_SECRET: secret })
  const page = (body, tag) => ({ status: 200, fields: [['Cache-Control', 'max-age=600'], ['Cache-Tag', tag]], body })
  const jsonLines = ({ lines }) => lines.map((line) => JSON.parse(line))
  const url = (name) => `${site}/${name}`

  it('purge is accepted with each kind of secret', LIMIT, async () => {
    const pem = file('key.pem', PEM)
    const cases = [
      [[], env(), 'default', 'webhook'],
      [['--secret-file', pem], env(''), 'signer', 'webhook'],
      [[], env(PEM), 'signer', 'webhook'],
      [[], env(TOKEN), 'limited', 'token'],
    ]
    for (const [args, variables, key, via] of cases) {
      const [receipt] = jsonLines(await check(['purge', '--tag', 'cms-a', '--json', ...args], { env: variables }, 0, /^{.*}\n$/))
      assert.deepEqual([receipt.key, receipt.via, receipt.hard], [key, via, ['tag:cms-a']])
      assert.match(receipt.id, /^msg_[0-9a-f]{32}-1$/)
    }
  })

  it('purge names what it purges, for people', LIMIT, async () => {
    const result = await check(['purge', '--tag', 'article:7', '--prefix', `${host}/blog`, '--host', 'b.test', '--url', url('a?utm_source=x')], { env: env() }, 0, /^accepted msg_[0-9a-f]{32}-1: sequence \d+, key default, in force everywhere at \d{4}-/)
    assert.match(result.stdout, /\n  hard: url:\S+\/a tag:article:7 prefix:\S+\/blog host:b\.test tag:home\n  article:7 carries home\n$/)
    const [everything] = jsonLines(await check(['purge', '--everything', '--soft', '--json'], { env: env() }, 0, /^{/))
    assert.deepEqual([everything.hard, everything.soft], [[], ['everything']])
  })

  it('after --wait the page is purged', LIMIT, async () => {
    stand.origin.on(host, '/waited', page('first', 'waited'))
    await stand.getHit(host, '/waited')
    stand.origin.on(host, '/waited', page('second', 'waited'))
    const from = performance.now()
    await check(['purge', '--tag', 'waited', '--wait'], { env: env() }, 0, /^accepted /, /^in force everywhere, and all is done\n$/)
    assert.ok(performance.now() - from >= LAG_SECONDS * 1000 - 100, 'it waits for the lag')
    await check(['purge', '--tag', 'waited', '--wait', '--wait-seconds', '0'], { env: env() }, 1, /^accepted /, /^the purge is accepted, but not in force everywhere yet/)
    const answer = await stand.get(host, '/waited')
    assert.deepEqual([answer.hit, answer.text], [false, 'second'], String(answer))
  })

  it('explain says what the site would do, what each tier holds, and which purge applies', LIMIT, async () => {
    stand.origin.on(host, '/why', page('why', 'why, front'))
    const args = ['explain', url('why?utm_source=x'), '--header', 'Cookie: theme=dark']
    const before = await check(args, { env: env() }, 0, /\n  miss: the origin would be asked: no stored response can be used\n  Cache-Status: edgekeep; fwd=uri-miss\n/)
    assert.match(before.stdout, /\n    dropped: query utm_source=x \(drop_tracking\)\n[^]*\n  cache-api: no copy\n/)
    assert.equal(stand.origin.requests(host, '/why').length, 0)
    await stand.getHit(host, '/why')
    const hit = await check(args, { env: env() }, 0, /\n  hit: a client would get the stored response\n[^]*\n  cache-api:\n    fresh: status 200, age \d+ s, ttl \d+ s, 3 bytes, filled under \d+\n[^]*\n  purge index: current, up to \d+\n/)
    assert.match(hit.stdout, /\n      tags: [^\n]*why\n/)
    const [receipt] = jsonLines(await check(['purge', '--tag', 'why', '--json', '--wait'], { env: env() }, 0, /^{/, /all is done/))
    const purged = await check(args, { env: env() }, 0, /\n    purged: status 200, /)
    assert.ok(purged.stdout.includes(`\n      hard purge ${receipt.sequence}: tag:why\n`), purged.stdout)
    const [json] = jsonLines(await check([...args, '--json'], { env: env() }, 0, /^{.*}\n$/))
    assert.equal(json.expected.result, 'miss')
    assert.equal(json.tiers.find(({ tier }) => tier === 'cache-api').copies[0].purge.by, 'tag:why')
    await check(['explain', 'https://other.test/'], { env: env() }, 1, /^$/, /error: 400 [^]*the url has another host: ask there/)
    await check(args, { env: env(TOKEN) }, 1, /^$/, /error: 403 [^]*only a key with admin = true/)
    await check(args, { env: env(FOREIGN_SECRET) }, 1, /^$/, /error: 401 /)
  })

  it('--wait waits for the refresh of URLs, and reports what of it fails', LIMIT, async () => {
    stand.origin.on(host, '/fresh', page('first', 'fresh'))
    await stand.getHit(host, '/fresh')
    stand.origin.on(host, '/fresh', page('second', 'fresh'))
    const args = ['purge', '--soft', '--refresh', '--url', url('fresh'), '--wait', '--json', '--id-prefix', 'refresh-1']
    const [receipt] = jsonLines(await check(args, { env: env() }, 0, /^{/, /all is done/))
    assert.deepEqual(receipt.refresh, { pending: 1, done: 0, failed: 0 })
    const answer = await stand.get(host, '/fresh')
    assert.deepEqual([answer.hit, answer.text], [true, 'second'], String(answer))
    const past = jsonLines(await check(['history', 'refresh-1-1', '--json'], { env: env() }, 0, /^{/))[0]
    assert.deepEqual(past.refresh, { pending: 0, done: 1, failed: 0 })
    await check(['history', 'refresh-1-1'], { env: env() }, 0, /\n  soft: url:\S+\/fresh\n  refresh: 0 pending, 1 done, 0 failed\n$/)
  })

  it('--dry-run purges nothing, and has exit code 1 if something would be refused', LIMIT, async () => {
    const good = ['purge', '--dry-run', '--tag', 'article:1', '--url', url('dry')]
    const { stdout } = await check(good, { env: env() }, 0, /^dry run: nothing is done\n  hard: url:/)
    assert.match(stdout, /\n  cascade: {"article:1":\["home"\]}\n$/)
    const refused = await check(['purge', '--dry-run', '--tag', 'cms-a', '--tag', 'other'], { env: env(TOKEN) }, 1, /\n  refused: tags\[1\]: the key limited may not purge tag:other\n$/, /^parts that would be refused: 1\n$/)
    assert.match(refused.stdout, /hard: tag:cms-a\n/)
    const [dry] = jsonLines(await check([...good, '--json'], { env: env() }, 0, /^{/))
    assert.deepEqual([dry.dry_run, dry.refused], [true, []])
  })

  it('refusals have exit code 1 and name the parts', LIMIT, async () => {
    const forbidden = /^error: 403 Not allowed: nothing was purged: see the parts under "errors"\n  tags\[0\]: the key limited may not purge tag:other\n$/
    await check(['purge', '--tag', 'other'], { env: env(TOKEN) }, 1, /^$/, forbidden)
    await check(['purge', '--tag', 'a'], { env: env(FOREIGN_SECRET) }, 1, /^$/, /error: 401 Not accepted: no signature or token proves this/)
    const [line] = jsonLines(await check(['purge', '--tag', 'other', '--json'], { env: env(TOKEN) }, 1, /^{/, forbidden))
    assert.deepEqual([line.refused.status, line.refused.errors[0].path], [403, 'tags[0]'])
    await check(['warm'], { env: env() }, 1, /^$/, /error: 422 Empty order: name urls or sitemaps/)
    await check(['history', 'msg_none'], { env: env() }, 1, /^$/, /error: 404 No such order/)
  })

  it('many selectors become several orders, and a repeated run is recognized', LIMIT, async () => {
    const input = Array.from({ length: 2300 }, (_, i) => `tag:many-${i}`).join('\n')
    const args = ['purge', '--from', '-', '--id-prefix', 'many']
    const receipts = jsonLines(await check([...args, '--json'], { env: env(), input }, 0, /^{/))
    assert.deepEqual(receipts.map(({ id, hard }) => [id, hard.length]), [['many-1', 1000], ['many-2', 1000], ['many-3', 300]])
    assert.deepEqual(receipts.flatMap(({ hard }) => hard), input.split('\n'))
    await sleep(3_000)
    const again = jsonLines(await check([...args, '--json'], { env: env(), input }, 0, /^{/))
    assert.deepEqual(again, receipts)
    const { stdout } = await check(args, { env: env(), input }, 0, /^accepted before many-1: /)
    assert.equal(stdout.match(/^accepted before many-\d: /gm).length, 3)
    await check(args, { env: env(), input: `${input}\ntag:more` }, 1, /^accepted before many-1: [^]*accepted before many-2: /, /^2 of 3 orders were accepted: many-1 many-2\nto send the rest[^]*error: 409 [^]*another --id-prefix/)
  })

  it('what was accepted before a refusal is listed', LIMIT, async () => {
    const input = [...Array.from({ length: 1000 }, (_, i) => `tag:cms-${i}`), 'tag:other'].join('\n')
    const result = await check(['purge', '--from', '-', '--id-prefix', 'part'], { env: env(TOKEN), input }, 1, /^accepted part-1: /, /^1 of 2 orders were accepted: part-1\nto send the rest, repeat the command with the same input and --id-prefix part: /)
    assert.match(result.stderr, /error: 403 Not allowed/)
  })

  it('warm fetches pages and sitemaps into KV', LIMIT, async () => {
    for (const name of ['w1', 'w2', 'w3']) stand.origin.on(host, `/${name}`, page(name, 'warm'))
    const locations = ['w2', 'w3'].map((name) => `<url><loc>${url(name)}</loc></url>`).join('')
    stand.origin.on(host, '/map.xml', { status: 200, fields: [['Content-Type', 'application/xml']], body: `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${locations}</urlset>` })
    const args = ['warm', '--from', '-']
    const input = `${url('w1')}\nsitemap: ${url('map.xml')}\n`
    await check([...args, '--dry-run'], { env: env(), input }, 0, /^dry run: nothing is done\n  refresh: \S+\/w1 \S+\/w2 \S+\/w3\n  pages: 3\n$/)
    await check([...args, '--wait'], { env: env(), input }, 0, /\n  refresh: 3 pending, 0 done, 0 failed\n$/, /all is done/)
    assert.equal((await stand.inKv(host)).filter(({ text: entry }) => /\/w[123]/.test(entry)).length, 3)
    await check(['warm', '--sitemap', url('none.xml'), '--retries', '0'], { env: env() }, 1, /^$/, /error: 502 Sitemap not read: [^]*sitemaps\[0\]: origin: status 404/)
  })

  it('history prints a table, pages, and what other keys may not read', LIMIT, async () => {
    const order = async (tag, secret) => jsonLines(await check(['purge', '--tag', tag, '--json'], { env: env(secret) }, 0, /^{/))[0]
    const [first, second] = [await order('cms-h1', TOKEN), await order('history-2')]
    const odd = jsonLines(await check(['purge', '--tag', 'odd', '--json', '--id-prefix', 'a/b?c%20:d'], { env: env() }, 0, /^{/))[0]
    assert.deepEqual(jsonLines(await check(['history', odd.id, '--json'], { env: env() }, 0, /^{/)), [odd])
    const after = ['history', '--after', String(first.sequence - 1), '--limit', '2']
    const { stdout } = await check(after, { env: env() }, 0, /^ *SEQUENCE +RECEIVED +KEY +VIA +ID +PURGED/)
    assert.match(stdout, new RegExp(`${first.sequence} .* limited .* ${first.id} .*hard tag:cms-h1`))
    assert.match(stdout, new RegExp(`${second.sequence} .* default .* ${second.id} .*hard tag:history-2`))
    assert.deepEqual(jsonLines(await check([...after, '--json'], { env: env() }, 0, /^{/)).map(({ id }) => id), [first.id, second.id])
    assert.deepEqual(jsonLines(await check([...after.slice(0, -1), '1', '--json'], { env: env() }, 0, /^{/)).map(({ id }) => id), [first.id])
    assert.deepEqual(jsonLines(await check([...after, '--json'], { env: env(TOKEN) }, 0, /^{/)).map(({ id }) => id), [first.id])
  })

  it('history reads all pages, each order once', LIMIT, async () => {
    const token = { env: env(), input: '' }
    const [first] = jsonLines(await check(['purge', '--tag', 'page', '--json'], token, 0, /^{/))
    // A page has at most 100 orders.
    const ids = []
    for (let batch = 0; batch < 13; batch++) {
      ids.push(...await Promise.all(Array.from({ length: 10 }, async () => {
        const id = stand.newId()
        const answer = await stand.purge(host, { tags: ['page'] }, { id })
        assert.equal(answer.status, 200, String(answer))
        return id
      })))
    }
    const all = jsonLines(await check(['history', '--json', '--after', String(first.sequence)], token, 0, /^{/))
    assert.deepEqual(all.map(({ id }) => id).sort(), ids.sort())
  })

  it('history --follow prints orders as they come', LIMIT, async () => {
    const [last] = jsonLines(await check(['purge', '--tag', 'before', '--json'], { env: env() }, 0, /^{/))
    const seen = []
    const args = ['history', '--follow', '--json', '--after', String(last.sequence)]
    const { child, done } = startCommand(path, args, { env: env(), onLine: (line) => seen.push(JSON.parse(line).id) })
    const ids = []
    for (let i = 0; i < 3; i++) {
      const [receipt] = jsonLines(await check(['purge', '--tag', `followed-${i}`, '--json'], { env: env() }, 0, /^{/))
      ids.push(receipt.id)
      await until(() => seen.length === ids.length, 6_000, 50)
      assert.deepEqual(seen, ids)
    }
    child.kill()
    const { stderr } = await done
    assert.equal(stderr, '')
  })

  it('history --follow prints the work of orders as it is done', LIMIT, async () => {
    stand.origin.on('followed.test', '/work', { status: 200, fields: [['Cache-Control', 'max-age=600']], body: 'page' })
    const [last] = jsonLines(await check(['purge', '--tag', 'before-work', '--json'], { env: env() }, 0, /^{/))
    const lines = []
    const { child, done } = startCommand(path, ['history', '--follow', '--after', String(last.sequence)], { env: env(), onLine: (line) => lines.push(line) })
    // Only events have the work of an order that is printed already.
    const order = ['purge', '--url', 'http://followed.test/work', '--soft', '--refresh', '--json']
    const isTold = async () => {
      const [{ id }] = jsonLines(await check(order, { env: env() }, 0, /^{/))
      return until(() => lines.includes(`${id}: refresh: 0 pending, 1 done, 0 failed`), 3_000, 50)
    }
    // The first order may come before the connection is open.
    assert.ok(await isTold() || await isTold(), lines.join('\n'))
    child.kill()
    assert.equal((await done).stderr, '')
  })
})

describe('with a server that fails', () => {
  const RECEIPT = JSON.stringify({ id: 'x-1', sequence: 1, received_at: '2026-11-30T12:00:00Z', in_force_at: '2026-11-30T12:00:00Z', key: 'default', via: 'webhook', hard: ['tag:a'], soft: [] })
  const DONE = { status: 200, fields: { 'content-type': 'application/json' }, body: RECEIPT }
  const RESET = 'reset'
  let server, asked, script
  before(async () => {
    server = http.createServer((request, response) => {
      const chunks = []
      request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
        asked.push({ at: performance.now(), headers: request.headers, body: Buffer.concat(chunks).toString() })
        const answer = script[Math.min(asked.length, script.length) - 1]
        if (answer === RESET) return request.socket.destroy()
        response.writeHead(answer.status, answer.fields ?? {}).end(answer.body ?? '')
      })
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  after(() => { server?.closeAllConnections(); server?.close() })

  /** Sends an order to a server that answers so, one after the other and then always the last. */
  async function order(answers, code, stderr, ...args) {
    [asked, script] = [[], answers]
    const env = { EDGEKEEP_SITE: `http://127.0.0.1:${server.address().port}`, EDGEKEEP_SECRET: SECRET }
    return check(['purge', '--tag', 'a', ...args], { env }, code, code === 0 ? /^accepted / : /^$/, stderr)
  }

  it('an order is sent again with the same id and a new signature', LIMIT, async () => {
    await order([{ status: 503 }, RESET, { status: 502 }, { status: 504 }, DONE], 0, /status 503; the next attempt is in 1 s\n[^]*status 504/)
    assert.equal(asked.length, 5)
    assert.equal(new Set(asked.map(({ headers }) => headers['webhook-id'])).size, 1)
    assert.equal(new Set(asked.map(({ headers }) => headers['webhook-timestamp'])).size > 1, true)
    for (const { headers, body } of asked) {
      assert.equal(body, '{"tags":["a"]}')
      new Webhook(SECRET).verify(body, headers) // throws
    }
    const pauses = asked.slice(1).map(({ at }, i) => at - asked[i].at)
    pauses.forEach((ms, i) => assert.ok(ms >= 250 * 2 ** i, `${pauses}`))
  })

  it('Retry-After is obeyed, up to a bound', LIMIT, async () => {
    await order([{ status: 429, fields: { 'retry-after': '2' } }, DONE], 0, /status 429; the next attempt is in 3 s/)
    assert.ok(asked[1].at - asked[0].at >= 2_000)
    await order([{ status: 503, fields: { 'retry-after': '9999' } }], 3, /error: 503 /)
    assert.equal(asked.length, 1)
  })

  it('the number of attempts is bounded, and exit code 3 says that the site is out of reach', LIMIT, async () => {
    await order([{ status: 503, fields: { 'content-type': 'application/problem+json' }, body: '{"title":"Ledger unavailable","detail":"send the same order again"}' }], 3, /to send the rest[^]*error: 503 Ledger unavailable: send the same order again\n$/, '--retries', '1')
    assert.equal(asked.length, 2)
    await order([RESET], 3, /--id-prefix mine[^]*error: http:\/\/127\.0\.0\.1:\d+ is out of reach after 2 attempts: /, '--retries', '1', '--id-prefix', 'mine')
    await check(['purge', '--tag', 'a', '--retries', '0', '--site', 'http://127.0.0.1:1'], { env: { EDGEKEEP_SECRET: SECRET } }, 3, /^$/, /out of reach after 1 attempts/)
    await check(['history', '--retries', '0', '--site', 'https://no-such-host.invalid'], { env: { EDGEKEEP_SECRET: SECRET } }, 3, /^$/, /out of reach/)
  })

  it('other answers are not repeated', LIMIT, async () => {
    for (const [answer, code, stderr] of [
      [{ status: 400, body: '{"title":"Bad","detail":"correct it"}' }, 1, /error: 400 Bad: correct it/],
      [{ status: 301, fields: { location: 'https://elsewhere.test/' } }, 1, /the site leads to https:\/\/elsewhere\.test\/: name that one by --site/],
      [{ status: 200, fields: { 'content-type': 'text/html' }, body: '<h1>Hello</h1>' }, 1, /this is no answer of Edgekeep \(text\/html\)/],
      [{ status: 200, body: '{}' }, 1, /the answer is no receipt/],
      [{ status: 500 }, 3, /error: 500 /],
    ]) {
      await order([answer], code, stderr)
      assert.equal(asked.length, 1, `${answer.status}`)
    }
  })

  it('history --follow asks again and again where there are no events', LIMIT, async () => {
    const page = (...orders) => ({ ...DONE, body: JSON.stringify({ purges: orders.map((sequence) => ({ ...JSON.parse(RECEIPT), id: `id-${sequence}`, sequence })) }) })
    ;[asked, script] = [[], [page(1), { status: 404 }, page(2), page(3)]]
    const lines = []
    const env = { EDGEKEEP_SITE: `http://127.0.0.1:${server.address().port}`, EDGEKEEP_SECRET: SECRET }
    const { child, done } = startCommand(path, ['history', '--follow', '--json'], { env, onLine: (line) => lines.push(JSON.parse(line).id) })
    assert.ok(await until(() => lines.length === 3, 15_000, 50), lines.join())
    child.kill()
    assert.deepEqual([lines, (await done).stderr], [['id-1', 'id-2', 'id-3'], ''])
  })

  it('a huge answer is not read', LIMIT, async () => {
    await order([{ status: 200, body: 'x'.repeat(3_000_000) }], 3, /out of reach after 1 attempts: .*limit/, '--retries', '0')
  })
})

describe('the built worker', () => {
  it('has nothing of the command', LIMIT, () => {
    const crates = cratesOfWorker()
    assert.ok(crates.has('worker') && crates.has('serde_json'), [...crates].join(' '))
    for (const crate of ['clap', 'ureq', 'rustls', 'ring', 'indicatif', 'comfy-table', 'toml', 'getrandom', 'ed25519-dalek']) {
      assert.ok(!crates.has(crate), crate)
    }
    const built = fileURLToPath(new URL('../../build/index_bg.wasm', import.meta.url))
    const wasm = readFileSync(built, 'latin1')
    assert.ok(wasm.includes('PURGE_SECRETS'), 'texts of the worker are found')
    for (const word of ['EDGEKEEP_SECRET', '--secret-file', 'edgekeep-command/']) assert.ok(!wasm.includes(word), word)
  })
})
