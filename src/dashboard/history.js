// The history of orders: read once, and then told by the site's events (docs/events.md). Where they do not come, it is read
// again and again.

import { ask, token } from './api.js'
import { fill, row } from './dom.js'

/** How many orders are shown. */
const SHOWN = 50
/** How long after an attempt to open the events the next one comes, in milliseconds. */
const AGAIN_MS = 30_000
/** How often the site is told that its events arrive, in milliseconds and in events. It closes a connection that never tells. */
const PING_MS = 60_000
const PING_EVENTS = 50

const orders = new Map()
/** The sequence number up to which the history was read. */
let after = 0
/** The number up to which events came; 0 before the first. */
let reached = 0
let socket
let attempted = -Infinity

/** Reads what is new, unless events tell it. */
export async function readHistory() {
  if (socket?.readyState === WebSocket.OPEN && reached > 0) return
  for (let pages = 0; pages < 20; pages++) {
    const { purges, next } = await ask(`purges?after=${after}&limit=100`)
    for (const one of purges) orders.set(one.sequence, one)
    after = Math.max(after, next ?? 0, ...purges.map(({ sequence }) => sequence))
    if (next === null || next === undefined) break
  }
  show()
  watch()
}

/** Closes the events. */
export const stopHistory = () => socket?.close()

/** Opens the events after what is known. */
function watch() {
  const isOpen = socket && socket.readyState < WebSocket.CLOSING
  if (isOpen || performance.now() - attempted < AGAIN_MS) return
  attempted = performance.now()
  const address = new URL(`events?after=${Math.max(after, reached)}`, location.href)
  address.protocol = address.protocol.replace('http', 'ws')
  let opened
  try {
    opened = new WebSocket(address, ['edgekeep.v1', `edgekeep.token.${token()}`])
  } catch {
    return // The token has characters that a protocol cannot have.
  }
  socket = opened
  let unread = 0
  const ping = () => {
    unread = 0
    if (opened.readyState === WebSocket.OPEN) opened.send('ping')
  }
  const timer = setInterval(ping, PING_MS)
  opened.addEventListener('close', () => clearInterval(timer))
  opened.addEventListener('message', ({ data }) => {
    if (data === 'pong') return
    const { event, order, progress } = JSON.parse(data)
    reached = event
    if (order) {
      orders.set(order.sequence, order)
      after = Math.max(after, order.sequence)
    } else if (orders.has(progress?.sequence)) {
      Object.assign(orders.get(progress.sequence), progress)
    }
    if (order || progress) show()
    unread += 1
    if (unread >= PING_EVENTS) ping()
  })
}

function show() {
  const shown = [...orders.values()].sort((one, other) => other.sequence - one.sequence).slice(0, SHOWN)
  orders.clear()
  for (const one of shown) orders.set(one.sequence, one)
  fill('orders', shown.map((one) => {
    const purged = [...(one.hard ?? []), ...(one.soft ?? []).map((name) => `${name} (soft)`)].join(', ')
    const work = ['refresh', 'fast_lane'].filter((name) => one[name]).map((name) => `${name.replace('_', ' ')}: ${one[name].done} done, ${one[name].pending} pending, ${one[name].failed} failed`)
    return row([String(one.sequence), one.received_at, one.key ?? '', purged, work.join('; ')])
  }))
}
