// Plays the stories of tests/stories in workerd. The same files run natively in the simulated world.

import { after, before, describe, it } from 'node:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { secretsOf, variable } from './secrets.mjs'
import { Stand } from './stand.mjs'
import { merge, parseStory } from './story.mjs'
import { runStory } from './story-run.mjs'

const FOLDER = fileURLToPath(new URL('../stories', import.meta.url))
const LIMIT = { timeout: 90_000 }

const stories = []
for (const name of readdirSync(FOLDER).filter((name) => name.endsWith('.story')).sort()) {
  const file = join(FOLDER, name)
  try {
    stories.push(parseStory(readFileSync(file, 'utf8'), file))
  } catch (error) {
    it(`${name} can be parsed`, () => { throw error })
  }
}

const playable = stories.filter((story) => !story.onlyNative)
// All stories of a worker share its settings and its counts of an origin.
const hasBackup = (story) => story.steps.some((step) => step.at === 'backup')
const alone = playable.filter((story) => Object.keys(story.settings).length > 0 || hasBackup(story))
const sequential = playable.filter((story) => !alone.includes(story) && affectsOthers(story, playable))
const together = playable.filter((story) => !alone.includes(story) && !sequential.includes(story))

// More stories at a time would delay each other, and their times are seconds.
play('stories', together, { concurrency: 12 })
// Each of these starts a workerd, which takes a core for a second; afterwards stories mostly wait.
describe('stories with a separate worker', { concurrency: 4 }, () => {
  play('stories whose purges affect other hosts', sequential, { concurrency: false })
  for (const story of alone) play(`separate worker: ${story.name}`, [story], {})
})

for (const story of stories.filter((story) => story.onlyNative)) it(story.name, { skip: 'only native' }, () => {})

function play(title, stories, options) {
  if (stories.length === 0) return
  describe(title, options, () => {
    let stand
    before(async () => {
      const of = (field) => stories.flatMap((story) => story[field])
      const names = ['default', ...of('keys').map((key) => key.name)]
      const vars = Object.fromEntries(names.map((name) => [variable(name), secretsOf(name)]))
      const rules = { rules: of('rules'), keys: of('keys'), cascades: of('cascades'), protection: { breaker_failures: 0, retry_budget: 100 } }
      for (const story of stories) merge(rules, story.settings)
      stand = await Stand.start({ rules, vars, workers: ['a', 'b'], backup: stories.some(hasBackup) })
      for (const at of ['a', 'b']) await stand.get('start.test', '/', [], { at }) // the first request of an isolate is slow
    })
    after(() => stand?.stop())
    for (const story of stories) it(story.name, LIMIT, () => runStory(story, stand))
  })
}

/** Whether a story purges everything, or a tag of another story: such a purge affects other hosts. */
function affectsOthers(story, stories) {
  const accepted = story.steps.filter((step) => step.expected?.status === 200)
  const orders = accepted.map((step) => step.json ?? step.request?.body ?? '').join('\n')
  const everything = accepted.some((step) => step.request?.target.endsWith('/purge_all'))
  if (everything || orders.includes('"purge_everything"')) return true
  const lists = [...orders.matchAll(/"tags"\s*:\s*\[([^\]]*)\]/g)].map(([, list]) => list)
  const tags = lists.flatMap((list) => [...list.matchAll(/"([^"]*)"/g)].map(([, tag]) => tag))
  return stories.some((other) => other !== story && tags.some((tag) => tagsOf(other).has(tag)))
}

function tagsOf(story) {
  const fields = story.steps.flatMap((step) => step.plan?.fields ?? [])
  const values = fields.filter(([name]) => /^(cache-tag|surrogate-key|xkey)$/i.test(name)).map(([, value]) => value)
  return new Set([...values.flatMap((value) => value.split(/[\s,]+/)), ...story.rules.flatMap((rule) => rule.tags ?? [])])
}
