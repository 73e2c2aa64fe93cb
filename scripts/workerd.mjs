// The built worker in workerd on this computer, with embedded KV, Cache API and ledger, on a direct socket that does not change
// requests and responses (Miniflare's usual entry rewrites them).

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Starts one workerd with one or more isolates of the built worker. They share KV, Cache API and ledger, like the isolates of
 * one data centre; each has its own memory.
 *
 * @param {object} options
 * @param {object} options.rules     the table of [vars.EDGEKEEP]
 * @param {string} [options.secrets] PURGE_SECRETS, by default none
 * @param {object} [options.vars]    other variables and secrets, such as CLOUDFLARE_ZONE_ID
 * @param {string} [options.host]    address to listen on
 * @param {number} [options.port]    port of the first worker; 0 takes a free one (the others always do)
 * @param {(line: string, level: string) => void} [options.onLog] gets each console message and each message of the runtime
 * @param {string[]} [options.workers] names of the isolates; the first owns the ledger
 * @param {string} [options.persist] folder for KV, cache and ledger; without it they end with the process
 * @param {string} [options.build]   folder of the built worker
 * @param {(options: object) => object} [options.adapt] changes Miniflare's options: tests replace tiers
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
  const { compatibilityDate, compatibilityFlags } = await compatibilitySettings()
  const secretVars = secrets ? { PURGE_SECRETS: secrets } : {}
  const env = {
    ...variables({ EDGEKEEP: rules, ...secretVars, ...vars }),
    EDGEKEEP_KV: { type: 'kv', id: 'edgekeep' },
    EDGEKEEP_LEDGER: { type: 'durable-object', worker: workers[0], exportName: 'Ledger' },
  }

  const mf = new Miniflare(adapt({
    host: '127.0.0.1',
    port: 0, // Miniflare's own entry, which is not used
    cf: false, // otherwise Miniflare queries Cloudflare for the location of this computer
    telemetry: { enabled: false },
    enableDevRegistry: false, // otherwise other Miniflare processes of this user find these workers
    log: new Log(LogLevel.ERROR),
    handleStructuredLogs: ({ message, level }) => onLog(message, level),
    ...(persist ? { resourcePersistencePath: persist } : {}),
    workers: workers.map((name, index) => ({
      config: {
        name,
        compatibilityDate,
        compatibilityFlags,
        manifest: workerManifest(build),
        env,
        exports: index === 0 ? { Ledger: { type: 'durable-object', storage: 'sqlite' } } : {},
      },
      dev: {
        cacheAPI: true,
        unsafeDirectSockets: [{ host, port: index === 0 ? port : 0 }],
      },
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
      Response, // the class that Miniflare's caches accept
      names: workers,
      stop: () => mf.dispose(),
    }
  } catch (error) {
    await mf.dispose().catch(() => {})
    throw error
  }
}

/** The two files of the built worker, in Miniflare's form. */
export function workerManifest(build) {
  const module = (name, type) => {
    const path = join(build, name)
    if (!existsSync(path)) throw new Error(`${path} is missing: build the worker first (npm run build)`)
    const bytes = readFileSync(path)
    return { [name]: { type, contents: type === 'wasm' ? new Uint8Array(bytes) : bytes.toString() } }
  }
  return {
    mainModule: 'index.js',
    modulesRoot: build,
    modules: { ...module('index.js', 'esm'), ...module('dashboard.js', 'esm'), ...module('index_bg.wasm', 'wasm') },
  }
}

/** Variables as bindings: text as text, other values as JSON. */
function variables(values) {
  const binding = (value) => (typeof value === 'string' ? { type: 'text', value } : { type: 'json', value })
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, binding(value)]))
}

/** The compatibility date and flags of the deployment, from wrangler.toml. */
async function compatibilitySettings() {
  const { parse } = await import('smol-toml')
  const wrangler = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'))
  return {
    compatibilityDate: wrangler.compatibility_date,
    compatibilityFlags: wrangler.compatibility_flags ?? [],
  }
}
