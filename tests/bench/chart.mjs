// A chart of ratios: a bar for each, a mark for its spread, a line for the goal.

const WIDTH = 860
const LEFT = 330
const RIGHT = 60
const COLOURS = { edgekeep: '#1f6f8b', hono: '#c9c2b4', recipe: '#8d8778', goal: '#b3392b', ink: '#222', faint: '#777' }

export function chart(rows, unit) {
  const ratios = rows.filter((row) => row.unit?.startsWith('×'))
  const most = Math.max(...ratios.flatMap(({ value, high = 0, hono = 0, goal = 0 }) => [value, high, hono, goal, 1]))
  const scale = (value) => LEFT + (value / most) * (WIDTH - LEFT - RIGHT)
  const parts = []
  const labels = [] // above the lines
  let y = 64
  for (const row of ratios) {
    const bars = [['Edgekeep', row.value, COLOURS.edgekeep], row.hono && ['Hono', row.hono, COLOURS.hono], [base(row), 1, COLOURS.recipe]]
    const top = y
    parts.push(text(20, y + 12, row.what, 'bold'))
    for (const [name, value, colour] of bars.filter(Boolean)) {
      parts.push(text(LEFT - 8, y + 12, name, 'end'))
      parts.push(`<rect x="${LEFT}" y="${y}" width="${(scale(value) - LEFT).toFixed(1)}" height="16" fill="${colour}"/>`)
      labels.push(text(scale(value) + (name === 'Edgekeep' && row.high ? scale(row.high) - scale(value) : 0) + 6, y + 12, value.toFixed(2), ''))
      if (name === 'Edgekeep' && row.low !== undefined) parts.push(spread(scale(row.low), scale(row.high), y + 8))
      y += 20
    }
    if (row.goal !== undefined) parts.push(line(scale(row.goal), top - 5, scale(row.goal), y + 1, COLOURS.goal, 'stroke-dasharray="4 3"'))
    y += 20
  }
  const title = `${text(20, 26, 'What a request costs, relative to the usual recipe in JavaScript', 'title')}
${text(20, 44, `Requests by ${unit}, long bodies by CPU time, in plain workerd; less is better. The dashed line is the goal.`, 'faint')}`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="Helvetica, Arial, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${title}
${parts.concat(labels).join('\n')}
</svg>
`
}

const base = ({ unit }) => (unit === '× recipe' ? 'the recipe' : 'a JS tee')

function text(x, y, words, kind) {
  const style = { bold: 'font-weight="bold"', title: 'font-weight="bold" font-size="15"', end: 'text-anchor="end"', faint: '' }[kind] ?? ''
  const fill = kind === 'faint' || kind === 'end' ? COLOURS.faint : COLOURS.ink
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed?.(1) ?? x}" y="${y}" ${style} fill="${fill}" stroke="#fff" stroke-width="3" paint-order="stroke">${escaped}</text>`
}

function spread(low, high, y) {
  return line(low, y, high, y, COLOURS.ink) + line(low, y - 4, low, y + 4, COLOURS.ink) + line(high, y - 4, high, y + 4, COLOURS.ink)
}

const line = (x1, y1, x2, y2, colour, more = '') =>
  `<line x1="${x1.toFixed(1)}" y1="${y1}" x2="${x2.toFixed(1)}" y2="${y2}" stroke="${colour}" stroke-width="1.5" ${more}/>`
