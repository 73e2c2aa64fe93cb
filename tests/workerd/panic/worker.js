// The built worker. After GET /.trap?where=NAME&how=KIND, its wasm traps by KIND in the next call of the import NAME.

import { trap } from './trapping.js'
import built from './index.js'

export { Ledger } from './index.js'

export default {
  fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname !== '/.trap') return built.fetch(request, env, context)
    if (searchParams.has('how')) Object.assign(trap, { where: searchParams.get('where'), how: searchParams.get('how') })
    return Response.json({ instances: trap.instances, armed: trap.where !== undefined })
  },
}
