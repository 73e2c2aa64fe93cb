# A page that arrives too late to be fresh is not written to KV. It does not end the
# use of the older copy there, which other data centres may need when the origin fails.
rule kv = true
origin /a 200 max-age=1, stale-if-error=600 | early
get /a -> 200 early # miss stored
wait 2.2
origin /a slow=1.3 200 max-age=1, stale-if-error=600 | late
get /a -> 200 late # fwd=stale stored
wait 0.3
evict
origin /a down
get /a -> 200 early # detail=kv detail=stale-if-error
