// What a request would get, and why (docs/explain.md).

import { ask } from './api.js'
import { byId, element, problem } from './dom.js'

const MEANING = {
  hit: 'A client would get the stored response.',
  stale: 'A client would get the stored response, which is refreshed behind it.',
  revalidate: 'The origin would be asked whether the stored response is still good.',
  miss: 'The origin would be asked: no stored response can be used.',
  pass: 'The origin would get the request whole.',
  own: 'Edgekeep answers itself.',
  error: 'A client would get an error.',
}

export function startExplain() {
  byId('explain-url').value = `${location.origin}/`
  byId('explain-form').addEventListener('submit', async (event) => {
    event.preventDefault()
    const fields = byId('explain-fields').value.split('\n').filter((line) => line.trim() !== '')
    const query = new URLSearchParams([['url', byId('explain-url').value], ...fields.map((field) => ['header', field])])
    try {
      byId('explanation').replaceChildren(...parts(await ask(`explain?${query}`)))
    } catch (error) {
      byId('explanation').replaceChildren(problem(error))
    }
  })
}

function* parts({ expected, key, vary, purge_index: index, tiers, rule, notes = [] }) {
  const reason = expected.reason ? ` Reason: ${expected.reason}.` : ''
  yield element('p', {}, element('strong', {}, expected.result), ` – ${MEANING[expected.result] ?? ''}${reason}`)
  yield element('p', {}, 'Cache-Status: ', element('code', {}, expected.cache_status))
  for (const note of notes) yield element('p', { className: 'problem' }, note)
  if (key) {
    yield element('h3', {}, 'Key')
    yield element('pre', {}, key.text)
    yield list(key.changes.map(({ part, what, from, to, by }) => `${part} ${what}: ${from}${to ? ` → ${to}` : ''}${by ? ` (${by})` : ''}`))
  }
  if (Object.keys(vary ?? {}).length > 0) {
    yield element('h3', {}, 'Variant')
    yield list(Object.entries(vary).map(([name, value]) => `${name}: ${value ?? '(absent)'}`))
  }
  if (tiers.length > 0) yield element('h3', {}, 'Stored copies')
  yield list(tiers.flatMap(({ tier, used, copies }) => {
    if (!used) return [`${tier}: not used by this rule`]
    return copies.length === 0 ? [`${tier}: no copy`] : copies.map((copy) => `${tier}: ${copyText(copy)}`)
  }))
  if (index) yield element('p', {}, `Purge index: ${index.state}, up to ${index.sequence}.`)
  if (rule) {
    yield element('h3', {}, `Rule: ${rule.name}`)
    yield list(rule.settings.filter(({ from }) => from !== 'default').map(({ name, value, from }) => `${name} = ${JSON.stringify(value)} (${from})`))
  }
}

function copyText({ verdict, status, age, ttl, tags = [], purge, filled_under: under }) {
  const purged = purge ? `; ${purge.effect} purge ${purge.sequence ?? ''}: ${purge.by}` : ''
  return `${verdict}, status ${status}, age ${age} s, ttl ${ttl} s, filled under ${under}${tags.length > 0 ? `; tags ${tags.join(', ')}` : ''}${purged}`
}

const list = (texts) => element('ul', {}, ...texts.map((text) => element('li', {}, text)))
