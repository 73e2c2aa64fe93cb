// The Worker's entry. It passes requests, cron runs and the calls of the ledger's object to wasm. It starts a new
// instance of the wasm after a trap (a panic, a stack overflow, memory running out), because a trap leaves its memory
// in an undefined state.

import * as wasm from 'edgekeep-wasm'
import * as glue from 'edgekeep-glue'

Error.stackTraceLimit = 100

/** Calls wasm. If the instance has trapped, a new one is started first. */
function run(call) {
  if (glue.isBroken()) {
    console.error('Edgekeep starts a new instance of its wasm.')
    wasm.__wbg_reset_state()
    glue.renew()
  }
  try {
    return call()
  } catch (error) {
    glue.noteTrap(error)
    throw error
  }
}

// wasm-bindgen polls futures in microtasks. Their exceptions arrive here.
addEventListener('error', ({ error }) => glue.noteTrap(error))
addEventListener('unhandledrejection', ({ reason }) => {
  if (reason instanceof WebAssembly.RuntimeError) glue.noteTrap(reason)
})

/** The response to a request whose instance has trapped. */
const internalError = () =>
  new Response('Internal error\n', {
    status: 500,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', 'cache-status': 'edgekeep; detail=internal-error' },
  })

export default {
  fetch: (request, env, context) => glue.untilTrap(request, () => run(() => wasm.fetch(request, env, context)), internalError),
  scheduled: (event, env, context) => glue.untilTrap(event, () => run(() => wasm.scheduled(event, env, context))),
}

/**
 * The ledger's Durable Object. After a trap, the object of the earlier instance is replaced by one that reads its
 * storage anew.
 */
export class Ledger {
  #made
  #instance

  constructor(state, env) {
    this.state = state
    this.env = env
  }

  #call(name, argument) {
    const made = () => {
      if (this.#instance !== glue.instance()) {
        this.#made = new wasm.Ledger(this.state, this.env)
        this.#instance = glue.instance()
      }
      return this.#made
    }
    return glue.untilTrap(argument ?? {}, () => run(() => made()[name](argument))).catch((error) => {
      // What the trapped instance had accepted, it may not have sent. Watchers connect again, and read on.
      if (glue.isBroken()) for (const socket of this.state.getWebSockets()) socket.close(1012, 'restarted: connect again')
      throw error
    })
  }

  fetch(request) {
    return this.#call('fetch', request)
  }

  alarm() {
    return this.#call('alarm')
  }

  // Watchers of events. The runtime answers their pings.

  webSocketMessage(socket) {
    socket.close(1008, 'watchers send nothing but ping')
  }

  webSocketClose(socket, code, reason) {
    try {
      socket.close(code, reason)
    } catch {
      // Some codes must not be sent, such as 1005: there was none (RFC 6455 §7.4.1).
      socket.close()
    }
  }

  webSocketError() {}
}
