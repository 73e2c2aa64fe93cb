// The built worker, which also tells what calls its requests have taken: GET /.counted.

import { noted } from './counting.js'
import built, { Ledger as BuiltLedger } from './index.js'

export class Ledger extends BuiltLedger {
  fetch(request) {
    noted.ledger++
    return super.fetch(request)
  }
}

export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname !== '/.counted') return built.fetch(request, env, context)
    const { calls, ledger, memory } = noted
    noted.calls = []
    noted.ledger = 0
    return Response.json({ calls, ledger, memory_bytes: memory.buffer.byteLength })
  },
}
