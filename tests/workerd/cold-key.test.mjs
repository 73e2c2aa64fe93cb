// Concurrent misses of one cache key in one isolate: each request gets a correct response, whether collapsed or not.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'

/** Whether concurrent misses of one key share one request to the origin. If not, only their responses are asserted. */
const COLLAPSES = true

const HOST = 'cold.test'
const MANY = 1_000
const LIMIT = { timeout: 600_000 }
const REQUEST_TIMEOUT_MS = 150_000

/**
 * workerd closes a connection whose request it has not read within 15 seconds (by a clock that stops while it is busy).
 * A thousand concurrent requests may take that long on a busy computer. The worker has not run then, and the request is
 * sent again. Any other error fails the test.
 */
const UNREAD_MS = 10_000

async function withRetry(ask) {
  const first = Date.now()
  for (;;) {
    const began = Date.now()
    try {
      return await ask()
    } catch (error) {
      const unread = error.cause?.code === 'ECONNRESET' && Date.now() - began >= UNREAD_MS
      if (!unread || Date.now() - first > REQUEST_TIMEOUT_MS) throw new Error(`${error.message}, ${Date.now() - began} ms after it was sent`, { cause: error })
    }
  }
}

describe('concurrent misses of one key', LIMIT, () => {
  let stand
  // On a busy computer a thousand connections to the origin may take a minute.
  before(async () => {
    stand = await Stand.start({ rules: { origin_timeout: 120, origin_deadline: 240, protection: { max_requests: 1_000, queue_timeout: 60 } } })
  })
  after(() => stand?.stop())

  const at = (path, count, fields = () => []) =>
    Promise.all(Array.from({ length: count }, (_, index) => withRetry(() => stand.get(HOST, path, fields(index), { timeout: REQUEST_TIMEOUT_MS }))))

  /** Prints and returns the number of requests at the origin. */
  function originRequests(t, path, answers) {
    const { length } = stand.origin.requests(HOST, path)
    const count = (test) => answers.filter(test).length
    const outcomes = `${count((a) => a.hit)} hits, ${count((a) => a.cache.has('collapsed'))} collapsed`
    t.diagnostic(`${answers.length} concurrent requests: ${length} requests at the origin (${outcomes})`)
    return length
  }

  function page(path, body, more = {}) {
    stand.origin.on(HOST, path, { status: 200, fields: [['Cache-Control', 'max-age=600']], body, slow: 1, ...more })
  }

  function assertComplete(answers, body) {
    for (const answer of answers) {
      assert.ok(answer.status === 200 && answer.complete && answer.body.equals(body), String(answer))
    }
  }

  it(`${MANY.toLocaleString('en')} requests for a short page are collapsed`, async (t) => {
    const body = Buffer.from('one page for a thousand readers\n'.repeat(300))
    page('/cold', body)
    const answers = await at('/cold', MANY)
    assertComplete(answers, body)
    const requests = originRequests(t, '/cold', answers)
    assert.ok(requests >= 1 && requests <= MANY)
    // A thousand requests keep a computer busy for seconds. Without a response after one second, three more requests are
    // forwarded, then four a second.
    if (COLLAPSES) assert.ok(requests <= 40)
    await stand.getHit(HOST, '/cold')
  })

  it('40 requests for a long chunked page, which is streamed to the tiers, are collapsed', async (t) => {
    const body = Buffer.alloc(400_000, 'a long page for forty readers\n')
    page('/long', body, { chunked: true })
    const answers = await at('/long', 40)
    assertComplete(answers, body)
    const requests = originRequests(t, '/long', answers)
    // On a busy computer storing the response may take longer than the followers wait.
    if (COLLAPSES) assert.ok(requests <= 10)
  })

  it('200 personal requests for one URL each get their own response', async (t) => {
    for (const [path, field] of [['/mine', (user) => ['Authorization', `Bearer ${user}`]], ['/session', (user) => ['Cookie', `sessionid=${user}`]]]) {
      stand.origin.on(HOST, path, (request, response) => {
        const user = /\w+-\d+/.exec(request.field('authorization') ?? request.field('cookie'))[0]
        setTimeout(() => response.writeHead(200, ['Cache-Control', 'private, max-age=60']).end(`for ${user}`), 500)
      })
      const answers = await at(path, 200, (index) => [field(`reader-${index}`)])
      answers.forEach((answer, index) => assert.equal(answer.text, `for reader-${index}`, String(answer)))
      assert.equal(originRequests(t, path, answers), 200)
    }
  })

  it('200 requests for a response with Set-Cookie each get their own response', async (t) => {
    let made = 0
    stand.origin.on(HOST, '/basket', (_, response) => {
      const basket = (made += 1)
      setTimeout(() => response.writeHead(200, ['Cache-Control', 'max-age=60', 'Set-Cookie', `basket=${basket}`]).end(`basket ${basket}`), 500)
    })
    const answers = await at('/basket', 200)
    assert.equal(new Set(answers.map((answer) => answer.text)).size, 200)
    for (const answer of answers) assert.equal(answer.field('set-cookie'), answer.text.replace(' ', '='), String(answer))
    assert.equal(originRequests(t, '/basket', answers), 200)
  })

  it('300 requests while the origin is down each get an error page', async (t) => {
    stand.origin.on(HOST, '/down', { down: true, status: 200, fields: [] })
    const answers = await at('/down', 300)
    for (const answer of answers) {
      assert.match(answer.text, /^[A-Z][a-z]+ [a-z ]+: [^\n]+\.\n$/, String(answer))
      assert.ok([502, 503, 504].includes(answer.status), String(answer))
    }
    originRequests(t, '/down', answers)
  })
})
