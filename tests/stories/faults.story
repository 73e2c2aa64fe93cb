only native
# Clients receive pages, whichever part fails.
rule kv = true
origin /a 200 max-age=600; Cache-Tag: t | one
get /a -> 200 one # miss stored
cache-api down
get /a -> 200 one # hit detail=kv
kv down
get /a -> 200 one # miss
cache-api up
get /a -> 200 one # hit detail=cache-api
kv up
# The ledger is down: an isolate with a purge index serves, and reports that the index is old.
ledger down
wait 2
get /a -> 200 one # hit detail=old-purge-index
purge {"tags": ["t"]} -> 503
  has Retry-After: 5
get /a -> 200 one # hit
# An isolate without a purge index revalidates, and serves the copy if that fails.
at b
get /a -> 200 one # fwd=stale detail=no-purge-index
origin /a down
get /a -> 200 one # detail=stale-if-error detail=no-purge-index
ledger up
wait 2
get /a -> 200 one # hit !detail=no-purge-index
