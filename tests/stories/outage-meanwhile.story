only native
# The ledger fails while the request waits for the origin, and then the origin fails: the copy may have been purged meanwhile.
origin /a 200 max-age=1, stale-if-error=600 | one
get /a -> 200 one # miss stored
wait 2.3
origin /a slow=1.5 503 | broken
start r get /a
ledger down
finish r -> 200 one # detail=stale-if-error detail=old-purge-index
ledger up
wait 1.1
get /a -> 200 one # detail=stale-if-error !detail=old-purge-index
