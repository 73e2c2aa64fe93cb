// A KV double that fails or delays calls on demand, and passes all others to the real KV.

/** The worker with the double as its KV binding. It runs in the worker's isolate, so it can use the worker's streams. */
const SCRIPT = `
import worker, * as exported from './index.js'

const double = ({ EDGEKEEP_KV: KV, CONTROL }) => {
  const say = (verb) => console.log(JSON.stringify({ event: 'kv-double', verb }))
  const watched = (stream) => {
    const { cancel, tee } = stream
    stream.cancel = (reason) => { say('cancel'); return cancel.call(stream, reason) }
    stream.tee = () => tee.call(stream).map(watched)
    return stream
  }
  const act = async (verb) => {
    say(verb)
    const { [verb]: { throws, slow } = {} } = JSON.parse((await CONTROL.get('mode')) ?? '{}')
    if (slow) await new Promise((resolve) => setTimeout(resolve, slow))
    if (throws) throw new Error(throws)
  }
  return {
    getWithMetadata: async (key, options) => {
      await act('get')
      const found = await KV.getWithMetadata(key, options)
      return { value: found.value && watched(found.value), metadata: found.metadata }
    },
    put: async (key, value, options) => { await act('put'); return KV.put(key, value, options) },
    delete: async (key) => { await act('delete'); return KV.delete(key) },
  }
}

const changed = (env) => ({ ...env, EDGEKEEP_KV: double(env) })

export default {
  fetch: (request, env, context) => worker.fetch(request, changed(env), context),
  scheduled: (event, env, context) => worker.scheduled(event, changed(env), context),
}

export class Ledger extends exported.Ledger {
  constructor(state, env) {
    super(state, changed(env))
  }
}`

/** Miniflare's options with the double instead of KV: see `adapt` of startWorker. */
export function withKvDouble(options) {
  const workers = options.workers.map(({ config, ...rest }) => {
    const { modules } = config.manifest
    const manifest = { ...config.manifest, mainModule: 'kv-double.js', modules: { ...modules, 'kv-double.js': { type: 'esm', contents: SCRIPT } } }
    return { ...rest, config: { ...config, manifest, env: { ...config.env, CONTROL: { type: 'kv', id: 'control' } } } }
  })
  return { ...options, workers }
}

/**
 * Sets the behaviour of the double's calls from now on.
 * @param {import('./stand.mjs').Stand} stand
 * @param {{get?: object, put?: object}} mode for each verb `throws`, a message, and `slow`, milliseconds
 */
export async function setKv(stand, mode) {
  const control = await stand.worker.mf.getKVNamespace('CONTROL', stand.worker.names[0])
  await control.put('mode', JSON.stringify(mode))
}

/** Number of calls of a verb. */
export const calls = (stand, verb) => stand.log.filter((line) => line.event === 'kv-double' && line.verb === verb).length
