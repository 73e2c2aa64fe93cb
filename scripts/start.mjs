// npm start: a demo blog, and the worker in workerd in front of it. No account, no configuration.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { readRules } from './rules.mjs'
import { ROOT, Problem, isPortFree, main, portFrom, say, untilStopped } from './tools.mjs'

async function start(args) {
  const wanted = readPort(args)
  await build()
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const { origin, worker } = await startBoth(wanted, secret)
  try {
    console.log(welcome(worker.url(), origin.url, secret))
    await untilStopped()
    say('\nStopping ...')
  } finally {
    await worker.stop()
    await origin.stop()
  }
}

function readPort(args) {
  try {
    return portFrom(parseArgs({ args, options: { port: { type: 'string', default: '8787' } } }).values.port)
  } catch (error) {
    throw new Problem(`${error.message}\nUsage: npm start [-- --port N]`)
  }
}

async function startBoth(wanted, secret) {
  const { startOrigin } = await import('./demo/origin.mjs')
  const { purgeTags } = await import('./demo/purge.mjs')
  const { startWorker } = await import('./workerd.mjs')
  const rules = await readRules(join(ROOT, 'scripts', 'demo', 'rules.toml'))
  const port = await nextFreePort(wanted)
  let worker
  const purge = (tags) =>
    purgeTags(worker.url(), secret, tags).then(
      (receipt) => console.log(`the blog purged ${tags.join(', ')}: order ${receipt.sequence}`),
      // The comment is stored even if the purge fails: the edge shows it later.
      (error) => say(`the blog could not purge ${tags.join(', ')}: ${error.message}`),
    )
  const origin = await startOrigin({ port: await nextFreePort(port + 1), purge, onLog: say })
  try {
    worker = await startWorker({ rules: { ...rules, origin: origin.url }, secrets: secret, port, onLog: showLog })
    return { origin, worker }
  } catch (error) {
    await origin.stop()
    throw error
  }
}

/** The requested port of 127.0.0.1, or one of the fifty after it. */
export async function nextFreePort(wanted, command = 'npm start') {
  const last = Math.min(wanted + 50, 65_535)
  for (let port = wanted; port <= last; port++) {
    if (await isPortFree(port)) return port
  }
  throw new Problem(`The ports ${wanted} to ${last} of 127.0.0.1 are all in use.\nChoose another: ${command} -- --port N`)
}

/** Prints a short line for each request, and all other log lines unchanged. */
export function showLog(line) {
  const entry = parseEntry(line)
  if (!['request', 'refresh', 'purge'].includes(entry?.event)) return console.log(line)
  const { event, method = 'GET', path, status, cache, tier, problems = [], notes = [] } = entry
  const kind = event === 'request' ? [cache, tier].filter(Boolean).join(' ') : event
  console.log([kind.padEnd(16), status ?? '-', method, path, ...problems, ...notes].join(' '))
}

function parseEntry(line) {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** A shell function that sends a signed purge. */
export const purgeFunction = (edge, secret) => `  edgekeep_purge() (
    secret='${secret}'
    id="msg_$(openssl rand -hex 12)"
    now=$(date +%s)
    key=$(printf %s "\${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \\n')
    signature=$(printf %s "$id.$now.$1" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
    curl -sS '${edge}/.edgekeep/purge' -H 'content-type: application/json' \\
      -H "webhook-id: $id" -H "webhook-timestamp: $now" -H "webhook-signature: v1,$signature" --data-raw "$1"
    echo
  )
`

function welcome(edge, origin, secret) {
  const show = (path) => `curl -so /dev/null -D - '${edge}${path}'`
  const tries = [
    ['the first time the page is fetched and stored', show('/'), 'fwd=uri-miss; fwd-status=200; stored; ttl=30'],
    ['then it is a hit', show('/'), 'hit; ttl=29; detail=cache-api'],
    ['a tracking parameter makes no other page', show('/?utm_source=mail'), 'hit'],
    ['a search is kept by its words alone', show('/search?q=tern&from=menu'), 'fwd=uri-miss; stored'],
    ['... so the second is a hit', show('/search?utm_medium=x&q=tern'), 'hit'],
    ['a private page passes by', show('/account'), 'fwd=bypass'],
    ['past its lifetime it is still served, and refreshed behind', `sleep 31; ${show('/')}`, 'hit; ttl=-1; detail=cache-api/stale-while-revalidate'],
    ['the origin goes down for a minute', `curl -sX POST '${origin}/demo/outage?seconds=60'`],
    ['everything becomes stale', `edgekeep_purge '{"purge_everything":true,"soft":true}'`],
    ['... and is served all the same', show('/'), 'hit; ttl=0; detail=cache-api/stale-while-revalidate, although the origin answers 503'],
    ['the origin is up again', `curl -sX POST '${origin}/demo/outage?seconds=0'`],
    ['the pages that show one article are gone', `edgekeep_purge '{"tags":["article-tea"]}'`],
  ]
  const lines = tries.map(([what, command, status]) => `  ${what}\n      ${command}${status ? `\n      -> ${status}` : ''}`)
  return `
  Edgekeep    ${edge}   <- open this in a browser
  the origin  ${origin}   the same blog, uncached and slow

A signed purge: paste this into a shell as it is, whenever you like.

${purgeFunction(edge, secret)}  edgekeep_purge '{"tags":["front"]}'

What to try, and what the field Cache-Status then says:

${lines.join('\n')}
  write a comment below an article: the blog itself purges the pages that show it

Ctrl-C ends both. The requests from now on:
`
}

await main(import.meta.url, start)
