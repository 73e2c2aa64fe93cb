// The usual recipe for GETs without cookies; everything else is passed to the origin, as Edgekeep does.
export default {
  async fetch(request, env, context) {
    if (request.method !== 'GET' || request.headers.get('cookie')) return fetch(request)
    const key = new Request(new URL(request.url).toString(), request)
    const cache = caches.default
    let response = await cache.match(key)
    if (!response) {
      response = await fetch(request)
      response = new Response(response.body, response)
      response.headers.append('Cache-Control', 's-maxage=3600')
      context.waitUntil(cache.put(key, response.clone()))
    }
    return response
  },
}
