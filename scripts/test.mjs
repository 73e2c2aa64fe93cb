// npm test: all tests, native, in workerd, and with Django. Every part runs even if one before it failed; any failure fails the whole.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { findPython } from './django/venv.mjs'
import { setup } from './setup.mjs'
import { testDjango } from './test-django.mjs'
import { ROOT, Problem, atLeast, main, run, say } from './tools.mjs'

const FOLDER = join('tests', 'workerd')

async function test() {
  const files = testFiles()
  await setup()
  const failed = []
  say('Native tests ...')
  if ((await run('cargo', ['test'])) !== 0) failed.push('native tests (cargo test)')
  await build()
  say('Tests in workerd ...')
  if ((await run(process.execPath, ['--test', ...nodeOptions(), ...files])) !== 0) failed.push(`tests in workerd (${FOLDER})`)
  const python = hasPython()
  if (python) failed.push(...(await testDjango()))
  if (failed.length > 0) throw new Problem(`Failed: ${failed.join('; ')}.`)
  say(`\nAll tests passed, native and in workerd${python ? ', and with Django' : '; those with Django were left out'}.`)
}

/** Python is wanted for nothing else: who has none is told, and the other tests count. */
function hasPython() {
  try {
    return Boolean(findPython())
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    say(`\nThe tests with Django are left out: ${error.message}`)
    return false
  }
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
  if (args.length > 0) throw new Problem(`npm test takes no options; to run one file: node --test ${FOLDER}/NAME.test.mjs`)
  return test()
})
