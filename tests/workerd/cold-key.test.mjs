// Many at once for a page that nobody has yet, in one isolate: each gets a right answer, whoever it shared it with.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { Stand } from './stand.mjs'

/** Whether concurrent misses of one key share one request to the origin. If not, only their answers are asserted. */
const COLLAPSES = true

const HOST = 'cold.test'
const MANY = 1_000
const LIMIT = { timeout: 600_000 }
const PATIENCE_MS = 150_000

/**
 * workerd closes a connection whose request it has not read within 15 seconds (by a clock that stands while it is busy),
 * which a thousand at once may take on a busy computer. Nothing of the worker's has happened then, and the request is sent
 * again; any other failure is one.
 */
const UNREAD_MS = 10_000

async function patiently(ask) {
  const first = Date.now()
  for (;;) {
    const began = Date.now()
    try {
      return await ask()
    } catch (error) {
      const unread = error.cause?.code === 'ECONNRESET' && Date.now() - began >= UNREAD_MS
      if (!unread || Date.now() - first > PATIENCE_MS) throw new Error(`${error.message}, ${Date.now() - began} ms after it was sent`, { cause: error })
    }
  }
}

describe('many at once on one cold key', LIMIT, () => {
  let stand
  // A thousand connections to the origin may take a busy computer a minute.
  before(async () => {
    stand = await Stand.start({ rules: { origin_timeout: 120, origin_deadline: 240, protection: { max_requests: 1_000, queue_timeout: 60 } } })
  })
  after(() => stand?.stop())

  const at = (path, count, fields = () => []) =>
    Promise.all(Array.from({ length: count }, (_, index) => patiently(() => stand.get(HOST, path, fields(index), { timeout: PATIENCE_MS }))))

  /** Prints and returns how many requests the origin got. */
  function asked(t, path, answers) {
    const { length } = stand.origin.requests(HOST, path)
    const count = (test) => answers.filter(test).length
    const ways = `${count((a) => a.hit)} hits, ${count((a) => a.cache.has('collapsed'))} collapsed`
    t.diagnostic(`${answers.length} at once: the origin got ${length} requests (${ways})`)
    return length
  }

  function page(path, body, more = {}) {
    stand.origin.on(HOST, path, { status: 200, fields: [['Cache-Control', 'max-age=600']], body, slow: 1, ...more })
  }

  function allRight(answers, body) {
    for (const answer of answers) {
      assert.ok(answer.status === 200 && answer.complete && answer.body.equals(body), String(answer))
    }
  }

  it(`${MANY.toLocaleString('en')} for a page`, async (t) => {
    const body = Buffer.from('one page for a thousand readers\n'.repeat(300))
    page('/cold', body)
    const answers = await at('/cold', MANY)
    allRight(answers, body)
    const requests = asked(t, '/cold', answers)
    assert.ok(requests >= 1 && requests <= MANY)
    // A thousand keep a computer busy for seconds: where the page has not come after one, three more ask, and four each second.
    if (COLLAPSES) assert.ok(requests <= 40)
    await stand.getHit(HOST, '/cold')
  })

  it('40 for a long page of unknown length, which is streamed to the tiers', async (t) => {
    const body = Buffer.alloc(400_000, 'a long page for forty readers\n')
    page('/long', body, { chunked: true })
    const answers = await at('/long', 40)
    allRight(answers, body)
    const requests = asked(t, '/long', answers)
    // On a busy computer the copy may take longer than the others wait for it.
    if (COLLAPSES) assert.ok(requests <= 10)
  })

  it('200 for pages of their own at one address: nobody gets another one', async (t) => {
    for (const [path, field] of [['/mine', (who) => ['Authorization', `Bearer ${who}`]], ['/session', (who) => ['Cookie', `sessionid=${who}`]]]) {
      stand.origin.on(HOST, path, (request, response) => {
        const who = /\w+-\d+/.exec(request.field('authorization') ?? request.field('cookie'))[0]
        setTimeout(() => response.writeHead(200, ['Cache-Control', 'private, max-age=60']).end(`for ${who}`), 500)
      })
      const answers = await at(path, 200, (index) => [field(`reader-${index}`)])
      answers.forEach((answer, index) => assert.equal(answer.text, `for reader-${index}`, String(answer)))
      assert.equal(asked(t, path, answers), 200)
    }
  })

  it('200 for a page that turns out to be nobody else’s: each gets one made for itself', async (t) => {
    let made = 0
    stand.origin.on(HOST, '/basket', (_, response) => {
      const basket = (made += 1)
      setTimeout(() => response.writeHead(200, ['Cache-Control', 'max-age=60', 'Set-Cookie', `basket=${basket}`]).end(`basket ${basket}`), 500)
    })
    const answers = await at('/basket', 200)
    assert.equal(new Set(answers.map((answer) => answer.text)).size, 200)
    for (const answer of answers) assert.equal(answer.field('set-cookie'), answer.text.replace(' ', '='), String(answer))
    assert.equal(asked(t, '/basket', answers), 200)
  })

  it('300 while the origin is down: each is told so', async (t) => {
    stand.origin.on(HOST, '/down', { down: true, status: 200, fields: [] })
    const answers = await at('/down', 300)
    for (const answer of answers) {
      assert.match(answer.text, /^[A-Z][a-z]+ [a-z ]+: [^\n]+\.\n$/, String(answer))
      assert.ok([502, 503, 504].includes(answer.status), String(answer))
    }
    asked(t, '/down', answers)
  })
})
