// The numbers of a run, scene by scene, and how they are printed.

import { details } from '../../../scripts/replay/cache-status.mjs'

const COLUMNS = ['requests', 'right', 'stale', 'refused', 'cut', 'wrong', 'origin', 'worst', 'back']
const TIMES = new Set(['worst', 'back'])
const EXAMPLES_MAX = 5

export class Numbers {
  requests = 0
  right = 0
  stale = 0
  refused = 0
  cut = 0
  wrong = 0
  /** Of these, errors because another variant had replaced the stored response. */
  replaced = 0
  /** The entries that were lost so: each request for a lost entry is an error while the origin fails. */
  lostEntries = new Set()
  /** Requests at the origin. */
  origin = 0
  /** The longest time for a complete response, in milliseconds. */
  worst = 0
  /** Time after the fault until each isolate forwarded a response of the origin again, in milliseconds. */
  back = 0
  /** Count of each word in the `detail` of Cache-Status. */
  words = new Map()
  /** The first wrong responses. */
  examples = []

  /** @param {import('./judge.mjs').Exchange} exchange @param {import('./judge.mjs').Verdict} verdict */
  add(exchange, { verdict, why, replaced }) {
    this.requests += 1
    if (replaced) {
      this.replaced += 1
      this.lostEntries.add(`${exchange.page.target} ${exchange.gzip}`)
    }
    this[verdict] += 1
    this.worst = Math.max(this.worst, exchange.ended - exchange.began)
    for (const word of exchange.answer ? details(exchange.answer.cache) : []) this.words.set(word, (this.words.get(word) ?? 0) + 1)
    if (verdict === 'wrong' && this.examples.length < EXAMPLES_MAX) this.examples.push(example(exchange, why))
    return verdict
  }

  /** The wrong responses, for a failure message. */
  toString() {
    return `${this.wrong} of ${this.requests} responses are wrong. The first:\n\n${this.examples.join('\n\n')}`
  }

  wordsText() {
    const sorted = [...this.words].sort(([, a], [, b]) => b - a)
    return sorted.map(([word, count]) => `${word} ${count}`).join(', ')
  }
}

function example({ page, user, gzip, method = 'GET', etag, range, began, ended, answer }, why) {
  const options = [gzip && 'gzip', etag && `if not ${etag}`, range && `bytes ${range.join('-')}`].filter(Boolean).join(', ')
  const head = `${why}\n  ${method} ${page.target} for ${user} ${options} (${page.cacheControl}), sent at ${began}, response after ${ended - began} ms:`
  const text = answer === undefined ? '' : String(answer).split('\n').slice(0, 30).map((line) => `\n    ${line.slice(0, 200)}`).join('')
  return head + text
}

/** @param {Map<string, Numbers>} scenes @returns {string[]} lines */
export function table(scenes) {
  const all = new Numbers()
  for (const numbers of scenes.values()) {
    for (const column of COLUMNS) all[column] = TIMES.has(column) ? Math.max(all[column], numbers[column]) : all[column] + numbers[column]
  }
  const rows = [...scenes, ['all', all]]
  const width = Math.max(...rows.map(([name]) => name.length))
  const line = (name, cells) => name.padEnd(width) + cells.map((cell) => String(cell).padStart(9)).join('')
  const cells = (numbers) => COLUMNS.map((column) => (TIMES.has(column) ? `${numbers[column]} ms` : numbers[column]))
  return [line('', COLUMNS), ...rows.map(([name, numbers]) => line(name, cells(numbers)))]
}
