// Parses an access log in the form of tests/data/blog-access-sample.tsv, and computes from the file the upper bound of hits
// of any cache.

const COLUMNS = ['seconds', 'client', 'method', 'target', 'status', 'bytes', 'user_agent']

/** Tracking parameters. The worker has its own list; this one is only for the bound. */
const TRACKING = /^(utm_.*|fbclid|gclid|gclsrc|dclid|msclkid|yclid|mc_cid|mc_eid|igshid)$/i

/**
 * @param {string} text
 * @param {string} file for messages
 * @param {number} [limit] rows to read
 * @param {(path: string, name: string) => boolean} [drops] whether a rule drops this query parameter
 * @returns {Row[]}
 * @typedef {{seconds: number, client: string, method: string, target: string, status: number, bytes: number,
 *   userAgent: string, key: string, reads: boolean}} Row
 */
export function parseLog(text, file, limit = Infinity, drops = () => false) {
  const lines = text.split('\n').filter((line) => line !== '')
  if (lines[0] !== COLUMNS.join('\t')) throw new Error(`${file}:1: expected the columns ${COLUMNS.join(', ')}, separated by tabs`)
  return lines.slice(1, limit + 1).map((line, index) => {
    const cells = line.split('\t')
    const [seconds, client, method, target, status, bytes, userAgent] = cells
    const numbers = [seconds, status, bytes].map(Number)
    if (cells.length !== COLUMNS.length || numbers.some((n) => !Number.isInteger(n) || n < 0) || !/^[A-Z]+$/.test(method)) {
      throw new Error(`${file}:${index + 2}: cannot read this line: ${line.slice(0, 200)}`)
    }
    const reads = method === 'GET' || method === 'HEAD'
    return { seconds: numbers[0], client, method, target, status: numbers[1], bytes: numbers[2], userAgent, key: normalize(target, drops), reads }
  })
}

/**
 * Hits of a cache with unlimited time and space in one data centre: every GET and HEAD except the first of its target.
 * Raw: targets as sent. Normalized: without tracking parameters, and equal when the decoded parameters are equal. Edgekeep
 * merges a little less: a stray `%` and `%25` are two targets, because some servers treat them differently.
 */
export function bounds(rows) {
  const reads = rows.filter((row) => row.reads)
  const distinct = (of) => new Set(reads.map(of)).size
  return {
    reads: reads.length,
    raw: reads.length - distinct((row) => row.target),
    normalized: reads.length - distinct((row) => meaning(row.key)),
  }
}

/** One spelling for equivalent targets: RFC 3986 §6.2.2, without tracking parameters, sorted by name. */
export function normalize(target, drops = () => false) {
  const [path, query = ''] = target.split(/\?(.*)/s)
  const parameters = query.split('&').filter((p) => p !== '' && !TRACKING.test(p.split('=')[0]) && !drops(path, p.split('=')[0]))
  const name = (parameter) => parameter.split('=')[0]
  const sorted = parameters.map(spell).toSorted((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0))
  return spell(path) + (sorted.length > 0 ? `?${sorted.join('&')}` : '')
}

function meaning(key) {
  const [path, query] = key.split(/\?(.*)/s)
  return JSON.stringify([path, ...new URLSearchParams(query ?? '')])
}

function spell(text) {
  return text.replace(/%[0-9a-f]{2}/gi, (code) => {
    const char = String.fromCharCode(parseInt(code.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(char) ? char : code.toUpperCase()
  })
}

/** Which query parameters these rules drop, by their `deny` lists: the first rule that matches a path decides. */
export function dropperOf(rules = []) {
  const lists = rules.map(({ path = '*', query = {} }) => {
    if (query.allow) throw new Error('replay reads query = { deny = […] } only')
    const pattern = path.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')
    return { pattern: new RegExp(`^${pattern}$`, 's'), deny: query.deny ?? [] }
  })
  return (path, name) => lists.find(({ pattern }) => pattern.test(path))?.deny.includes(name) ?? false
}
