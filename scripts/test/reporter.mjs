// A reporter for node --test: one line of JSON for each test that has ended, for scripts/test/node.mjs.

export default async function* reporter(events) {
  const names = [] // of the suites around a test, by depth
  for await (const { type, data } of events) {
    if (type === 'test:start') {
      names.length = data.nesting
      names.push(data.name)
    } else if (type === 'test:pass' || type === 'test:fail') {
      const isSuite = data.details?.type === 'suite' || data.name === data.file
      const result = data.skip !== undefined || data.todo !== undefined ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed'
      // A suite fails with its tests, and on its own only by a hook or a time limit.
      if (isSuite && (result !== 'failed' || data.details?.error?.failureType === 'subtestsFailed')) continue
      yield `${JSON.stringify({ name: data.name, depth: data.nesting, result })}\n`
    }
  }
}
