// A ledger double that hangs or fails to start on demand: a subclass of the worker's object that delays queries.

const SCRIPT = `
import worker, * as exported from './index.js'

export default worker

// Failed statements of a new object. Each stand has one object.
let failedStarts = 0

export class Ledger extends exported.Ledger {
  #control

  constructor(state, env) {
    const sql = state.storage.sql
    const exec = sql.exec
    sql.exec = (...statement) => {
      if (failedStarts < Number(env.FAILED_STARTS)) {
        failedStarts += 1
        throw new Error('the disk is away')
      }
      return exec.apply(sql, statement)
    }
    super(state, env)
    this.#control = env.CONTROL
  }

  async fetch(request) {
    const url = new URL(request.url)
    console.log(JSON.stringify({ event: 'ledger-double', query: url.pathname.slice(1) }))
    // A timer, because the runtime cancels a request that waits for no I/O.
    const began = Date.now()
    while ((await this.#control.get('mode')) === 'hang' && Date.now() - began < 20_000) await new Promise((resolve) => setTimeout(resolve, 100))
    return super.fetch(request)
  }
}`

/** Miniflare's options with the double, whose first `failedStarts` statements fail: see `adapt` of startWorker. */
export const withLedgerDouble = (failedStarts = 0) => (options) => {
  const workers = options.workers.map(({ config, ...rest }) => {
    const { modules } = config.manifest
    const manifest = { ...config.manifest, mainModule: 'ledger-double.js', modules: { ...modules, 'ledger-double.js': { type: 'esm', contents: SCRIPT } } }
    const env = { ...config.env, CONTROL: { type: 'kv', id: 'control' }, FAILED_STARTS: { type: 'json', value: failedStarts } }
    return { ...rest, config: { ...config, manifest, env } }
  })
  return { ...options, workers }
}

/** Sets whether the double hangs from now on. */
export async function setLedger(stand, mode) {
  const control = await stand.worker.mf.getKVNamespace('CONTROL', stand.worker.names[0])
  await control.put('mode', mode)
}

/** Number of queries. */
export const queryCount = (stand) => stand.log.filter((line) => line.event === 'ledger-double').length
