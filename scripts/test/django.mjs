// Jobs with Django: the app, the example blog, and both behind the built worker in workerd.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { BLOG, CLIENT, prepareVenv, python } from '../django/venv.mjs'
import { ROOT } from '../tools.mjs'
import { findChromium } from '../../tests/django/chromium.mjs'
import { capture } from './jobs.mjs'
import { nodeJob, testFiles } from './node.mjs'

const PART = 'Django'
const FOLDER = 'tests/django'
/** The file that measures the worker and Django. */
const MEASURED = ['load']

/** Builds the wheel, and imports the app from it. */
const PACKAGE = `
import pathlib, subprocess, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    wheel_of = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "-w", folder, "."]
    subprocess.run(wheel_of, check=True)
    [wheel] = map(str, pathlib.Path(folder).glob("edgekeep-*.whl"))
    sys.path.insert(0, wheel)
    import edgekeep, importlib.resources
    assert edgekeep.__file__.startswith(wheel), edgekeep.__file__
    assert importlib.resources.files("edgekeep").joinpath("py.typed").is_file()
    print("edgekeep", edgekeep.__version__, "from", pathlib.Path(wheel).name)
`

/**
 * @param {string[]} builds the job that builds the worker, if any
 * @param {number} slots number of all slots
 */
export function djangoJobs(builds, slots) {
  const needs = ['venv']
  const job = (name, again, run) => ({ part: PART, name, needs, again, run })
  const client = `cd ${relative(ROOT, CLIENT)} && ${relative(CLIENT, python)}`
  const blog = `cd ${relative(ROOT, BLOG)} && BLOG_DATA=$(mktemp -d) BLOG_DEBUG=1 ${relative(BLOG, python)}`
  return [
    { part: PART, name: 'venv', again: 'npm run test:django', run: venv },
    job('clients/django', `${client} -m pytest`, () => pytest(client)),
    job('types of clients/django', `${client} -m mypy`, () => one('mypy', ['-m', 'mypy'], `${client} -m mypy`)),
    job('package of clients/django', 'npm run test:django', () => one('package', ['-c', PACKAGE], 'npm run test:django')),
    job('example blog', `${blog} manage.py test`, () => blogTests(blog)),
    ...testFiles(FOLDER).map((name) => nodeJob(PART, FOLDER, name, { needs: [...needs, ...builds], slots: MEASURED.includes(name) ? slots : 1 })),
  ]
}

/** Messages about tests that are skipped without a browser. */
export async function browserMissing() {
  const { missing } = await findChromium()
  return missing ? [`the blog in a browser (${missing})`] : []
}

async function venv() {
  await prepareVenv({ tests: true })
  return { passed: 0, failed: [], skipped: 0, output: '' }
}

async function one(name, args, again) {
  const { code, output } = await capture(python, args, { cwd: CLIENT })
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? [] : [{ name, again }], skipped: 0, output }
}

async function pytest(client) {
  const { code, output } = await capture(python, ['-m', 'pytest'], { cwd: CLIENT })
  const count = (word) => Number(output.match(new RegExp(`(\\d+) ${word}`))?.[1] ?? 0)
  const failed = [...output.matchAll(/^(?:FAILED|ERROR) (\S+)/gm)].map(([, name]) => ({ name, again: `${client} -m pytest '${name}'` }))
  if (code !== 0 && failed.length === 0) failed.push({ name: 'clients/django', again: `${client} -m pytest` })
  return { passed: count('passed'), failed, skipped: count('skipped'), output }
}

async function blogTests(blog) {
  const data = mkdtempSync(join(tmpdir(), 'edgekeep-blog-'))
  try {
    const env = { BLOG_DATA: data, BLOG_DEBUG: '1', EDGEKEEP_SECRET: '', BLOG_REQUEST_LOG: '', BLOG_COUNT_QUERIES: '' }
    const { code, output } = await capture(python, [join(BLOG, 'manage.py'), 'test'], { cwd: BLOG, env })
    const failed = [...output.matchAll(/^(?:FAIL|ERROR): \S+ \((\S+)\)/gm)].map(([, name]) => ({ name, again: `${blog} manage.py test ${name}` }))
    if (code !== 0 && failed.length === 0) failed.push({ name: 'blog', again: `${blog} manage.py test` })
    const all = Number(output.match(/^Ran (\d+) tests?/m)?.[1] ?? 0)
    return { passed: all - failed.length, failed, skipped: 0, output }
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
}
