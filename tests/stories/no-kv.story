# kv = false: only the Cache API.
rule kv = false
origin /a 200 max-age=60 | one
get /a -> 200 one # miss stored
wait 0.3
get /a -> 200 one # hit detail=cache-api
evict
get /a -> 200 one # miss
asked /a 2
