# Softly purged pages are stale: served while they are refreshed, or while the origin fails.
origin /a 200 max-age=600, stale-while-revalidate=60; Cache-Tag: soft-a | old
origin /b 200 max-age=600, stale-if-error=60; ETag: "1"; Cache-Tag: soft-b | body
get /a -> 200 old # miss stored
get /b -> 200 body # miss stored
wait 0.3
origin /a 200 max-age=600; Cache-Tag: soft-a | new
purge {"tags": ["soft-a", "soft-b"], "soft": true} -> 200
get /a -> 200 old # hit detail=stale-while-revalidate
wait 0.5
get /a -> 200 new # hit !detail=stale-while-revalidate
asked /a 2
# Without stale-while-revalidate the page is revalidated first; if the origin fails, the old page is served.
origin /b down
get /b -> 200 body # fwd=stale detail=stale-if-error
origin /b 200 max-age=600, stale-if-error=60; ETag: "1"; Cache-Tag: soft-b | body
get /b -> 200 body # fwd=stale fwd-status=304 stored
wait 0.3
get /b -> 200 body # hit
# Each kind of selector can be soft.
purge {"files": ["http://$host/b"], "soft": true} -> 200
get /b -> 200 body # fwd=stale fwd-status=304
wait 0.3
purge {"prefixes": ["https://$host/"], "soft": true} -> 200
get /b -> 200 body # fwd=stale fwd-status=304
wait 0.3
purge {"hosts": ["$host"], "soft": true} -> 200
get /b -> 200 body # fwd=stale fwd-status=304
wait 0.3
purge {"purge_everything": true, "soft": true} -> 200
get /b -> 200 body # fwd=stale fwd-status=304
# A hard purge after a soft one: the page is not served after an error either.
wait 0.3
purge {"tags": ["soft-b"], "soft": true} -> 200
purge {"tags": ["soft-b"]} -> 200
origin /b down
get /b -> 502 # miss detail=purged
