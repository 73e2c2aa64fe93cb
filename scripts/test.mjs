// npm test: all tests, native, in workerd, and with Django. Every part runs even if one before it failed; any failure fails
// the whole. `npm test -- --without-django` leaves the last part out, for who has no Python.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { checkPython } from './django/venv.mjs'
import { setup } from './setup.mjs'
import { testDjango } from './test-django.mjs'
import { ROOT, Problem, atLeast, main, run, say } from './tools.mjs'

const FOLDER = join('tests', 'workerd')
const WITHOUT_DJANGO = '--without-django'

async function test({ django }) {
  const files = testFiles()
  if (django) checkPython(`To leave these tests out: npm test -- ${WITHOUT_DJANGO}`) // now, rather than in a quarter of an hour
  await setup()
  const failed = []
  say('Native tests ...')
  if ((await run('cargo', ['test'])) !== 0) failed.push('native tests (cargo test)')
  await build()
  say('Tests in workerd ...')
  if ((await run(process.execPath, ['--test', ...nodeOptions(), ...files])) !== 0) failed.push(`tests in workerd (${FOLDER})`)
  const { failed: ofDjango, omitted } = django ? await testDjango() : { failed: [], omitted: ['those with Django, as you said'] }
  failed.push(...ofDjango)
  const rest = omitted.length > 0 ? `\nNot run: ${omitted.join('; ')}.` : ''
  if (failed.length > 0) throw new Problem(`Failed: ${failed.join('; ')}.${rest}`)
  say(`\nAll tests passed, native, in workerd${django ? ' and with Django' : ''}.${rest}`)
}

/** Each file starts a workerd of its own: more than a few at a time only make each other slow. */
function nodeOptions() {
  const concurrency = atLeast(process.versions.node, '20.10.0') ? ['--test-concurrency=2'] : []
  return ['--test-reporter=spec', '--test-reporter-destination=stdout', ...concurrency]
}

function testFiles() {
  const files = existsSync(join(ROOT, FOLDER)) ? readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith('.test.mjs')) : []
  if (files.length === 0) throw new Problem(`There are no tests in ${FOLDER}: the checkout is not whole.`)
  return files.sort().map((name) => join(FOLDER, name))
}

await main(import.meta.url, (args) => {
  const unknown = args.find((word) => word !== WITHOUT_DJANGO)
  if (unknown) throw new Problem(`${unknown}: npm test takes no option but ${WITHOUT_DJANGO}; to run one file: node --test ${FOLDER}/NAME.test.mjs`)
  return test({ django: args.length === 0 })
})
