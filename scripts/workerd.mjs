// The built worker in workerd, on this computer: with embedded KV, Cache API and ledger, and on a socket of its own
// that passes requests and responses as they are (Miniflare's usual entry rewrites them).

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Starts one workerd with one or more isolates of the built worker. All of them share KV, Cache API and ledger, as the
 * isolates of one data centre do; each keeps its own memory.
 *
 * @param {object} options
 * @param {object} options.rules     the table of [vars.EDGEKEEP]
 * @param {string} [options.secrets] PURGE_SECRETS; without it the worker has none
 * @param {object} [options.vars]    other variables and secrets, such as CLOUDFLARE_ZONE_ID
 * @param {string} [options.host]    address to listen on
 * @param {number} [options.port]    port of the first worker; 0 takes a free one (the others always do)
 * @param {(line: string, level: string) => void} [options.onLog] each console message and each message of the runtime
 * @param {string[]} [options.workers] names of the isolates; the first owns the ledger
 * @param {string} [options.persist] folder to keep KV, cache and ledger in; without it they end with the process
 * @param {string} [options.build]   folder of the built worker
 * @param {(options: object) => object} [options.adapt] changes Miniflare's options: tests put other things in a tier's place
 * @returns {Promise<{url: (name?: string) => string, names: string[], mf: import('miniflare').Miniflare, stop: () => Promise<void>}>}
 */
export async function startWorker({
  rules,
  secrets,
  vars = {},
  host = '127.0.0.1',
  port = 0,
  onLog = (line) => console.log(line),
  workers = ['edgekeep'],
  persist,
  build = join(ROOT, 'build'),
  adapt = (options) => options,
}) {
  const { Log, LogLevel, Miniflare, Response } = await import('miniflare')
  const modules = workerModules(build)
  const compatibility = await compatibilitySettings()
  const bindings = { EDGEKEEP: rules, ...(secrets ? { PURGE_SECRETS: secrets } : {}), ...vars }
  const ledgerOf = (name) => ({
    className: 'Ledger',
    useSQLite: true,
    ...(name === workers[0] ? {} : { scriptName: workers[0] }),
  })

  const mf = new Miniflare(adapt({
    host: '127.0.0.1',
    port: 0, // Miniflare's own entry, which nobody uses
    cf: false, // otherwise Miniflare asks Cloudflare where this computer is
    telemetry: { enabled: false },
    log: new Log(LogLevel.ERROR),
    structuredWorkerdLogs: true,
    handleRuntimeStdio: (stdout, stderr) => {
      forwardLog(stdout, onLog)
      forwardLog(stderr, onLog)
    },
    ...(persist ? { defaultPersistRoot: persist, kvPersist: true, cachePersist: true, durableObjectsPersist: true } : {}),
    workers: workers.map((name, index) => ({
      name,
      ...compatibility,
      modules,
      modulesRoot: build,
      bindings,
      kvNamespaces: { EDGEKEEP_KV: 'edgekeep' },
      durableObjects: { EDGEKEEP_LEDGER: ledgerOf(name) },
      cache: true,
      unsafeDirectSockets: [{ host, port: index === 0 ? port : 0 }],
    })),
  }))

  try {
    await mf.ready
    const urls = new Map()
    for (const name of workers) urls.set(name, (await mf.unsafeGetDirectURL(name)).origin)
    return {
      url: (name = workers[0]) => {
        if (!urls.has(name)) throw new Error(`there is no worker named ${name}; there are: ${workers.join(', ')}`)
        return urls.get(name)
      },
      mf,
      Response, // what Miniflare's caches take
      names: workers,
      stop: () => mf.dispose(),
    }
  } catch (error) {
    await mf.dispose().catch(() => {})
    throw error
  }
}

/** The two files of the built worker, in the form Miniflare takes. */
export function workerModules(build) {
  const entry = join(build, 'index.js')
  const wasm = join(build, 'index_bg.wasm')
  for (const path of [entry, wasm]) {
    if (!existsSync(path)) throw new Error(`${path} is missing: build the worker first (npm run build)`)
  }
  return [
    { type: 'ESModule', path: entry },
    { type: 'CompiledWasm', path: wasm },
  ]
}

/** The same compatibility date and flags as in the deployment, read from wrangler.toml. */
async function compatibilitySettings() {
  const { parse } = await import('smol-toml')
  const wrangler = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'))
  return {
    compatibilityDate: wrangler.compatibility_date,
    compatibilityFlags: wrangler.compatibility_flags ?? [],
  }
}

/** workerd writes one JSON object a message, so that long messages and those of several lines arrive whole. */
function forwardLog(stream, onLog) {
  stream.setEncoding('utf8')
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
    if (line === '') return
    let entry
    try {
      entry = JSON.parse(line)
    } catch {
      // Not a message in workerd's form, for example a crash report.
    }
    if (typeof entry?.message !== 'string') return onLog(line, 'runtime')
    onLog(entry.message, entry.level)
  })
}
