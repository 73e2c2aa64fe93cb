only native
# An isolate without a purge index revalidates a page before it serves it,
# but does not make the page stale for other isolates that have an index.
purge {"prefixes": ["$host/"]} -> 200
origin /a 200 max-age=86400; ETag: "1" | one
get /a -> 200 one # miss stored
origin /b 200 max-age=86400 | two
get /b -> 200 two # miss stored
# The purge snapshot that isolates share has expired by then.
wait 3601
ledger down
at b
get /a -> 200 one # fwd=stale fwd-status=304 stored detail=no-purge-index
get /b -> 200 two # fwd=stale fwd-status=200 stored detail=no-purge-index
at a
get /a -> 200 one # hit detail=old-purge-index
get /b -> 200 two # hit detail=old-purge-index
ledger up
wait 1.1
purge {"files": ["http://$host/a"]} -> 200
get /a -> 200 one # miss
