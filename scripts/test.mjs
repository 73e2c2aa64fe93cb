// npm test: all tests, native and in workerd (those with Django: npm run test:django). Every part runs even if one before it
// failed; any failure fails the whole.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { setup } from './setup.mjs'
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
  if (failed.length > 0) throw new Problem(`Failed: ${failed.join('; ')}.`)
  say('\nAll tests passed, native and in workerd.')
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
