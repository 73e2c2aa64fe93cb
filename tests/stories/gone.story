# An answer that cannot be stored still ends the service of the old one.
origin /a 200 max-age=600, stale-while-revalidate=60, stale-if-error=60; Cache-Tag: gone-a | page
get /a -> 200 page # miss stored
wait 0.3
purge {"tags": ["gone-a"], "soft": true} -> 200
origin /a 404 | deleted
get /a -> 200 page # hit detail=stale-while-revalidate
wait 0.5
get /a -> 404 deleted # fwd-status=404
origin /a down
get /a -> 504
