only native
# The day's writes are used up: KV is left alone for a minute, then tried again. Readers get their pages all the same.
rule kv = true
origin /a 200 max-age=600 | one
origin /b 200 max-age=600 | two
get /a -> 200 one # miss stored
kv full
get /b -> 200 two # miss stored !detail=kv-writes-paused
get /b -> 200 two # hit detail=cache-api
evict
# What is in KV is read.
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
