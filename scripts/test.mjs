// npm test [-- --quick | --without-django]: all tests, native, in workerd and with Django, with one summary at the end.
// Every part runs even if another failed; any failure fails the run.

import { isBuilt } from './build.mjs'
import { checkPython } from './django/venv.mjs'
import { checkRust, setup } from './setup.mjs'
import { Problem, main, say } from './tools.mjs'
import { browserMissing, djangoJobs } from './test/django.mjs'
import { capture, runJobs } from './test/jobs.mjs'
import { nativeJobs } from './test/native.mjs'
import { nodeJob, testFiles } from './test/node.mjs'
import { summarize } from './test/summary.mjs'

const FOLDER = 'tests/workerd'
/** Concurrency. Compiling and a native test take a core, which is two slots; files in workerd mostly wait. */
const SLOTS = 4
const USAGE = `npm test takes --quick or --without-django. To run one file: cargo test --test SUBJECT NAME, npx node --test ${FOLDER}/NAME.test.mjs`

/** Files that depend on seconds, compare times or count calls in order: concurrent jobs would delay them. */
const TIMED = ['stories', 'conformance', 'faults', 'panic', 'disconnect', 'crossings']
/** The longest files, which start first. */
const LONG = ['bodies', 'fast-lane', 'upstream', 'degraded', 'webhooks', 'cold-key', 'refresh', 'esi', 'replay', 'cli', 'probe']
/** Files that test the built worker in seconds. */
const QUICK = ['keys', 'fields', 'config', 'conditions']

/** All tests. The worker is compiled during the native tests. */
function allJobs({ django }) {
  const built = [{ part: 'workerd', name: 'build', slots: 2, again: 'npm run build', run: buildWorker }]
  // The command is built with the native tests.
  const needs = (name) => (['cli', 'advise', 'probe'].includes(name) ? ['build', 'compile'] : ['build'])
  const job = (name, slots) => nodeJob('workerd', FOLDER, name, { needs: needs(name), slots })
  const others = testFiles(FOLDER).filter((name) => !TIMED.includes(name))
  others.sort((a, b) => LONG.includes(b) - LONG.includes(a))
  const timed = TIMED.map((name) => job(name, SLOTS))
  const ofDjango = django ? djangoJobs(['build'], SLOTS) : []
  const measured = ofDjango.filter(({ slots }) => slots === SLOTS)
  const beside = ofDjango.filter((job) => !measured.includes(job))
  return [...built, ...nativeJobs(), ...beside, ...others.map((name) => job(name, 1)), ...timed, ...measured]
}

/** A selection for two minutes: the native tests without the simulation, and a few files in workerd if the worker is built. */
function quickJobs(hasWorker) {
  const files = hasWorker ? QUICK : []
  return [...nativeJobs({ without: ['simulation'] }), ...files.map((name) => nodeJob('workerd', FOLDER, name))]
}

async function buildWorker() {
  const { code, output } = await capture(process.execPath, ['scripts/build.mjs'])
  return { passed: 0, failed: code === 0 ? [] : [{ name: 'build', again: 'npm run build' }], skipped: 0, output }
}

async function test({ quick, django }) {
  const from = performance.now()
  const omitted = []
  if (django && !quick) checkPython('To leave these tests out: npm test -- --without-django') // now, rather than in some minutes
  await (quick ? checkRust() : setup())
  const hasWorker = isBuilt()
  if (quick) omitted.push('simulated worlds', hasWorker ? 'most files in workerd' : 'workerd: build/ is not made of these sources (npm run build)')
  omitted.push(...(!django || quick ? ['tests with Django'] : await browserMissing()))
  const jobs = quick ? quickJobs(hasWorker) : allJobs({ django })
  const results = await runJobs(jobs, SLOTS)
  say('The output of each is in target/test.')
  summarize(results, omitted, (performance.now() - from) / 1000)
}

await main(import.meta.url, (args) => {
  const options = { quick: args.includes('--quick'), django: !args.includes('--without-django') }
  const unknown = args.find((word) => word !== '--quick' && word !== '--without-django')
  if (unknown) throw new Problem(`${unknown}: ${USAGE}`)
  return test(options)
})
