// The usual recipe for the Cache API, by hand: look up; else fetch, give on, and put a copy. No policy of any kind.
export default {
  async fetch(request, env, context) {
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
