// The dashboard: signs in with a token, and shows what Edgekeep's own addresses say (docs/dashboard.md).

import { Refused, ask, forgetToken, keepToken, token } from './api.js'
import { byId } from './dom.js'
import { startExplain } from './explain.js'
import { readHistory, stopHistory } from './history.js'
import { startPurge } from './purge.js'
import { showStatistics } from './statistics.js'

/** How often the statistics are read again while the page is visible, and the history where no events tell it. */
const STATISTICS_MS = 30_000
const HISTORY_MS = 5_000
/** What to say after the page was loaded again. */
const MESSAGE = 'edgekeep-message'

const say = (text) => { byId('status').textContent = text }
let timers = []

byId('site').textContent = location.host
startExplain()
startPurge(() => read(readHistory))
/** The problem of each work that failed the last time. */
const problems = new Map()
const running = new Set()

byId('sign-in').addEventListener('submit', (event) => {
  event.preventDefault()
  keepToken(byId('token').value.trim())
  byId('token').value = ''
  signIn()
})
byId('sign-out').addEventListener('click', () => signOut(''))

async function signIn() {
  try {
    await ask('purges?limit=1')
    say('')
  } catch (error) {
    if (error.status === 401) return signOut('This token is not accepted.')
    // The ledger may be down, when explanations are most needed.
    say(error.message)
  }
  for (const id of ['content', 'sign-out']) byId(id).hidden = false
  byId('sign-in').hidden = true
  const all = () => [read(statistics), read(readHistory)]
  all()
  timers = [every(STATISTICS_MS, statistics), every(HISTORY_MS, readHistory)]
}

/** Forgets the token. A page that has shown something is loaded again, so that the next user of the tab sees none of it. */
function signOut(why) {
  forgetToken()
  stopHistory()
  timers.forEach(clearInterval)
  if (!byId('content').hidden) {
    sessionStorage.setItem(MESSAGE, why)
    return location.reload()
  }
  say(why)
  byId('token').focus()
}

const every = (ms, work) => setInterval(() => { if (!document.hidden) read(work) }, ms)

/** Does some work, unless it is being done, and says what fails. */
async function read(work) {
  if (running.has(work)) return
  running.add(work)
  try {
    await work()
    problems.delete(work)
  } catch (error) {
    if (error.status === 401) return signOut('This token is not accepted any more.')
    problems.set(work, error.message)
  } finally {
    running.delete(work)
  }
  say([...new Set(problems.values())].join('\n'))
}

/** A key without `stats` may still purge and read its own orders. */
async function statistics() {
  const place = byId('statistics-problem')
  try {
    await showStatistics()
    place.hidden = true
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 403) throw error
    place.textContent = error.message
    place.hidden = false
    byId('statistics-content').hidden = true
  }
}

say(sessionStorage.getItem(MESSAGE) ?? '')
sessionStorage.removeItem(MESSAGE)
if (token()) signIn()
