// The built worker, whose wasm traps in the import ?where=NAME when that is called next after GET /.trap, in the way ?how=.

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
