// Compares workers: windows of requests alternate in random order with those of the recipe, so that a disturbance of the
// machine affects all of them.

/** The article of a blog, with unsorted parameters and a tracking parameter. */
export const ARTICLE = '/blog/2026/some-article-title?b=2&a=1&utm_source=x'
const FILL_BYTES = 20_000_000

/** Concurrent requests: on a busy machine, sequential ones would mostly wait. */
const LANES = 8

/** Sends `count` requests, and checks each response. */
async function burst(worker, count, path, check) {
  let next = 0
  const lane = async () => {
    while (next < count) {
      const answer = await worker.send(path(next++))
      const problem = check(answer)
      if (problem) throw new Error(`${worker.name}: ${problem}\n${answer.head}\n${worker.log}`)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

export async function until(condition, what) {
  const deadline = Date.now() + 30_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`timeout after 30 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

const isPage = ({ status, size }) => (status === 200 && size === 2048 ? undefined : 'not the page')

/** A hit of Edgekeep must be in the tier that is measured. */
export function checksHit(worker, tier) {
  if (!worker.isOurs) return isPage
  const pattern = new RegExp(`^edgekeep; hit; .*detail=${tier}(;|$)`)
  return (answer) => isPage(answer) ?? (pattern.test(answer.field('cache-status')) ? undefined : `not a hit in ${tier}`)
}

/** Every half minute a page in memory is read from the Cache API again: such hits, a few of thousands, are included. */
const looseCheck = (worker, tier) => checksHit(worker, tier === 'memory' ? '(memory|cache-api)' : tier)

/** Requests a page until Edgekeep has it in memory, if memory is measured. */
export async function awaitTier(worker, path, tier) {
  if (!worker.isOurs || tier !== 'memory') return
  const deadline = Date.now() + 30_000
  while (checksHit(worker, tier)(await worker.send(path))) {
    if (Date.now() > deadline) throw new Error(`${worker.name} does not store the page in memory\n${worker.log}`)
  }
}

/** Stores the article, and purges a thousand other tags, so that lookups read the purge index. */
export async function prepare(worker, token) {
  const { backends } = worker
  const puts = backends.of('cache', 'PUT')
  const first = await worker.send(ARTICLE)
  if (isPage(first)) throw new Error(`${worker.name}: the first request failed:\n${first.head}\n${first.text()}\n${worker.log}`)
  await until(() => backends.of('cache', 'PUT') > puts, `the stored response of ${worker.name}`)
  await new Promise((resolve) => setTimeout(resolve, 200))
  if (!worker.isOurs) return
  const tags = Array.from({ length: 1000 }, (_, n) => `purged-${n}`)
  const order = { method: 'POST', body: JSON.stringify({ tags }), fields: [`Authorization: Bearer ${token}`, 'Content-Type: application/json'] }
  const receipt = await worker.send('/.edgekeep/purge', order)
  if (receipt.status !== 200) throw new Error(`the purge was refused:\n${receipt.text()}`)
}

/** The cost of a hit for each worker, by window. */
export async function hits(workers, { warm, rounds, size, tier = 'cache-api', path = ARTICLE }) {
  for (const worker of workers) {
    await awaitTier(worker, path, tier)
    await burst(worker, warm, () => path, looseCheck(worker, tier))
  }
  const requestCounts = workers.map(({ backends }) => backends.of('origin', 'GET'))
  const windows = await inTurn(workers, rounds, async (worker) => {
    const before = worker.used()
    await burst(worker, size, () => path, looseCheck(worker, tier))
    return (worker.used() - before) / size
  })
  for (const [n, { name, backends }] of workers.entries()) {
    if (backends.of('origin', 'GET') !== requestCounts[n]) throw new Error(`${name} sent requests to the origin: not all were hits`)
  }
  return windows
}

/** The cost of a miss for each worker, by window: of different pages, including the store after the response. */
export async function misses(workers, { warm, rounds, size, path }) {
  let next = 0
  const run = async (worker, count) => {
    const first = next
    next += count
    const { backends } = worker
    const puts = backends.of('cache', 'PUT')
    const before = worker.used()
    await burst(worker, count, (n) => path(first + n), isPage)
    await until(() => backends.of('cache', 'PUT') >= puts + count, `the stored responses of ${worker.name}`)
    return (worker.used() - before) / count
  }
  for (const worker of workers) await run(worker, warm)
  return inTurn(workers, rounds, (worker) => run(worker, size))
}

/** The cost of long bodies that are sent to a client and stored in two tiers: CPU time, and growth of memory. */
export async function fills(workers, { rounds }) {
  let next = 0
  const memory = new Map(workers.map(({ name }) => [name, []]))
  const fill = async (worker) => {
    const { backends } = worker
    backends.forget()
    const kept = () => backends.of('cache', 'PUT') + backends.of('kv', 'PUT')
    const before = { kept: kept(), used: worker.used(), kib: worker.memory('VmRSS') }
    worker.resetPeak()
    const answer = await worker.send(`/big/${FILL_BYTES}/${next++}`)
    if (answer.size !== FILL_BYTES) throw new Error(`${worker.name}: the body has ${answer.size} bytes\n${worker.log}`)
    await until(() => kept() >= before.kept + 2, `the stored responses of ${worker.name}`)
    memory.get(worker.name).push((worker.memory('VmHWM') - before.kib) * 1024)
    return worker.used() - before.used
  }
  for (const worker of workers) for (let n = 0; n < 3; n++) await fill(worker)
  for (const sizes of memory.values()) sizes.length = 0
  return { windows: await inTurn(workers, rounds, fill), memory }
}

/** CPU time from the start of the process to the first response, for `rounds` processes each. */
export async function startUps(starters, rounds, path) {
  return inTurn(starters, rounds, async ({ start }) => {
    const worker = await start()
    try {
      const answer = await worker.send(path)
      if (isPage(answer)) throw new Error(`${worker.name}: the first request failed:\n${answer.head}\n${worker.log}`)
      return worker.used()
    } finally {
      await worker.stop()
    }
  })
}

/** Measures each subject once a round, in random order. */
async function inTurn(subjects, rounds, measure) {
  const windows = new Map(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const subject of shuffled(subjects)) windows.get(subject.name).push(await measure(subject))
  }
  return windows
}

function shuffled(items) {
  const left = [...items]
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0])
}

const sum = (numbers) => numbers.reduce((total, n) => total + n, 0)
export const mean = (numbers) => sum(numbers) / numbers.length

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * The ratio of `own` to `other`, and its range in 95 of 100 draws of as many pairs (bootstrap). `of` reduces many numbers to
 * one: the mean of instructions, which include garbage collection; the median of times.
 */
export function compare(own, other, { of = mean, by = (a, b) => a / b } = {}) {
  const draws = Array.from({ length: 1000 }, () => {
    const picked = own.map(() => Math.floor(Math.random() * own.length))
    return by(of(picked.map((n) => own[n])), of(picked.map((n) => other[n])))
  })
  draws.sort((a, b) => a - b)
  return { value: by(of(own), of(other)), low: draws[25], high: draws[974] }
}
