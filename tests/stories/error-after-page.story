# An error replaces a page in the Cache API only, and ends the use of the copy in KV.
rule kv = true
origin /a 200 max-age=1, stale-while-revalidate=60, stale-if-error=60 | page
get /a -> 200 page # miss stored
wait 2.2
origin /a 404 max-age=1, stale-if-error=0 | deleted
get /a -> 200 page # hit detail=stale-while-revalidate
wait 0.5
get /a -> 404 deleted # hit detail=cache-api
wait 2.2
get /a -> 404 deleted # fwd-status=404 !hit
evict
get /a -> 404 deleted # fwd-status=404 !hit
wait 2.2
evict
origin /a down
get /a -> 504 # !hit

# So does a page that must be revalidated each time.
origin /b 200 max-age=1, stale-while-revalidate=60 | page
get /b -> 200 page # miss stored
wait 2.2
origin /b 200 no-cache; ETag: "1" | new
get /b -> 200 page # hit detail=stale-while-revalidate
wait 0.5
evict
get /b -> 200 new # fwd-status=200 !hit
