// The usual recipe, for GETs without a session; everything else goes to the origin, as with Edgekeep.
import recipe from './recipe.js'

export default {
  fetch(request, env, context) {
    const hasSession = request.headers.get('cookie')?.includes('sessionid=')
    return request.method === 'GET' && !hasSession ? recipe.fetch(request, env, context) : fetch(request)
  },
}
