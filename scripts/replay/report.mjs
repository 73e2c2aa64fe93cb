// Compares the numbers of a replay: from the responses, from the worker's log and from the origin.

/** Adds up the worker's log lines. */
export class LogTally {
  requests = 0
  originRequests = 0
  kvReads = 0
  kvWrites = 0
  cacheWrites = 0
  refreshes = 0
  hits = { memory: 0, 'cache-api': 0, kv: 0 }
  problems = []

  add(line) {
    let entry
    try {
      entry = JSON.parse(line)
    } catch {
      return this.#problem(line)
    }
    if (entry?.event === 'request') this.requests += 1
    else if (entry?.event === 'refresh') this.refreshes += 1
    else if (entry?.event === 'problem') return this.#problem(line)
    else return
    this.originRequests += entry.origin ?? 0
    // A response with Vary may take two lookups.
    this.kvReads += entry.reads?.filter((tier) => tier === 'kv').length ?? 0
    this.kvWrites += entry.stores?.includes('kv') ? 1 : 0
    this.cacheWrites += entry.stores?.includes('cache-api') ? 1 : 0
    const served = entry.cache === 'hit' || entry.cache === 'stale'
    if (entry.event === 'request' && served && entry.tier in this.hits) this.hits[entry.tier] += 1
  }

  #problem(text) {
    this.problems.push(text)
  }
}

/** Differences between the three sources. */
export function contradictions(tally, log, origin) {
  const pairs = [
    ['requests: answered / in the log', tally.answers, log.requests],
    ['hits in memory: by Cache-Status / in the log', tally.byTier.memory, log.hits.memory],
    ['hits in the Cache API: by Cache-Status / in the log', tally.byTier['cache-api'], log.hits['cache-api']],
    ['hits in KV: by Cache-Status / in the log', tally.byTier.kv, log.hits.kv],
    ['hits: all / with a tier', tally.hits, tally.byTier.memory + tally.byTier['cache-api'] + tally.byTier.kv],
    ['origin requests: by the origin / in the log', origin.requests, log.originRequests],
    ['origin requests: by the origin / misses, passed and refreshed', origin.requests, tally.misses + tally.passed + log.refreshes],
  ]
  return pairs.filter(([, a, b]) => a !== b).map(([what, a, b]) => `${what}: ${number(a)} / ${number(b)}`)
}

export function report(tally, log, origin, bound) {
  const share = (n) => (bound.reads === 0 ? '-' : `${((100 * n) / bound.reads).toFixed(2)} %`)
  const lines = [
    ['requests', `${number(tally.answers)} in ${tally.seconds.toFixed(1)} s, ${number(tally.reads)} GET and HEAD, ${number(tally.passed)} passed through`],
    ['hits', `${number(tally.hits)} of ${number(bound.reads)} = ${share(tally.hits)}`],
    ['  in memory', number(tally.byTier.memory)],
    ['  in the Cache API', number(tally.byTier['cache-api'])],
    ['  in KV', number(tally.byTier.kv)],
    ['bound, raw targets', `${number(bound.raw)} of ${number(bound.reads)} = ${share(bound.raw)}  (unlimited time)`],
    ['bound, normalised', `${number(bound.normalized)} of ${number(bound.reads)} = ${share(bound.normalized)}  (unlimited time)`],
    ['misses that left nothing stored', `${number(tally.unstored)}  (HEAD of a page not held, no-store)`],
    ['stale answers', number(tally.stale)],
    ['origin requests', number(origin.requests)],
    ['KV reads, writes', `${number(log.kvReads)}, ${number(log.kvWrites)}`],
    ['Cache API writes', number(log.cacheWrites)],
    ['bytes saved', `${megabytes(tally.savedBytes)} of ${megabytes(tally.bodyBytes)} came from a tier; the origin sent ${megabytes(origin.bodyBytes)}`],
    ['hits, another status than the row', `${number(tally.otherStatus)}  (the page changed in the log while it was fresh here)`],
    ['hits, not the newest version', number(tally.olderVersion)],
    ['wrong bodies', number(tally.wrongCount)],
  ]
  return lines.map(([name, value]) => `${`${name}:`.padEnd(36)} ${value}`).join('\n')
}

const number = (n) => n.toLocaleString('en')
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
