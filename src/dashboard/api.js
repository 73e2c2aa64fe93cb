// Asks Edgekeep's own addresses on this host, with the token of the tab.

const KEY = 'edgekeep-token'

export const token = () => sessionStorage.getItem(KEY)
export const keepToken = (value) => sessionStorage.setItem(KEY, value)
export const forgetToken = () => sessionStorage.removeItem(KEY)

/** A refusal, with the problem's text (RFC 9457). */
export class Refused extends Error {
  constructor(status, body) {
    const parts = (body?.errors ?? []).map(({ path, detail }) => `${path}: ${detail}`)
    super([`${body?.title ?? 'Unexpected answer'}: ${body?.detail ?? `status ${status}`}`, ...parts].join('\n'))
    this.status = status
  }
}

/** How long an answer may take, in milliseconds. */
const ASK_MS = 30_000

/** The id of an order. Over plain HTTP a browser makes none, and the ledger does. */
const id = () => (crypto.randomUUID ? { 'webhook-id': crypto.randomUUID() } : {})

/** Sends a request and returns the JSON of the answer. `body` makes it an order. */
export async function ask(path, body) {
  const headers = { authorization: `Bearer ${token()}` }
  const options = body === undefined ? { headers } : { method: 'POST', headers: { ...headers, 'content-type': 'application/json', ...id() }, body: JSON.stringify(body) }
  let response
  try {
    response = await fetch(path, { ...options, cache: 'no-store', signal: AbortSignal.timeout(ASK_MS) })
  } catch {
    throw new Error('The site cannot be reached. Try again.')
  }
  const json = await response.json().catch(() => undefined)
  if (!response.ok || json === undefined) throw new Refused(response.status, json)
  return json
}
