only native
# KV is slow: after a second the request goes to the origin, and after three such reads KV pauses.
rule kv = true
origin /a 200 max-age=600 | one
get /a -> 200 one # miss stored
evict
kv slow=3
get /a -> 200 one # miss stored
asked /a 2
evict
# If the origin fails, there is time for a longer read.
origin /a 503 | broken
get /a -> 200 one # detail=kv !detail=stale-if-error
evict
origin /a down
get /a -> 200 one # detail=kv !detail=stale-if-error
evict
get /a -> 200 one # detail=kv !detail=stale-if-error
# KV fails: the Cache API and the origin serve.
kv up
kv down
origin /a 200 max-age=600 | two
get /a -> 200 two # miss stored
get /a -> 200 two # hit detail=cache-api
kv up
evict
wait 6
get /a -> 200 one # hit detail=kv
