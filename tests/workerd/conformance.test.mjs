// Conformance tests for a shared cache: what RFC 9111 and related RFCs require (MUST), and what a good cache does beyond
// that (OPTIMAL), section by section, through the built worker in workerd. The tables are in conformance/.
// CONFORMANCE=word plays only the cases whose name contains the word.

import { after, before, describe, it } from 'node:test'
import { readdirSync } from 'node:fs'
import { Stand } from './stand.mjs'
import { play } from './conformance/play.mjs'

const AT_ONCE = 20
const FOLDER = new URL('conformance/', import.meta.url)

/** Only the settings of the transparent cache in docs/rules.md. The tables' fields are not in the key, so that `Vary` selects by them. */
// kv: without it, a response stored for a second or two is only in the Cache API, which here deletes it as soon as it expires.
const RULES = { defaults: { forward_headers: ['*', 'X-A', 'X-B'], request_directives: true, heuristic_freshness: true, kv: true } }

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.mjs') && name !== 'play.mjs').sort()
const tables = await Promise.all(files.map(async (name) => [name.replace('.mjs', ''), (await import(new URL(name, FOLDER))).default]))
const cases = tables.flatMap(([table, rows]) => rows.map((row, index) => ({ ...row, path: `/${table}/${index + 1}` })))
const word = process.env.CONFORMANCE ?? ''
const counts = { MUST: [0, 0], OPTIMAL: [0, 0], 'beyond the platform': [0, 0] }

let stand
before(async () => {
  stand = await Stand.start({ rules: RULES })
})
after(async () => {
  await stand?.stop()
  for (const [level, [passed, all]] of Object.entries(counts)) console.log(`${level}: ${passed} of ${all}`)
})

describe('conformance', { concurrency: AT_ONCE }, () => {
  for (const { level, section, title, path, steps, beyond, leftOut } of cases) {
    const name = `${level} ${section}: ${title} (${path})`
    if (!name.includes(word)) continue
    it(name, { timeout: 30_000, todo: beyond ?? leftOut }, async () => {
      const count = counts[beyond ? 'beyond the platform' : level]
      count[1] += 1
      await play(stand, path, steps)
      count[0] += 1
    })
  }
})
