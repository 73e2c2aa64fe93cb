// The Worker's entry: hands requests, cron runs and the ledger's calls to wasm. Where each crossing between JavaScript and
// wasm stands is glue.js; this adds only what wasm cannot do for itself: begin anew after a panic, which leaves its memory
// in no known state.

import * as wasm from 'edgekeep-wasm'
import * as glue from 'edgekeep-glue'

Error.stackTraceLimit = 100

/** Runs a call of wasm; in a new instance, if the one before has panicked. */
function run(call) {
  if (glue.isBroken()) {
    console.error('Edgekeep has panicked, and begins anew.')
    wasm.__wbg_reset_state()
    glue.renew()
  }
  try {
    return call()
  } catch (error) {
    glue.note(error)
    throw error
  }
}

addEventListener('error', ({ error }) => glue.note(error))
addEventListener('unhandledrejection', ({ reason }) => glue.note(reason))

export default {
  fetch: (request, env, context) =>
    run(() => {
      const id = glue.expect()
      wasm.begin(id, glue.send(glue.requestHead(request, false)), request, env, context)
      return glue.answer(id)
    }),
  scheduled: (event, env, context) => run(() => wasm.scheduled(event.scheduledTime, env, context)),
}

/** The ledger's Durable Object. An object of an instance that has panicked is made again, of its storage. */
export class Ledger {
  #made
  #instance

  constructor(storage, env) {
    this.storage = storage
    this.env = env
  }

  #call(name, ...args) {
    return run(() => {
      if (this.#instance !== glue.instance()) {
        this.#made = new wasm.Ledger(this.storage, this.env)
        this.#instance = glue.instance()
      }
      return this.#made[name](...args)
    })
  }

  fetch(request) {
    return this.#call('fetch', request)
  }

  alarm(info) {
    return this.#call('alarm', info)
  }
}
