# A page is fetched once, and then served from the Cache API.
origin /a 200 max-age=60; ETag: "v1"; X-Colour: blue | one
get /a -> 200 one # miss fwd-status=200 stored ttl=60 !hit
  has X-Colour: blue
  has Cache-Control: max-age=60
  lacks Age
origin /a 200 max-age=60 | two
get /a -> 200 one # hit detail=cache-api
  has Age
  has ETag: "v1"
  has X-Colour: blue
asked /a 1
# HEAD is answered from the entry of GET.
head /a -> 200 - # hit
  has X-Colour: blue
# The client's own conditions are answered from the cache.
get /a If-None-Match: "v1" -> 304 - # hit
  has ETag: "v1"
get /a If-None-Match: "other" -> 200 one # hit
asked /a 1
# The response to the request that fetched it has no Age, however long the origin takes. Later responses have one.
origin /slow slow=1.3 200 max-age=60 | slow
get /slow -> 200 slow # miss stored
  lacks Age
get /slow -> 200 slow # hit
  has Age
