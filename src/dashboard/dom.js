// Helpers for the document. All text is set as text, never as HTML: it may come from anywhere.

/** The element with an id. */
export const byId = (id) => document.getElementById(id)

/** A new element with a class and children, which are elements or texts. */
export function element(name, { className, ...properties } = {}, ...children) {
  const made = document.createElement(name)
  if (className) made.className = className
  Object.assign(made, properties)
  made.append(...children.filter((child) => child !== undefined && child !== null))
  return made
}

/** A row of a table. A number becomes a cell of digits; the first cell is a heading if `heading`. */
export function row(cells, { heading = false } = {}) {
  const cell = (content, at) => {
    if (heading && at === 0) return element('th', { scope: 'row' }, String(content))
    if (typeof content === 'number') return element('td', { className: 'number' }, content.toLocaleString('en'))
    if (/^[\d.]+ %$/.test(content)) return element('td', { className: 'number' }, content)
    return element('td', {}, content)
  }
  return element('tr', {}, ...cells.map(cell))
}

/** Replaces the rows of a table. */
export const fill = (table, rows) => byId(table).tBodies[0].replaceChildren(...rows)

/** A paragraph that says what went wrong. */
export const problem = (error) => element('p', { className: 'problem' }, error.message)
