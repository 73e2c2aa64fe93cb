// Parses the Cache-Status field (RFC 9211) in the form that Edgekeep writes.

/**
 * The parameters of one cache's member: a Map from name to value, `true` for a parameter without one.
 * Undefined when the field is missing or has no member of that cache.
 */
export function cacheStatus(field, cache = 'edgekeep') {
  for (const member of split(field ?? '', ',')) {
    const [name, ...parameters] = split(member, ';')
    if (name === cache) return new Map(parameters.map(parameter))
  }
  return undefined
}

/** The tier that served the response: the first part of `detail` (`cache-api/stale-if-error` -> `cache-api`). */
export function tierOf(status) {
  const tier = details(status)[0]
  return ['memory', 'cache-api', 'kv'].includes(tier) ? tier : undefined
}

/** The parts of `detail`, which Edgekeep separates by `/`. */
export function details(status) {
  const detail = status?.get('detail')
  return typeof detail === 'string' ? detail.split('/') : []
}

function parameter(text) {
  const equals = text.indexOf('=')
  if (equals < 0) return [text, true]
  const value = text.slice(equals + 1)
  const string = /^"(.*)"$/s.exec(value)
  return [text.slice(0, equals), string ? string[1].replace(/\\(["\\])/g, '$1') : value]
}

/** Splits at a separator outside of quoted strings. */
function split(text, separator) {
  const parts = ['']
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (quoted && c === '\\' && i + 1 < text.length) {
      parts[parts.length - 1] += c + text[++i]
      continue
    }
    if (c === '"') quoted = !quoted
    if (c === separator && !quoted) parts.push('')
    else parts[parts.length - 1] += c
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}
