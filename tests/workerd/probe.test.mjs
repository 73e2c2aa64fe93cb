// `edgekeep probe` finds each planted fault by its name, and none on sound sites: a sound cache, and the demo blog behind the built worker.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOrigin } from '../../scripts/demo/origin.mjs'
import { readRules } from '../../scripts/rules.mjs'
import { startWorker } from '../../scripts/workerd.mjs'
import { buildCommand, runCommand } from './command.mjs'
import { FaultySite } from './faulty-site.mjs'

const LIMIT = { timeout: 120_000 }
const FAST = ['--rate', '100', '--yes', '--json']

let path, folder, cookieFile
before(() => {
  path = buildCommand()
  folder = mkdtempSync(join(tmpdir(), 'edgekeep-probe-'))
  cookieFile = join(folder, 'cookie.txt')
  writeFileSync(cookieFile, 'Cookie: session=margarete\n')
}, { timeout: 600_000 })
after(() => { if (folder) rmSync(folder, { recursive: true }) })

const edgekeep = (...args) => runCommand(path, ['probe', ...args])

/** Probes a page, and returns the report. The exit code must fit it. */
async function probe(url, ...args) {
  const { code, stdout, stderr } = await edgekeep(url, ...FAST, ...args)
  assert.match(stdout, /^{.*}\n$/, `exit code ${code}\n${stderr}`)
  const report = JSON.parse(stdout)
  assert.equal(code, report.findings.length > 0 ? 1 : 0, `${stdout}\n${stderr}`)
  return report
}

/** Runs something with a site that has faults. */
async function withSite(faults, play) {
  const site = await FaultySite.start(faults)
  try {
    return await play(site)
  } finally {
    await site.stop()
  }
}

const names = ({ findings }) => findings.map(({ kind }) => kind)
const COOKIE = () => ['--cookie-file', cookieFile]

/** Fault, kind of the only finding, what the sentence names, path, more arguments. */
const PLANTED = [
  ['host-reflected', 'poisoned-content', /^X-Forwarded-Host is not in the cache key/],
  ['port-reflected', 'poisoned-content', /^X-Forwarded-Port is not in the cache key/],
  ['host-port-reflected', 'poisoned-content', /^Host is not in the cache key/],
  ['origin-reflected', 'poisoned-content', /^Origin is not in the cache key/],
  ['scheme-redirects', 'poisoned-response', /^X-Forwarded-Scheme is not in the cache key/],
  ['url-overridden', 'poisoned-response', /^X-Original-URL is not in the cache key/],
  ['range-stored', 'poisoned-response', /^Range is not in the cache key/],
  ['padding-refused', 'poisoned-response', /^X-Padding is not in the cache key/],
  ['files-stored', 'path-deception', /looks like a file/, '/account', COOKIE],
  ['files-stored', 'path-deception', /looks like a file/, '/account'],
  ['cookie-stored', 'stored-set-cookie', /same cookie visitor/],
  ['cookie-shared', 'shared-cookie-content', /another cookie/],
  ['private-stored', 'stored-private', /Cache-Control: private, max-age=60/],
  ['no-lifetime', 'missing-lifetime', /no Cache-Control and no Expires, and no validator/],
  ['no-validator', 'missing-validator', /lives 60 seconds/],
  ['encoding-shared', 'missing-vary', /accepts no compression gets gzip/],
  ['304-differs', 'not-modified-differs', /: cache-control$/],
  ['head-stored', 'head-differs', /GET after HEAD has no body/],
  ['errors-live-long', 'long-lived-error', /404 is cached for 3600 seconds/],
]

describe('planted faults', { concurrency: 4 }, () => {
  for (const [fault, kind, what, page = '/', more = () => []] of PLANTED) {
    it(`${fault} at ${page} ${more === COOKIE ? 'with a cookie ' : ''}is found alone, as ${kind}`, LIMIT, () => withSite([fault], async (site) => {
      const report = await probe(site.url + page, ...more())
      assert.deepEqual(names(report), [kind], JSON.stringify(report, null, 1))
      const [{ what: sentence, evidence, remedy, severity }] = report.findings
      assert.match(sentence, what)
      assert.ok(evidence.length > 0 && evidence.every(({ request }) => /^(GET|HEAD) http:\/\/127/.test(request)), JSON.stringify(evidence))
      assert.ok(remedy.edgekeep && remedy.origin && ['high', 'medium', 'low'].includes(severity))
      assert.ok(!JSON.stringify(report).includes('margarete'), 'the cookie is not printed')
    }))
  }

  it('several faults are all found, for people, the worst first', LIMIT, () => withSite(['host-reflected', 'no-validator', '304-differs'], async (site) => {
    const { code, stdout, stderr } = await edgekeep(`${site.url}/`, '--rate', '100', '--yes')
    assert.equal(code, 1, stderr)
    const kinds = stdout.split('\n').map((line) => line.match(/^(?:high|medium|low) {2}(\S+)$/)?.[1]).filter(Boolean)
    assert.deepEqual(kinds, ['poisoned-content', 'missing-validator'], 'without a validator there is no 304')
    assert.match(stdout, /\n {2}1\. GET http:\/\/127\S+\n {5}X-Forwarded-Host: ekp\S+\.invalid\n {5}-> 200, .*x-cache: MISS/i)
    assert.match(stdout, /\n {2}2\. GET http:\/\/127\S+\n {5}-> 200, .*with ekp\S+\.invalid in the body\n/)
    assert.match(stdout, /\n {2}origin: {3}.*\n {2}edgekeep: /)
    assert.match(stderr, /^2 faults were found\n$/)
  }))

  it('a field is found in a group by bisection if requests are few', LIMIT, () => withSite(['port-reflected', 'url-overridden'], async (site) => {
    const report = await probe(`${site.url}/`, '--requests', '160')
    assert.deepEqual(names(report), ['poisoned-content', 'poisoned-response'], JSON.stringify(report, null, 1))
    assert.ok(site.requests.length <= 110, `${site.requests.length} requests`)
  }))
})

describe('sound sites', { concurrency: 4 }, () => {
  for (const [page, more] of [['/', []], ['/account', []], ['/account', ['cookie']]]) {
    it(`a sound cache has no finding at ${page} ${more}`, LIMIT, () => withSite([], async (site) => {
      const report = await probe(site.url + page, ...(more.length > 0 ? COOKIE() : []))
      assert.deepEqual([report.findings, report.notes, report.complete], [[], [], true])
      assert.ok(report.requests >= 150, 'all fields are tried one by one')
    }))
  }

  it('each request has a URL of its own trial, and says who sends it', LIMIT, () => withSite([], async (site) => {
    await probe(`${site.url}/account?a=1`)
    const trials = new Map()
    for (const { url, headers } of site.requests) {
      const [, value] = url.match(/[?&]edgekeep-probe=(\w+)/) ?? []
      assert.ok(value, `${url} is a page that readers may see`)
      assert.match(url, /\?a=1&/)
      assert.match(headers['user-agent'], /^edgekeep-probe\/\d/)
      trials.set(value, (trials.get(value) ?? 0) + 1)
    }
    assert.ok(Math.max(...trials.values()) <= 3, 'page, hit and 304')
  }))

  it('the demo blog behind the worker has no finding', { timeout: 300_000 }, async () => {
    const rules = await readRules(new URL('../../scripts/demo/rules.toml', import.meta.url).pathname)
    const origin = await startOrigin()
    const worker = await startWorker({ rules: { ...rules, origin: origin.url } })
    try {
      const pages = { '/': true, '/feed.xml': true, '/account': true, '/style.css': true, '/search?q=sea': false }
      await Promise.all(Object.entries(pages).map(async ([page, isComplete]) => {
        const report = await probe(worker.url() + page)
        assert.deepEqual(report.findings, [], `${page}\n${JSON.stringify(report, null, 1)}`)
        assert.equal(report.complete, isComplete, `${page}\n${report.notes}`)
      }))
    } finally {
      await worker.stop()
      await origin.stop()
    }
  })
})

describe('limits', { concurrency: 4 }, () => {
  for (const [requests, faults] of [[1, []], [4, []], [30, []], [60, ['host-reflected', 'scheme-redirects', 'url-overridden', 'padding-refused', 'range-stored']]]) {
    it(`no more than ${requests} requests are sent`, LIMIT, () => withSite(faults, async (site) => {
      const report = await probe(`${site.url}/`, '--requests', `${requests}`)
      assert.equal(site.requests.length, requests)
      assert.deepEqual([report.requests, report.complete], [requests, false])
      assert.match(report.notes.join(), new RegExp(`All ${requests} requests were sent`))
    }))
  }

  it('requests are paced', LIMIT, () => withSite([], async (site) => {
    await edgekeep(`${site.url}/`, '--yes', '--json', '--rate', '10', '--requests', '25')
    const times = site.requests.map(({ time }) => time)
    assert.ok(times.at(-1) - times[0] >= 24 * 100 - 100, `${times.at(-1) - times[0]} ms`)
    await edgekeep(`${site.url}/`, '--yes', '--json', '--requests', '8')
    const more = site.requests.slice(25).map(({ time }) => time)
    assert.ok(more.at(-1) - more[0] >= 7 * 200 - 100, 'five a second without --rate')
  }))

  it('redirects to another host are not followed', LIMIT, () => withSite([], (other) => withSite(['redirects'], async (site) => {
    site.elsewhere = `${other.url}/`
    await probe(`${site.url}/`, '--requests', '60')
    assert.deepEqual(other.requests, [])
  })))

  it('a key without the query stops the trials, but for --live', LIMIT, () => withSite(['query-ignored', 'host-reflected'], async (site) => {
    const report = await probe(`${site.url}/`)
    assert.deepEqual([names(report), report.complete], [[], false])
    assert.match(report.notes.join(), /The cache key ignores the query/)
    assert.ok(site.requests.every(({ method, headers }) => method === 'GET' && !headers['x-forwarded-host'] && !headers.cookie))
    const live = await probe(`${site.url}/`, '--live')
    assert.ok(site.requests.some(({ headers }) => headers['x-forwarded-host']), live.notes.join())
  }))

  it('a cache that does not say what is a hit stops the trials', LIMIT, () => withSite(['silent', 'host-reflected', 'no-lifetime'], async (site) => {
    const report = await probe(`${site.url}/`)
    assert.deepEqual([names(report), report.complete], [['missing-lifetime'], false])
    assert.match(report.notes.join(), /No response says whether it comes from a cache/)
    const live = await probe(`${site.url}/`, '--live')
    assert.deepEqual(names(live), ['poisoned-content', 'missing-lifetime'])
  }))

  it('a site that limits the rate ends the probe', LIMIT, () => withSite(['limited'], async (site) => {
    const report = await probe(`${site.url}/`)
    assert.match(report.notes.join(), /answered 429/)
    assert.equal(site.requests.length, 6)
  }))

  it('wrong usage sends nothing, and a site out of reach has exit code 3', LIMIT, () => withSite([], async (site) => {
    const bad = join(folder, 'bad.txt')
    writeFileSync(bad, 'no cookie')
    const cases = [
      [[`${site.url}/`], 2, /say so with --yes/],
      [['a.test', '--yes'], 2, /must begin with http/],
      [[`${site.url}/`, '--yes', '--rate', '0'], 2, /1\.\.=100/],
      [[`${site.url}/`, '--yes', '--rate', '101'], 2, /1\.\.=100/],
      [[`${site.url}/`, '--yes', '--requests', '0'], 2, /1\.\.=10000/],
      [[`${site.url}/`, '--yes', '--requests', '10001'], 2, /1\.\.=10000/],
      [[`${site.url}/`, '--yes', '--cookie-file', bad], 2, /must hold one line/],
      [[`${site.url}/`, '--yes', '--cookie-file', join(folder, 'none')], 2, /cannot be read/],
      [['http://127.0.0.1:1/', '--yes'], 3, /out of reach after 3 attempts/],
    ]
    for (const [args, code, message] of cases) {
      const result = await edgekeep(...args)
      assert.equal(result.code, code, `${args}\n${result.stderr}`)
      assert.match(result.stderr, message)
    }
    assert.deepEqual(site.requests, [])
    const help = await edgekeep('--help')
    assert.match(help.stdout, /Example:\n {2}edgekeep probe https:/)
  }))
})
