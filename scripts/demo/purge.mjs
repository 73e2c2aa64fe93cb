// Purge orders of an origin: webhooks, signed by the public Standard Webhooks library.

import { randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'

/** Orders a purge of these tags through the worker at `edge`, and returns its receipt. */
export async function purgeTags(edge, secret, tags) {
  const id = `msg_${randomUUID()}`
  const now = new Date()
  const body = JSON.stringify({ tags })
  const answer = await fetch(`${edge}/.edgekeep/purge`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, now, body),
    },
    body,
    signal: AbortSignal.timeout(5_000),
  })
  if (answer.ok) return answer.json()
  throw new Error(`the purge was answered with ${answer.status}: ${await answer.text()}`)
}
