// The dashboard: signs in with a token, and shows what Edgekeep's own addresses say (docs/dashboard.md).

import { Refused, ask, forgetToken, keepToken, token } from './api.js'
import { byId } from './dom.js'
import { startExplain } from './explain.js'
import { forgetHistory, readHistory, startPurge } from './purge.js'
import { showStatistics } from './statistics.js'

/** How often the statistics and the history are read again, while the page is visible. */
const STATISTICS_MS = 30_000
const HISTORY_MS = 5_000

const say = (text) => { byId('status').textContent = text }
let timers = []

byId('site').textContent = location.host
startExplain()
startPurge(() => read(readHistory))

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
  } catch (error) {
    return signOut(error.status === 401 ? 'This token is not accepted.' : error.message)
  }
  say('')
  show(true)
  const all = () => [read(statistics), read(readHistory)]
  all()
  timers = [every(STATISTICS_MS, statistics), every(HISTORY_MS, readHistory)]
}

function signOut(why) {
  forgetToken()
  forgetHistory()
  timers.forEach(clearInterval)
  timers = []
  show(false)
  say(why)
  byId('token').focus()
}

function show(isSignedIn) {
  byId('sign-in').hidden = isSignedIn
  byId('content').hidden = !isSignedIn
  byId('sign-out').hidden = !isSignedIn
}

const every = (ms, work) => setInterval(() => { if (!document.hidden) read(work) }, ms)

/** Does some work, and says what fails. */
async function read(work) {
  try {
    await work()
    say('')
  } catch (error) {
    if (error.status === 401) signOut('This token is not accepted any more.')
    else say(error.message)
  }
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

if (token()) signIn()
