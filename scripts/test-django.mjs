// npm run test:django: the app for Django, the example blog, and the two of them behind the built worker in workerd.
// Every part runs even if one before it failed; any failure fails the whole.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from './build.mjs'
import { BLOG, CLIENT, prepareVenv, python } from './django/venv.mjs'
import { ROOT, Problem, main, run, say } from './tools.mjs'

const FOLDER = join('tests', 'django')

/** What failed, by name; empty is good. */
export async function testDjango() {
  await prepareVenv({ tests: true })
  await build()
  const failed = []
  const part = async (name, command, args, options) => {
    say(`${name} ...`)
    if ((await run(command, args, options)) !== 0) failed.push(name)
  }
  await part('Tests of clients/django', python, ['-m', 'pytest'], { cwd: CLIENT })
  const data = mkdtempSync(join(tmpdir(), 'edgekeep-blog-'))
  try {
    const env = { BLOG_DATA: data, BLOG_DEBUG: '1', EDGEKEEP_SECRET: '', BLOG_REQUEST_LOG: '', BLOG_COUNT_QUERIES: '' }
    await part('Tests of the blog itself', python, [join(BLOG, 'manage.py'), 'test'], { cwd: BLOG, env })
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
  const files = readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith('.test.mjs')).sort()
  // One after the other: each has a Django and a workerd of its own, and times are measured.
  for (const file of files) await part(`Tests of the blog behind the worker (${file})`, process.execPath, ['--test', '--test-reporter=spec', join(FOLDER, file)])
  return failed
}

await main(import.meta.url, async (args) => {
  if (args.length > 0) throw new Problem(`npm run test:django takes no options; to run one file: node --test ${FOLDER}/NAME.test.mjs`)
  const failed = await testDjango()
  if (failed.length > 0) throw new Problem(`Failed: ${failed.join('; ')}.`)
  say('\nAll tests of Django passed.')
})
