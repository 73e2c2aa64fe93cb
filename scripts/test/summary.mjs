// The summary at the end of npm test: counts and time of each part, and the commands to run failed tests again.

import { Problem, say } from '../tools.mjs'

/**
 * Prints it; throws if something failed.
 *
 * @param {[object, object][]} results of runJobs
 * @param {string[]} omitted tests that were not run, with the reason
 * @param {number} seconds wall-clock time
 */
export function summarize(results, omitted, seconds) {
  const parts = new Map()
  for (const [{ part }, { passed, failed, skipped, seconds }] of results) {
    const sums = parts.get(part) ?? { passed: 0, failed: 0, skipped: 0, seconds: 0 }
    parts.set(part, { passed: sums.passed + passed, failed: sums.failed + failed.length, skipped: sums.skipped + skipped, seconds: sums.seconds + seconds })
  }
  const cells = [...parts].map(([part, sums]) => [part, `${sums.passed}`, `${sums.failed}`, `${sums.skipped}`, minutes(sums.seconds)])
  const rows = [['', 'passed', 'failed', 'skipped', 'time of its jobs'], ...cells]
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  say(`\n${rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ')).join('\n')}`)
  say(`\nTogether, side by side: ${minutes(seconds)}.`)
  const notRun = [...omitted, ...results.flatMap(([, { omitted }]) => omitted ?? [])]
  if (notRun.length > 0) say(`Not run: ${notRun.join('; ')}.`)
  const failed = results.flatMap(([, { failed }]) => failed)
  if (failed.length === 0) return say('\nAll tests passed.')
  const lines = failed.map(({ name, again }) => `  ${name}\n    again: ${again}`)
  throw new Problem(`Failed:\n${lines.join('\n')}`)
}

const minutes = (seconds) => `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
