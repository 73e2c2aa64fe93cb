// The built worker. GET /.memory returns the bytes of wasm memory; ?later=MS advances the clock before, and
// ?ignoreSignals=1 drops disconnect signals from then on.

import { wasm } from './watching.js'
import built from './index.js'

export { Ledger } from './index.js'

const now = Date.now
let ahead = 0
Date.now = () => now() + ahead

export default {
  fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname !== '/.memory') return built.fetch(request, env, context)
    ahead += Number(searchParams.get('later'))
    if (searchParams.get('ignoreSignals')) wasm.ignoreSignals = true
    return Response.json(wasm.memory.buffer.byteLength)
  },
}
