// The built worker, whose next request panics after GET /.trap.

import { trap } from './trapping.js'
import built from './index.js'

export { Ledger } from './index.js'

export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname !== '/.trap') return built.fetch(request, env, context)
    trap.next = true
    return Response.json({ instances: trap.instances })
  },
}
