// The secrets of keys in tests, derived from their names, and signatures by them. tests/kit/world/secrets.rs derives the same.

import { createHash, createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { Webhook } from 'standardwebhooks'

const digest = (kind, name) => createHash('sha256').update(`${kind} of ${name}`).digest()

/** The name of a story's key in the settings; a story's key without a name is `default`. */
export const fullName = (story, key) => (key ? `${story}-${key}` : 'default')

/** The variable with the secrets of a key. */
export const variable = (name) => (name === 'default' ? 'PURGE_SECRETS' : `STORY_${name.replaceAll('-', '_').toUpperCase()}`)

/** The value of that variable. */
export const secretsOf = (name) => `${hmacSecret(name)} ${publicKey(name)} ${token(name)}`

export const hmacSecret = (name) => `whsec_${digest('hmac', name).toString('base64')}`

export const token = (name) => `token_${digest('token', name).toString('hex')}`

export const basic = (name) => Buffer.from(`story:${token(name)}`).toString('base64')

/** RFC 8410: a private key in PKCS #8 is 16 bytes, and the 32 bytes of the key. */
function signingKey(name) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), digest('ed25519', name)])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

export function publicKey(name) {
  const { x } = createPublicKey(signingKey(name)).export({ format: 'jwk' })
  return `whpk_${Buffer.from(x, 'base64url').toString('base64')}`
}

const stamp = (time) => String(Math.floor(time.getTime() / 1000))

/** The fields of a Standard Webhook over `payload`, signed with HMAC by the public library. */
export function webhookFields(secret, id, time, payload) {
  return [['webhook-id', id], ['webhook-timestamp', stamp(time)], ['webhook-signature', new Webhook(secret).sign(id, time, payload)]]
}

/** The fields of a Standard Webhook over `payload`, signed with ed25519. */
export function ed25519Fields(name, id, time, payload) {
  const signature = sign(null, Buffer.from(`${id}.${stamp(time)}.${payload}`), signingKey(name)).toString('base64')
  return [['webhook-id', id], ['webhook-timestamp', stamp(time)], ['webhook-signature', `v1a,${signature}`]]
}

/** The fields of a webhook of GitHub. */
export function hubFields(secret, id, body) {
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
  return [['X-Hub-Signature-256', signature], ...(id ? [['X-GitHub-Delivery', id]] : [])]
}
