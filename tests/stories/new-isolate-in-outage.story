only native
# An isolate that has never heard from the ledger asks the origin before it uses a page, but does not make the page old
# for its neighbours, who have.
purge {"prefixes": ["$host/"]} -> 200
origin /a 200 max-age=86400; ETag: "1" | one
get /a -> 200 one # miss stored
origin /b 200 max-age=86400 | two
get /b -> 200 two # miss stored
# What neighbours tell each other of purges is forgotten by then.
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
