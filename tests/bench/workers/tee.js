// A body for the client, the Cache API and KV at once, by hand: what a fill of both tiers costs at least.
export default {
  async fetch(request, env, context) {
    const response = await fetch(request)
    const [client, copies] = response.body.tee()
    const [one, other] = copies.tee()
    const expiry = { expirationTtl: 3600 }
    const length = Number(response.headers.get('content-length'))
    const { readable, writable } = new FixedLengthStream(length)
    context.waitUntil(one.pipeTo(writable))
    context.waitUntil(caches.default.put(request.url, new Response(readable, response)))
    const pipe = new FixedLengthStream(length)
    context.waitUntil(other.pipeTo(pipe.writable))
    context.waitUntil(env.EDGEKEEP_KV.put(request.url, pipe.readable, expiry))
    return new Response(client, response)
  },
}
