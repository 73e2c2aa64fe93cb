// npm run test:frameworks [-- NAME ...]: real software behind the built worker, by tests/frameworks/*.test.mjs. Not part of npm
// test, because it takes minutes. Skips software that is not installed, with a message about the package; with
// REQUIRE_FRAMEWORKS=1 a skipped file fails.

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { ROOT, Problem, main, say } from './tools.mjs'

const FOLDER = join('tests', 'frameworks')

/** Runs a test file, shows its output, and returns whether it passed and the reason for a skipped test. */
function runFile(file) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--test', '--test-reporter=spec', file], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
      process.stdout.write(chunk)
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const skipped = [...output.matchAll(/# (.*: (?:apt-get|npm|pip) install .*)$/gm)].map(([, why]) => why)
      resolve({ passed: code === 0, skipped })
    })
  })
}

await main(import.meta.url, async (names) => {
  const all = readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith('.test.mjs')).sort()
  const files = names.length === 0 ? all : names.map((name) => `${name.replace(/\.test\.mjs$/, '')}.test.mjs`)
  for (const file of files) if (!all.includes(file)) throw new Problem(`There is no ${join(FOLDER, file)}; there are: ${all.join(', ')}`)
  await build()
  const failed = []
  const omitted = []
  // Sequentially, because each file starts its own servers.
  for (const file of files) {
    say(`${file} ...`)
    const { passed, skipped } = await runFile(join(FOLDER, file))
    if (!passed) failed.push(file)
    omitted.push(...new Set(skipped.map((why) => `${file} (${why})`)))
  }
  const rest = omitted.length > 0 ? `\nNot run: ${omitted.join('; ')}` : ''
  if (failed.length > 0 || (omitted.length > 0 && process.env.REQUIRE_FRAMEWORKS === '1')) throw new Problem(`Failed: ${failed.join('; ') || 'what did not run'}.${rest}`)
  say(`\nAll tests with frameworks passed.${rest}`)
})
