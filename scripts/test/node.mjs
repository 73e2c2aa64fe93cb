// Jobs of test files for node --test.

import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { ROOT, Problem } from '../tools.mjs'
import { capture } from './jobs.mjs'

const REPORTER = join(ROOT, 'scripts', 'test', 'reporter.mjs')

/** The names of the test files in a folder, without `.test.mjs`. */
export function testFiles(folder) {
  const files = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.test.mjs')).sort()
  if (files.length === 0) throw new Problem(`There are no tests in ${folder}: the checkout is not whole.`)
  return files.map((name) => basename(name, '.test.mjs'))
}

/** A job that runs one file; `more` has the other fields of the job. */
export function nodeJob(part, folder, name, more) {
  const file = `${folder}/${name}.test.mjs`
  return { part, name, again: `npx node --test ${file}`, run: () => play(file), ...more }
}

async function play(file) {
  const folder = mkdtempSync(join(tmpdir(), 'edgekeep-test-'))
  const lines = join(folder, 'results')
  try {
    const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout', `--test-reporter=${REPORTER}`, `--test-reporter-destination=${lines}`]
    const { code, output } = await capture(process.execPath, ['--test', ...reporters, join(ROOT, file)])
    return { ...read(readFileSync(lines, 'utf8'), file, code), output }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function read(text, file, code) {
  const results = text.split('\n').filter(Boolean).map((line) => JSON.parse(line))
  const count = (result) => results.filter((other) => other.result === result).length
  const again = (name) => `npx node --test --test-name-pattern=${quoted(pattern(name))} ${file}`
  const failed = results.filter(({ result }) => result === 'failed').map(({ name }) => ({ name: `${file}: ${name}`, again: again(name) }))
  if (code !== 0 && failed.length === 0) failed.push({ name: file, again: `npx node --test ${file}` })
  return { passed: count('passed'), failed, skipped: count('skipped') }
}

/** A pattern that matches this name, and no longer name that starts with it. */
const pattern = (name) => `${name.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}$`

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`
