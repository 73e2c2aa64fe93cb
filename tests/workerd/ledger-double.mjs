// A ledger that hangs, or does not start, on demand: the worker's own object, behind a class that holds its questions up.

const SCRIPT = `
import worker, * as exported from './index.js'

export default worker

// What a new object is told first; an object outlives no stand.
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
    console.log(JSON.stringify({ event: 'ledger-double', question: url.pathname.slice(1) }))
    // A timer, because the runtime ends what waits for nothing.
    const began = Date.now()
    while ((await this.#control.get('mode')) === 'hang' && Date.now() - began < 20_000) await new Promise((resolve) => setTimeout(resolve, 100))
    return super.fetch(request)
  }
}`

/** Miniflare's options with that ledger; its first statements fail, as many as said. See startWorker's `adapt`. */
export const withLedgerDouble = (failedStarts = 0) => (options) => {
  const workers = options.workers.map(({ config, ...rest }) => {
    const { modules } = config.manifest
    const manifest = { ...config.manifest, mainModule: 'ledger-double.js', modules: { ...modules, 'ledger-double.js': { type: 'esm', contents: SCRIPT } } }
    const env = { ...config.env, CONTROL: { type: 'kv', id: 'control' }, FAILED_STARTS: { type: 'json', value: failedStarts } }
    return { ...rest, config: { ...config, manifest, env } }
  })
  return { ...options, workers }
}

/** From now on it hangs, or does not. */
export async function setLedger(stand, mode) {
  const control = await stand.worker.mf.getKVNamespace('CONTROL', stand.worker.names[0])
  await control.put('mode', mode)
}

/** How often it was asked. */
export const questions = (stand) => stand.log.filter((line) => line.event === 'ledger-double').length
