// npm run test:django: tests of the app for Django, of the example blog, and of both behind the built worker in workerd.
// Lists tests that were skipped without a browser at the end; with REQUIRE_BROWSER=1 they fail.

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
