// Hit rate, origin load, errors and stale answers: now, over 24 hours, and by host and rule.

import { ask } from './api.js'
import { byId, element, fill, row } from './dom.js'

const HIT = ['hit', 'stale', 'collapsed']
/** How many reasons a row of the table has. */
const REASONS = 4

const sums = () => ({ requests: 0, hits: 0, stale: 0, errors: 0, origin: 0, reasons: new Map() })

function add(to, { outcome, reason, requests, origin_requests: origin }) {
  to.origin += origin
  to.requests += requests
  if (HIT.includes(outcome)) to.hits += requests
  if (outcome === 'stale') to.stale += requests
  if (outcome === 'error') to.errors += requests
  if (requests > 0 && !HIT.includes(outcome)) {
    const why = reason ? `${outcome} (${reason})` : outcome
    to.reasons.set(why, (to.reasons.get(why) ?? 0) + requests)
  }
}

/** All pages of an answer. */
async function rowsOf(step, from) {
  const rows = []
  let answer
  for (let next = from, pages = 0; next !== null && pages < 20; pages++) {
    answer = await ask(`stats?step=${step}&from=${next}`)
    rows.push(...answer.rows.filter(({ outcome }) => outcome !== 'admin'))
    next = answer.next
  }
  return { rows, origins: answer.origins ?? [] }
}

const share = (part, whole) => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`)

export async function showStatistics() {
  const [minutes, hours] = await Promise.all([rowsOf('minute', '-10m'), rowsOf('hour', '-24h')])
  const [now, day] = [sums(), sums()]
  minutes.rows.forEach((one) => add(now, one))
  hours.rows.forEach((one) => add(day, one))
  const figures = [
    ['Hit rate', share(now.hits, now.requests), share(day.hits, day.requests)],
    ['Requests', now.requests, day.requests],
    ['Requests to origins', now.origin, day.origin],
    ['Stale answers', now.stale, day.stale],
    ['Errors', now.errors, day.errors],
  ]
  fill('figures', figures.map((cells) => row(cells, { heading: true })))
  showRules(hours.rows)
  await showCharts(hours.rows)
  showBreakers(hours.origins)
}

function showRules(rows) {
  const places = new Map()
  for (const one of rows) {
    const place = JSON.stringify([one.host, one.rule])
    if (!places.has(place)) places.set(place, { host: one.host, rule: one.rule, ...sums() })
    add(places.get(place), one)
  }
  const sorted = [...places.values()].sort((one, other) => other.requests - one.requests)
  fill('rules', sorted.map((place) => {
    const reasons = [...place.reasons].sort(([, one], [, other]) => other - one).slice(0, REASONS)
    const why = reasons.map(([word, count]) => `${word}: ${count.toLocaleString('en')}`).join(', ')
    return row([place.host, place.rule, place.requests, share(place.hits, place.requests), place.stale, place.errors, place.origin, why])
  }))
}

function showBreakers(origins) {
  const items = origins.map(({ host, origin, breaker }) =>
    element('li', { className: breaker === 'open' ? 'problem' : '' }, `${host} → ${origin}: ${breaker}`))
  byId('breakers').replaceChildren(...(items.length > 0 ? items : [element('li', {}, 'No origin was asked yet.')]))
}

const charts = new Map()

async function showCharts(rows) {
  const hour = 3600
  const last = Math.floor(Date.now() / 1000 / hour) * hour
  const times = Array.from({ length: 25 }, (_, at) => last - (24 - at) * hour)
  const byTime = new Map(times.map((time) => [time, sums()]))
  for (const one of rows) if (byTime.has(one.time)) add(byTime.get(one.time), one)
  const series = (name) => times.map((time) => byTime.get(time)[name])
  // Evaluated here, because it throws in a browser whose language it does not know.
  const { default: Chart } = await import('uplot').catch(() => ({}))
  chart(Chart, 'chart-requests', 'Requests and hits an hour', times, { Requests: series('requests'), Hits: series('hits') })
  chart(Chart, 'chart-origin', 'Requests to origins, errors and stale answers an hour', times, { 'To origins': series('origin'), Errors: series('errors'), Stale: series('stale') })
}

const COLOURS = ['#1971c2', '#2f9e44', '#e8590c']

function chart(Chart, id, label, times, values) {
  const place = byId(id)
  const names = Object.keys(values)
  const last = names.map((name) => `${name} ${values[name].at(-1) ?? 0}`).join(', ')
  place.setAttribute('role', 'img')
  place.setAttribute('aria-label', `${label}. In the last hour: ${last}.`)
  if (!Chart) {
    place.textContent = 'This browser cannot draw the chart.'
    return
  }
  const text = getComputedStyle(document.body).color
  const axis = { stroke: text, grid: { stroke: 'rgb(128 128 128 / .3)' } }
  charts.get(id)?.destroy()
  const options = {
    width: Math.max(place.clientWidth, 280),
    height: 200,
    legend: { live: false },
    axes: [axis, { ...axis, size: 60 }],
    scales: { y: { range: (_, __, max) => [0, Math.max(max, 1)] } },
    series: [{}, ...names.map((name, at) => ({ label: name, stroke: COLOURS[at], width: 2, points: { show: true } }))],
  }
  charts.set(id, new Chart(options, [times, ...names.map((name) => values[name])], place))
}
