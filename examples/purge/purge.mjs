// Sends a signed purge order. Needs Node.js 18 or newer.
//
//   EDGEKEEP_SITE=https://www.example.com EDGEKEEP_SECRET=whsec_… node purge.mjs '{"tags":["front"]}'

import { createHmac, randomUUID } from 'node:crypto'
import { pathToFileURL } from 'node:url'

/** Sends an order and returns its receipt. Throws if it is refused. */
export async function purge(site, secret, order) {
  const body = JSON.stringify(order)
  const id = `msg_${randomUUID()}`
  const now = String(Math.floor(Date.now() / 1000))
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${now}.${body}`).digest('base64')
  const answer = await fetch(`${site}/.edgekeep/purge`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': now,
      'webhook-signature': `v1,${signature}`,
    },
    body,
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  return answer.json()
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { EDGEKEEP_SITE, EDGEKEEP_SECRET } = process.env
  console.log(JSON.stringify(await purge(EDGEKEEP_SITE, EDGEKEEP_SECRET, JSON.parse(process.argv[2]))))
}
