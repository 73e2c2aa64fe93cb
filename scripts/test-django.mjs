// npm run test:django: the app for Django, the example blog, and the two of them behind the built worker in workerd.
// Every part runs even if one before it failed; any failure fails the whole. What cannot run, for want of a browser, is said
// at the end; with REQUIRE_BROWSER=1 it fails, too.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from './build.mjs'
import { BLOG, CLIENT, prepareVenv, python } from './django/venv.mjs'
import { ROOT, Problem, main, run, say } from './tools.mjs'
import { findChromium } from '../tests/django/chromium.mjs'

const FOLDER = join('tests', 'django')

/** Builds the wheel, and imports the app from it. */
const PACKAGE = `
import pathlib, subprocess, sys
wheel_of = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "-w", sys.argv[1], "."]
subprocess.run(wheel_of, check=True)
[wheel] = map(str, pathlib.Path(sys.argv[1]).glob("edgekeep-*.whl"))
sys.path.insert(0, wheel)
import edgekeep, importlib.resources
assert edgekeep.__file__.startswith(wheel), edgekeep.__file__
assert importlib.resources.files("edgekeep").joinpath("py.typed").is_file()
print("edgekeep", edgekeep.__version__, "from", pathlib.Path(wheel).name)
`

/**
 * Runs them all.
 *
 * @returns {Promise<{ failed: string[], omitted: string[] }>} what failed, and what could not run, by name
 */
export async function testDjango() {
  await prepareVenv({ tests: true })
  await build()
  const { missing } = await findChromium()
  const failed = []
  const part = async (name, command, args, options) => {
    say(`${name} ...`)
    if ((await run(command, args, options)) !== 0) failed.push(name)
  }
  await part('Tests of clients/django', python, ['-m', 'pytest'], { cwd: CLIENT })
  await part('Types of clients/django (mypy, strict)', python, ['-m', 'mypy'], { cwd: CLIENT })
  const data = mkdtempSync(join(tmpdir(), 'edgekeep-blog-'))
  try {
    await part('The package of clients/django', python, ['-c', PACKAGE, data], { cwd: CLIENT })
    const env = { BLOG_DATA: data, BLOG_DEBUG: '1', EDGEKEEP_SECRET: '', BLOG_REQUEST_LOG: '', BLOG_COUNT_QUERIES: '' }
    await part('Tests of the blog itself', python, [join(BLOG, 'manage.py'), 'test'], { cwd: BLOG, env })
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
  const files = readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith('.test.mjs')).sort()
  // One after the other: each has a Django and a workerd of its own, and times are measured.
  for (const file of files) await part(`Tests of the blog behind the worker (${file})`, process.execPath, ['--test', '--test-reporter=spec', join(FOLDER, file)])
  return { failed, omitted: missing ? [`the blog in a browser (${missing})`] : [] }
}

await main(import.meta.url, async (args) => {
  if (args.length > 0) throw new Problem(`npm run test:django takes no options; to run one file: node --test ${FOLDER}/NAME.test.mjs`)
  const { failed, omitted } = await testDjango()
  const rest = omitted.length > 0 ? `\nNot run: ${omitted.join('; ')}` : ''
  if (failed.length > 0) throw new Problem(`Failed: ${failed.join('; ')}.${rest}`)
  say(`\nAll tests with Django passed.${rest}`)
})
