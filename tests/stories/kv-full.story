only native
# The day's quota of writes is used up: writes to KV pause for a minute, then are tried again. Pages are served all the same.
rule kv = true
origin /a 200 max-age=600 | one
origin /b 200 max-age=600 | two
get /a -> 200 one # miss stored
kv full
get /b -> 200 two # miss stored !detail=kv-writes-paused
get /b -> 200 two # hit detail=cache-api
evict
# KV is still read.
get /a -> 200 one # hit detail=kv
get /b -> 200 two # miss stored detail=kv-writes-paused
kv up
evict
get /b -> 200 two # miss stored detail=kv-writes-paused
wait 61
evict
get /b -> 200 two # miss stored !detail=kv-writes-paused
evict
get /b -> 200 two # hit detail=kv
