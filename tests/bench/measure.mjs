// Workers side by side: windows of requests in random order, pair by pair with the recipe's, so that what disturbs the
// machine disturbs all of them.

/** The article of a blog, with parameters out of order and one that only a tracker wants. */
export const ARTICLE = '/blog/2026/some-article-title?b=2&a=1&utm_source=x'
const FILL_BYTES = 20_000_000

/** Requests that are on their way at once: on a busy machine, one after the other would mostly wait. */
const LANES = 8

/** Sends so many requests, and sees that each is answered as it should be. */
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
    if (Date.now() > deadline) throw new Error(`${what} did not come in 30 s`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

const isPage = ({ status, size }) => (status === 200 && size === 2048 ? undefined : 'not the page')

/** A hit of ours must be one of the tier that is measured. */
export function checksHit(worker, tier) {
  if (!worker.isOurs) return isPage
  const wanted = new RegExp(`^edgekeep; hit; .*detail=${tier}(;|$)`)
  return (answer) => isPage(answer) ?? (wanted.test(answer.field('cache-status')) ? undefined : `not a hit in ${tier}`)
}

/** Every half minute a page in memory is looked up in the Cache API anew: such hits, a few of thousands, are counted in. */
const looseCheck = (worker, tier) => checksHit(worker, tier === 'memory' ? '(memory|cache-api)' : tier)

/** Asks until a worker of ours has it in memory, if that is measured. */
export async function remember(worker, path, tier) {
  if (!worker.isOurs || tier !== 'memory') return
  const deadline = Date.now() + 30_000
  while (checksHit(worker, tier)(await worker.send(path))) {
    if (Date.now() > deadline) throw new Error(`${worker.name} does not take the page into memory\n${worker.log}`)
  }
}

/** Stores the article, and purges a thousand other things, so that the index has to be asked about it. */
export async function prepare(worker, token) {
  const { backends } = worker
  const puts = backends.of('cache', 'PUT')
  const first = await worker.send(ARTICLE)
  if (isPage(first)) throw new Error(`${worker.name}: the first request failed:\n${first.head}\n${first.text()}\n${worker.log}`)
  await until(() => backends.of('cache', 'PUT') > puts, `the copy of ${worker.name}`)
  await new Promise((resolve) => setTimeout(resolve, 200))
  if (!worker.isOurs) return
  const tags = Array.from({ length: 1000 }, (_, n) => `purged-${n}`)
  const order = { method: 'POST', body: JSON.stringify({ tags }), fields: [`Authorization: Bearer ${token}`, 'Content-Type: application/json'] }
  const receipt = await worker.send('/.edgekeep/purge', order)
  if (receipt.status !== 200) throw new Error(`the purge was refused:\n${receipt.text()}`)
}

/** Hits: what each of these workers uses for one, window by window. */
export async function hits(workers, { warm, rounds, size, tier = 'cache-api', path = ARTICLE }) {
  for (const worker of workers) {
    await remember(worker, path, tier)
    await burst(worker, warm, () => path, looseCheck(worker, tier))
  }
  const asked = workers.map(({ backends }) => backends.of('origin', 'GET'))
  const windows = await inTurn(workers, rounds, async (worker) => {
    const before = worker.used()
    await burst(worker, size, () => path, looseCheck(worker, tier))
    return (worker.used() - before) / size
  })
  for (const [n, { name, backends }] of workers.entries()) {
    if (backends.of('origin', 'GET') !== asked[n]) throw new Error(`${name} asked the origin: these were no hits`)
  }
  return windows
}

/** Misses: each of a page of its own, and with the copy that is put behind the answer. */
export async function misses(workers, { warm, rounds, size, path }) {
  let next = 0
  const run = async (worker, count) => {
    const first = next
    next += count
    const { backends } = worker
    const puts = backends.of('cache', 'PUT')
    const before = worker.used()
    await burst(worker, count, (n) => path(first + n), isPage)
    await until(() => backends.of('cache', 'PUT') >= puts + count, `the copies of ${worker.name}`)
    return (worker.used() - before) / count
  }
  for (const worker of workers) await run(worker, warm)
  return inTurn(workers, rounds, (worker) => run(worker, size))
}

/** Long bodies on their way to a client and two tiers: CPU time, and how far memory grows meanwhile. */
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
    await until(() => kept() >= before.kept + 2, `the copies of ${worker.name}`)
    memory.get(worker.name).push((worker.memory('VmHWM') - before.kib) * 1024)
    return worker.used() - before.used
  }
  for (const worker of workers) for (let n = 0; n < 3; n++) await fill(worker)
  for (const sizes of memory.values()) sizes.length = 0
  return { windows: await inTurn(workers, rounds, fill), memory }
}

/** CPU time from the start of the process to the first answer, `rounds` processes each. */
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

/** Measures each once a round, in an order that chance makes. */
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
 * How `own` is to `other`, and in which range that lies in 95 of 100 draws of as many pairs (bootstrap). `of` makes one
 * number of many: the mean of instructions, of which collecting garbage is a part; the median of times.
 */
export function compare(own, other, { of = mean, by = (a, b) => a / b } = {}) {
  const draws = Array.from({ length: 1000 }, () => {
    const picked = own.map(() => Math.floor(Math.random() * own.length))
    return by(of(picked.map((n) => own[n])), of(picked.map((n) => other[n])))
  })
  draws.sort((a, b) => a - b)
  return { value: by(of(own), of(other)), low: draws[25], high: draws[974] }
}
