// Orders: a dry run first, and what it shows can then be sent.

import { ask } from './api.js'
import { byId, element, problem } from './dom.js'

/** How often an order is followed until it is in force, and how long, in milliseconds. */
const FOLLOW_MS = 1_000
const FOLLOW_MAX_MS = 120_000

/** The order of the form. */
function order() {
  const kind = byId('purge-kind').value
  const names = byId('purge-values').value.split('\n').map((line) => line.trim()).filter((line) => line !== '')
  if (kind !== 'everything' && names.length === 0) throw new Error('Name what to purge, one name a line.')
  return {
    ...(kind === 'everything' ? { purge_everything: true } : { [kind]: names }),
    ...(byId('purge-soft').checked && { soft: true }),
    ...(byId('purge-refresh').checked && { refresh: true }),
  }
}

const show = (...parts) => byId('purge-result').replaceChildren(...parts)

export function startPurge(onOrder) {
  byId('purge-kind').addEventListener('change', () => {
    byId('purge-values').disabled = byId('purge-kind').value === 'everything'
  })
  // What was shown by a dry run must be what is sent.
  byId('purge-form').addEventListener('input', () => show())
  byId('purge-form').addEventListener('submit', async (event) => {
    event.preventDefault()
    try {
      const wanted = order()
      const dry = await ask('purge', { ...wanted, dry_run: true })
      show(...dryParts(dry, wanted, onOrder))
    } catch (error) {
      show(problem(error))
    }
  })
}

function dryParts(dry, wanted, onOrder) {
  const refused = dry.refused ?? []
  const found = [
    element('h3', {}, 'Dry run: nothing is done yet'),
    ...['hard', 'soft', 'refresh'].map((name) => ({ name, list: dry[name] ?? [] })).filter(({ list }) => list.length > 0)
      .map(({ name, list }) => element('p', {}, `${name}: ${list.join(', ')}`)),
    ...Object.entries(dry.cascade ?? {}).map(([tag, carried]) => element('p', {}, `${tag} carries ${carried.join(', ')}`)),
    ...refused.map(({ path, detail }) => element('p', { className: 'problem' }, `${path}: ${detail}`)),
  ]
  if (refused.length > 0) return [...found, element('p', { className: 'problem' }, 'Parts of this order would be refused, so it cannot be sent.')]
  const send = element('button', { type: 'button', className: 'danger' }, 'Purge now')
  send.addEventListener('click', () => perform(wanted, send, onOrder))
  if (!wanted.purge_everything) return [...found, send]
  const confirm = element('input', { type: 'checkbox', id: 'purge-confirm' })
  send.disabled = true
  // The form's listener would remove this.
  confirm.addEventListener('input', (event) => event.stopPropagation())
  confirm.addEventListener('change', () => { send.disabled = !confirm.checked })
  return [...found, element('label', { className: 'check' }, confirm, ' Every page of every host, yes'), send]
}

async function perform(wanted, button, onOrder) {
  button.disabled = true
  let receipt
  try {
    receipt = await ask('purge', wanted)
  } catch (error) {
    return show(problem(error))
  }
  const state = element('p', {}, 'Accepted. It will be in force everywhere at ', receipt.in_force_at, '.')
  show(element('h3', {}, `Order ${receipt.sequence}`), state)
  onOrder()
  try {
    const isDone = await followed(receipt)
    state.textContent = isDone ? 'In force everywhere.' : 'In force everywhere. Its refreshes and calls of the fast lane are not done yet: see the history.'
    state.className = 'good'
    onOrder()
  } catch (error) {
    // The order stands, whatever became of the question about it.
    state.append(` It cannot be followed: ${error.message}`)
  }
}

/** Waits until an order is in force, and for its work; returns whether that is done. */
async function followed({ id, received_at: received, in_force_at: at }) {
  const lag = Math.max(0, Date.parse(at) - Date.parse(received))
  await new Promise((resolve) => setTimeout(resolve, lag))
  for (const from = performance.now(); performance.now() - from < FOLLOW_MAX_MS;) {
    const past = await ask(`purges/${encodeURIComponent(id)}`)
    if ([past.refresh, past.fast_lane].every((work) => !work || work.pending === 0)) return true
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS))
  }
  return false
}
