# A value in a tier that is not an entry of this format is a miss, and is replaced.
rule kv = true
origin /a 200 max-age=600 | one
get /a -> 200 one # miss stored
wait 0.5
spoil cache-api garbage
get /a -> 200 one # hit detail=kv
wait 0.5
spoil cache-api old-format
get /a -> 200 one # hit detail=kv
wait 0.5
spoil cache-api cut
get /a -> 200 one # hit detail=kv
asked /a 1
evict
spoil kv garbage
get /a -> 200 one # miss stored
wait 0.5
evict
get /a -> 200 one # hit detail=kv
evict
spoil kv old-format
get /a -> 200 one # miss stored
wait 0.5
evict
spoil kv cut
get /a -> 200 one # miss stored
asked /a 4
wait 0.5
evict
get /a -> 200 one # hit detail=kv
# Both tiers at once, and the origin is down: no page is left.
spoil kv garbage
spoil cache-api garbage
origin /a down
get /a -> 502
