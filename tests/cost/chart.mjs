// Two charts over traffic: dollars for a million requests, and requests to the origin of a hundred.

const WIDTH = 860
const HEIGHT = 460
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 170, 64, 52]
const COLOURS = {
  'no cache': '#8d8778',
  'JS recipe': '#c9932b',
  'Workers Cache': '#7a5195',
  'kv = false': '#7fb7be',
  'kv = "earned"': '#1f6f8b',
  'kv = true': '#b3392b',
}

/** The charts of a report, by file name; none for a single month, or if settings are compared. */
export function charts({ figures, pops }) {
  const months = [...new Set(figures.map(({ requests }) => requests))]
  const isGrowth = months.length > 2 && figures.every(({ way }) => way in COLOURS)
  if (!isGrowth) return {}
  const dollars = {
    title: `Dollars for a million requests, ${pops} data centres`,
    note: 'Where all that the plan includes is used up; without its fee of 5 dollars a month. Bars: one standard error.',
    of: ({ dollars_a_million: value, dollars_a_million_error: error }) => ({ value, error }),
    log: true,
    unit: (value) => `$${value}`,
    skip: ['no cache'],
  }
  const origin = {
    title: `Requests to the origin of a hundred, ${pops} data centres`,
    note: 'Bars: one standard error.',
    of: ({ origin_requests, origin_requests_error, requests }) => ({
      value: (100 * origin_requests) / requests,
      error: (100 * origin_requests_error) / requests,
    }),
    log: false,
    unit: (value) => `${value}`,
    skip: [],
  }
  return { 'dollars.svg': chart(figures, months, dollars), 'origin.svg': chart(figures, months, origin) }
}

function chart(figures, months, { title, note, of, log, unit, skip }) {
  const ways = Object.keys(COLOURS).filter((way) => !skip.includes(way))
  const rows = figures.filter(({ way }) => ways.includes(way)).map((figure) => ({ ...figure, ...of(figure) }))
  const x = scale([Math.log10(Math.min(...months)), Math.log10(Math.max(...months))], [LEFT, WIDTH - RIGHT])
  const { ticks, range } = log ? decades(rows) : { ticks: [0, 20, 40, 60, 80, 100], range: [0, 100] }
  const y = scale(range, [HEIGHT - BOTTOM, TOP])
  const height = (value) => y(log ? Math.log10(value) : value)
  const parts = [text(LEFT, 26, title, 'font-weight="bold" font-size="15"'), text(LEFT, 44, note, 'fill="#777"')]
  for (const tick of ticks) {
    parts.push(line(LEFT, height(tick), WIDTH - RIGHT, height(tick), '#e4e0d8'), text(LEFT - 8, height(tick) + 4, unit(tick), 'text-anchor="end" fill="#777"'))
  }
  for (const month of months) {
    parts.push(text(x(Math.log10(month)), HEIGHT - BOTTOM + 20, `10^${Math.log10(month)}`, 'text-anchor="middle" fill="#777"'))
  }
  parts.push(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, 'requests a month', 'text-anchor="middle" fill="#777"'))
  const ends = []
  for (const way of ways) {
    const points = rows.filter((row) => row.way === way).map(({ requests, value, error }) => ({ at: x(Math.log10(requests)), value, error }))
    const path = points.map(({ at, value }) => `${at.toFixed(1)},${height(value).toFixed(1)}`).join(' ')
    parts.push(`<polyline points="${path}" fill="none" stroke="${COLOURS[way]}" stroke-width="2"/>`)
    for (const { at, value, error } of points) {
      parts.push(`<circle cx="${at.toFixed(1)}" cy="${height(value).toFixed(1)}" r="3" fill="${COLOURS[way]}"/>`)
      if (error > 0) parts.push(line(at, height(Math.max(value - error, value / 10)), at, height(value + error), COLOURS[way]))
    }
    ends.push({ way, y: height(points.at(-1).value) + 4 })
  }
  // The names at the ends of their lines, without overlap.
  ends.sort((a, b) => a.y - b.y)
  for (const [at, end] of ends.entries()) {
    if (at > 0) end.y = Math.max(end.y, ends[at - 1].y + 15)
  }
  let below = HEIGHT - BOTTOM + 21
  for (const end of ends.toReversed()) below = end.y = Math.min(end.y, below - 15)
  for (const { way, y: at } of ends) parts.push(text(WIDTH - RIGHT + 24, at, way, `fill="${COLOURS[way]}"`))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}

const scale = ([from, to], [low, high]) => (value) => low + ((value - from) / (to - from)) * (high - low)

/** Marks at 1, 2 and 5 of each power of ten in the range. */
function decades(rows) {
  const values = rows.map(({ value }) => value)
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const all = [-2, -1, 0, 1, 2, 3].flatMap((power) => [1, 2, 5].map((n) => Number((n * 10 ** power).toPrecision(3))))
  const low = all.findLast((tick) => tick <= least) ?? all[0]
  const high = all.find((tick) => tick >= most) ?? all.at(-1)
  return { ticks: all.filter((tick) => tick >= low && tick <= high), range: [Math.log10(low), Math.log10(high)] }
}

function text(x, y, words, more) {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped}</text>`
}

const line = (x1, y1, x2, y2, colour) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}" stroke-width="1.2"/>`
