// Jobs of the native tests: one job compiles all test binaries, and adds a job for each of them.

import { basename } from 'node:path'
import { capture } from './jobs.mjs'

const PART = 'native'
/** With the command `edgekeep`, which tests in workerd run, too. */
const FEATURES = ['--features', 'cli']
/** The long ones first, so that the others run on the other core. */
const FIRST = ['simulation', 'hostile']

/** @param {{ without?: string[] }} [options] test binaries that are left out */
export function nativeJobs({ without = [] } = {}) {
  return [{ part: PART, name: 'compile', slots: 2, again: `cargo test --no-run ${FEATURES.join(' ')}`, run: () => compile(without) }]
}

async function compile(without) {
  const { code, output } = await capture('cargo', ['test', '--no-run', ...FEATURES])
  const binaries = [...output.matchAll(/^ *Executable (?:unittests )?\S+ \((.+)\)$/gm)].map(([, path]) => ({ path, name: basename(path).replace(/-[0-9a-f]+(\.exe)?$/, '') }))
  const failed = code === 0 && binaries.length > 0 ? [] : [{ name: 'compile', again: `cargo test --no-run ${FEATURES.join(' ')}` }]
  const rank = ({ name }) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length)
  const kept = binaries.filter(({ name }) => !without.includes(name)).sort((a, b) => rank(a) - rank(b))
  const more = failed.length > 0 ? [] : kept.map(({ name, path }) => ({ part: PART, name, slots: 2, again: again(name), run: () => play(name, path) }))
  return { passed: 0, failed, skipped: 0, output, more }
}

/** The command that runs a binary's tests again. */
const again = (name) => ['cargo test', ...(name === 'cli' ? FEATURES : []), '--test', name].join(' ')

async function play(name, path) {
  // One core each: another test or the build of the worker runs on the other core.
  const { code, output } = await capture(path, [], { env: { RUST_TEST_THREADS: '1' } })
  const [, passed, ignored] = output.match(/^test result: .* (\d+) passed; \d+ failed; (\d+) ignored/m) ?? [null, '0', '0']
  const names = [...output.matchAll(/^test (\S+) \.\.\. FAILED$/gm)].map(([, test]) => test)
  const failed = names.map((test) => ({ name: `${name}: ${test}`, again: `${again(name)} ${test} -- --exact` }))
  if (code !== 0 && failed.length === 0) failed.push({ name, again: again(name) })
  return { passed: Number(passed), failed, skipped: Number(ignored), output }
}
