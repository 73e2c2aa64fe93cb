// The built worker. GET /.memory answers with the bytes of wasm's memory; ?later=MS puts the clock forward before, and
// ?deaf=1 keeps the worker from hearing of disconnects from then on.

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
    if (searchParams.get('deaf')) wasm.deaf = true
    return Response.json(wasm.memory.buffer.byteLength)
  },
}
