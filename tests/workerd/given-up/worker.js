// The built worker. Requests below /given-up/ wait for what never comes. GET /.later?ms=N puts the clock forward, and tells
// how much memory wasm has, and how many requests it has forgotten.

import { wasm } from './swallowing.js'
import built from './index.js'

export { Ledger } from './index.js'

const now = Date.now
let ahead = 0
Date.now = () => now() + ahead

export default {
  fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/.later') {
      ahead += Number(searchParams.get('ms'))
      return Response.json({ bytes: wasm.memory.buffer.byteLength, forgotten: wasm.forgotten })
    }
    return built.fetch(request, env, context)
  },
}
