// npm run test:django: the app for Django, the example blog, and the two of them behind the built worker in workerd.
// What cannot run, for want of a browser, is said at the end; with REQUIRE_BROWSER=1 it fails, too.

import { build } from './build.mjs'
import { checkPython } from './django/venv.mjs'
import { Problem, main } from './tools.mjs'
import { browserMissing, djangoJobs } from './test/django.mjs'
import { runJobs } from './test/jobs.mjs'
import { summarize } from './test/summary.mjs'

/** How many jobs run side by side. */
const SLOTS = 2

await main(import.meta.url, async (args) => {
  if (args.length > 0) throw new Problem('npm run test:django takes no options; to run one file: npx node --test tests/django/NAME.test.mjs')
  const from = performance.now()
  checkPython('')
  await build()
  const results = await runJobs(djangoJobs([], SLOTS), SLOTS)
  summarize(results, await browserMissing(), (performance.now() - from) / 1000)
})
