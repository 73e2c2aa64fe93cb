# A data centre without a copy reads the page from KV, and stores it again.
rule kv = true
origin /a 200 max-age=60; Content-Type: text/plain; X-Long: 0123456789 | from far away
get /a -> 200 from far away # miss stored
wait 0.5
evict
origin /a 200 max-age=60 | changed
get /a -> 200 from far away # hit detail=kv
  has X-Long: 0123456789
  has Content-Type: text/plain
  has Age
wait 0.5
get /a -> 200 from far away # hit detail=cache-api
asked /a 1
# A HEAD request is served from KV, too.
evict
head /a -> 200 - # hit detail=kv
