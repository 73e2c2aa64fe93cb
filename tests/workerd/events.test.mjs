// Events over WebSockets between the watchers and the ledger's object: who sees what, that nothing is lost when watchers leave
// and come again or the object hibernates, and the limits.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import { Stand } from './stand.mjs'
import { Watcher } from './watcher.mjs'
import { sleep, until } from './wire.mjs'

const LIMIT = { timeout: 300_000 }
const tokenOf = (word) => `token_${word.repeat(8)}`
const ADMIN = tokenOf('0123')
const EDITOR = tokenOf('ed17')
const MORE = ['m0m0', 'm1m1', 'm2m2'].map(tokenOf)

const rules = {
  keys: [
    { name: 'editor', secret: 'EDITOR_SECRETS', may: { hosts: ['page.test'], tags: ['ed-*'] } },
    ...MORE.map((_, n) => ({ name: `more-${n}`, secret: `MORE_${n}`, may: {} })),
  ],
}
const vars = { EDITOR_SECRETS: EDITOR, ...Object.fromEntries(MORE.map((token, n) => [`MORE_${n}`, token])) }
const options = { rules, vars, secrets: ADMIN, workers: ['a', 'b'] }

/** A connection that stays open, for many orders. */
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
after(() => agent.destroy())

/** Sends an order; returns its receipt. */
function order(stand, body, token = ADMIN) {
  return new Promise((resolve, reject) => {
    const headers = { host: 'page.test', authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const request = http.request(`${stand.worker.url()}/.edgekeep/purge`, { agent, method: 'POST', headers }, async (response) => {
      const text = Buffer.concat(await response.toArray()).toString()
      if (response.statusCode === 200) resolve(JSON.parse(text))
      else reject(new Error(`${response.statusCode} ${text}`))
    })
    request.on('error', reject)
    request.end(JSON.stringify(body))
  })
}

/** The number of the run of the ledger's object: a new one after each start. */
async function runOf(stand) {
  const ledgers = await stand.worker.mf.getDurableObjectNamespace('EDGEKEEP_LEDGER', 'a')
  const feed = await (await ledgers.get(ledgers.idFromName('ledger')).fetch('https://ledger/news?after=0&wide=1')).text()
  return feed.split('\n')[0].split(' ')[6]
}

const ordersOf = (watcher) => watcher.messages.filter((message) => message.order).map((message) => message.order.sequence)

describe('a watcher', LIMIT, () => {
  let stand
  const open = []
  const watch = async (more) => {
    const watcher = await Watcher.connect(stand.worker.url(more?.at), { token: ADMIN, ...more })
    open.push(watcher)
    return watcher
  }
  before(async () => { stand = await Stand.start(options) })
  after(async () => {
    for (const watcher of open) watcher.drop()
    await stand?.stop()
  })

  it('proves itself by a field or by a protocol, and the answer names no token', async () => {
    const byField = await watch()
    assert.deepEqual([byField.status, byField.field('sec-websocket-protocol')], [101, undefined], byField.head)
    const byProtocol = await watch({ token: undefined, protocols: `edgekeep.v1, edgekeep.token.${ADMIN}` })
    assert.deepEqual([byProtocol.status, byProtocol.field('sec-websocket-protocol')], [101, 'edgekeep.v1'], byProtocol.head)
    assert.ok(!byProtocol.head.includes('token'))
    for (const watcher of [byField, byProtocol]) assert.ok(await watcher.count(1))
    const browser = new WebSocket(`${stand.worker.url()}/.edgekeep/events`, ['edgekeep.v1', `edgekeep.token.${ADMIN}`])
    const first = await new Promise((resolve, reject) => {
      browser.onmessage = resolve
      browser.onerror = reject
    })
    assert.deepEqual([browser.protocol, Object.keys(JSON.parse(first.data))], ['edgekeep.v1', ['event']])
    browser.close()
    for (const more of [{ token: undefined }, { token: `${ADMIN}x` }, { token: undefined, protocols: 'edgekeep.v1, edgekeep.token.' }]) {
      assert.equal((await watch(more)).status, 401)
    }
    assert.ok(!stand.raw.some((line) => line.includes(ADMIN)), 'no log line has the token')
  })

  it('gets 426 and a reason without an upgrade', async () => {
    const answer = await stand.get('events.test', '/.edgekeep/events', [['Authorization', `Bearer ${ADMIN}`]])
    // The runtime drops the field Upgrade of a response.
    assert.equal(answer.status, 426, String(answer))
    assert.match(JSON.parse(answer.text).detail, /wss:\/\//)
  })

  it('sees orders as they are accepted, in whichever isolate, and their work', async () => {
    const watchers = [await watch(), await watch({ at: 'b' })]
    stand.origin.on('page.test', '/work', { status: 200, fields: [['Cache-Control', 'max-age=600']], body: 'page' })
    const receipt = await order(stand, { files: [{ url: 'http://page.test/work', soft: true }], tags: ['x'], refresh: true })
    for (const watcher of watchers) {
      assert.ok(await watcher.count(3), JSON.stringify(watcher.messages))
      const [start, accepted, worked] = watcher.messages
      assert.deepEqual(Object.keys(start), ['event'])
      assert.deepEqual(accepted, { event: accepted.event, order: receipt })
      assert.deepEqual(worked.progress, { id: receipt.id, sequence: receipt.sequence, refresh: { pending: 0, done: 1, failed: 0 } })
      assert.ok(start.event < accepted.event && accepted.event < worked.event)
    }
  })

  it('with a limited key sees its own orders and what it may purge', async () => {
    const editor = await watch({ token: EDITOR })
    await order(stand, { tags: ['ed-1', 'other'], hosts: ['page.test', 'hidden.test'] })
    await order(stand, { tags: ['other'] })
    const own = await order(stand, { tags: ['ed-2'] }, EDITOR)
    await order(stand, { purge_everything: true })
    assert.ok(await editor.count(4), JSON.stringify(editor.messages))
    const [, first, second, third] = editor.messages
    assert.deepEqual([first.purged.hard, first.purged.soft], [['tag:ed-1', 'host:page.test'], []])
    assert.deepEqual(second.order, own)
    assert.deepEqual(third.purged.hard, ['everything'])
    assert.equal(editor.messages.length, 4)
    assert.ok(!JSON.stringify(editor.messages).match(/other|hidden|default/))
  })

  it('reads on after an event or after an order', async () => {
    const live = await watch()
    assert.ok(await live.count(1))
    const receipts = []
    for (const tag of ['one', 'two', 'three']) receipts.push(await order(stand, { tags: [tag] }))
    assert.ok(await live.count(4))
    for (const number of [live.messages[1].event, receipts[0].sequence]) {
      const later = await watch({ after: number })
      assert.ok(await later.count(3))
      assert.deepEqual(ordersOf(later).slice(-2), receipts.slice(1).map(({ sequence }) => sequence))
      assert.equal(later.messages.at(-1).event, live.messages[3].event)
    }
  })

  it('is closed if it sends anything but ping, which is answered', async () => {
    const watcher = await watch()
    watcher.say('ping')
    assert.ok(await until(() => watcher.pongs === 1, 5_000))
    assert.equal(watcher.closed, undefined)
    watcher.say('{"subscribe":"everything"}')
    assert.ok(await until(() => watcher.ended, 5_000))
    assert.equal(watcher.closed.code, 1008)
    // Codes that must not be sent are answered, too: such a watcher would keep its place.
    for (const [code, answer] of [[1000, 1000], [1001, 1001], [4000, 4000], [1005, 1005], [1004, 1005], [1015, 1005]]) {
      const other = await watch()
      other.close(code)
      assert.ok(await until(() => other.ended, 5_000), `its close by ${code} is answered`)
      assert.equal(other.closed.code, answer)
    }
  })

  it('is closed if too much waits without a ping, and loses nothing', async () => {
    const slow = await watch()
    const fast = await watch()
    assert.ok(await slow.count(1) && await fast.count(1))
    const first = fast.messages[0].event
    let characters = 0
    fast.onMessage = (_, length) => {
      characters += length
      if (characters > 32_000) {
        characters = 0
        fast.say('ping')
      }
    }
    const tags = Array.from({ length: 400 }, (_, n) => `a-tag-of-some-length-${n}`)
    const sequences = []
    for (let n = 0; n < 30; n++) {
      sequences.push((await order(stand, { tags })).sequence)
      await fast.count(2 + n)
    }
    assert.ok(await fast.count(31))
    assert.equal(fast.closed, undefined)
    assert.deepEqual(ordersOf(fast), sequences)
    assert.ok(await until(() => slow.closed, 5_000))
    assert.equal(slow.closed.code, 1013, JSON.stringify(slow.closed))
    // It reads on, as often as it has to.
    const seen = ordersOf(slow)
    let after = slow.messages.at(-1).event
    let connections = 0
    for (; connections < 20; connections++) {
      const again = await watch({ after })
      assert.ok(await until(() => again.closed || again.messages.some((message) => Object.keys(message).length === 1), 5_000))
      seen.push(...ordersOf(again))
      after = again.messages.at(-1).event
      if (!again.closed) break
      assert.equal(again.closed.code, 1013)
    }
    assert.deepEqual(seen, sequences)
    assert.ok(after > first && connections > 0, `${connections} connections`)
  })

  it('is served on while the object hibernates between two events', async () => {
    const watchers = [await watch(), await watch({ token: EDITOR })]
    await order(stand, { tags: ['ed-before'] })
    for (const watcher of watchers) assert.ok(await watcher.count(2))
    for (let n = 0; n < 3; n++) {
      const run = await runOf(stand)
      await stand.worker.mf.unsafeEvictDurableObject('a', 'Ledger', { name: 'ledger', webSockets: 'hibernate' })
      const { sequence } = await order(stand, { tags: [`ed-${n}`] })
      assert.notEqual(await runOf(stand), run, 'the object was started anew')
      for (const watcher of watchers) {
        assert.ok(await watcher.count(3 + n), JSON.stringify(watcher.messages))
        const last = watcher.messages.at(-1)
        assert.equal((last.order ?? last.purged).sequence, sequence)
      }
    }
    await sleep(300)
    await stand.worker.mf.unsafeEvictDurableObject('a', 'Ledger', { name: 'ledger', webSockets: 'hibernate' })
    for (const watcher of watchers) {
      assert.equal(watcher.messages.length, 5, 'nothing came twice')
      watcher.say('ping')
      assert.ok(await until(() => watcher.pongs === 1, 5_000))
    }
    // The runtime has answered the pings by itself.
    const evicted = stand.worker.mf.unsafeEvictDurableObject('a', 'Ledger', { name: 'ledger', webSockets: 'hibernate' })
    await assert.rejects(evicted, /not currently running/)
  })
})

describe('watchers', LIMIT, () => {
  it('of one key are at most 50, and 200 in all', async () => {
    const stand = await Stand.start(options)
    const open = []
    try {
      const watch = async (token) => {
        const watcher = await Watcher.connect(stand.worker.url(), { token })
        if (watcher.status === 101) open.push(watcher)
        return watcher
      }
      const fill = async (token) => {
        for (let n = 0; n < 50; n++) assert.equal((await watch(token)).status, 101, `watcher ${n}`)
        const full = await watch(token)
        assert.deepEqual([full.status, full.field('retry-after')], [503, '60'], full.head)
      }
      await fill(EDITOR)
      await fill(MORE[0])
      await fill(MORE[1])
      // The keys that are full keep no other key out.
      await fill(ADMIN)
      assert.equal((await watch(MORE[2])).status, 503)
      // All of them get what they may see, and those who leave make room.
      await order(stand, { purge_everything: true })
      for (const watcher of open) assert.ok(await watcher.count(2))
      open.pop().drop()
      open.pop().close()
      assert.ok(await until(async () => (await watch(MORE[2])).status === 101, 10_000, 100))
      await order(stand, { purge_everything: true })
      for (const watcher of open.slice(0, -1)) assert.ok(await watcher.count(3))
    } finally {
      for (const watcher of open) watcher.drop()
      await stand.stop()
    }
  })

  it('miss none of 10,000 orders and get none twice, although each leaves and comes again', async () => {
    const [ORDERS, WATCHERS] = [10_000, 50]
    const stand = await Stand.start(options)
    const all = Array.from({ length: WATCHERS }, (_, n) => ({ n, seen: [], connections: 0, leaves: 0, after: 0 }))
    let isOver = false
    let random = 17
    const next = (below) => {
      random = (random * 1_103_515_245 + 12_345) % 2_147_483_648
      return random % below
    }
    /** Watches until all is over, and leaves at random: by a close, a broken connection, or because it was closed. */
    async function keepWatching(one) {
      while (!isOver) {
        const watcher = await Watcher.connect(stand.worker.url(one.n % 2 ? 'a' : 'b'), { token: ADMIN, after: one.after })
        assert.equal(watcher.status, 101, watcher.head)
        one.connections += 1
        let unread = 0
        let left = 500 + next(4_000)
        watcher.onMessage = (message, length) => {
          // What arrives after it has left is not read: it reads that again.
          if (left === 0) return
          if (message.order) {
            one.seen.push(message.order.sequence)
            left -= 1
          }
          one.after = message.event
          unread += length
          if (unread > 16_000) {
            unread = 0
            watcher.say('ping')
          }
          if (left === 0) {
            one.leaves += 1
            if (next(2)) watcher.drop()
            else watcher.close()
          }
        }
        for (const message of watcher.messages) watcher.onMessage(message, 0)
        await until(() => watcher.ended || isOver, 250_000, 5)
        watcher.drop()
        await sleep(next(200))
      }
    }
    try {
      const watching = all.map(keepWatching)
      const sequences = []
      const began = Date.now()
      let sent = 0
      await Promise.all(Array.from({ length: 8 }, async () => {
        while (sent < ORDERS) {
          sent += 1
          sequences.push((await order(stand, { tags: [`t${sent}`] })).sequence)
        }
      }))
      const ordered = Date.now()
      sequences.sort((a, b) => a - b)
      const last = sequences.at(-1)
      const complete = await until(() => all.every(({ seen }) => seen.at(-1) === last), 60_000, 20)
      const took = Date.now()
      isOver = true
      await Promise.all(watching)
      for (const { n, seen } of all) assert.deepEqual(seen.length === ORDERS && seen, sequences, `watcher ${n}`)
      assert.ok(complete)
      for (const one of all) assert.ok(one.leaves > 0 && one.connections > 1, `watcher ${one.n} has left`)
      const connections = all.reduce((sum, one) => sum + one.connections, 0)
      console.log(`${ORDERS} orders in ${ordered - began} ms, seen by ${WATCHERS} watchers ${took - ordered} ms later, over ${connections} connections`)
    } finally {
      isOver = true
      await stand.stop()
    }
  })
})
