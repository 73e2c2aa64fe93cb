# A page that was never fresh is not served after an error. A page that had a lifetime is, for a day, until the origin ends it.
rule memory = false
rule kv = true
rule /rule/* memory = false
origin /zero 200 max-age=0; ETag: "1" | mine
origin /expires 200 Expires: 0; ETag: "1" | mine
origin /no-cache 200 no-cache; ETag: "1" | mine
origin /admin 200 max-age=0; ETag: "1" | mine
origin /word 200 max-age=0, stale-if-error=60; ETag: "1" | ours
origin /fresh 200 max-age=1 | ours
get /zero -> 200 mine # miss stored
get /expires -> 200 mine # miss stored
get /no-cache -> 200 mine # miss stored
get /word -> 200 ours # miss stored
get /fresh -> 200 ours # miss stored
wait 2.2
origin /zero down
origin /expires 503 | sorry
origin /no-cache down
origin /word down
origin /fresh down
get /zero -> 504 # fwd=stale
get /expires -> 503 sorry # fwd=stale !detail=stale-if-error
get /no-cache -> 504 # fwd=stale
get /word -> 200 ours # fwd=stale detail=stale-if-error
get /fresh -> 200 ours # fwd=stale detail=stale-if-error
# The other tier does not serve it either.
evict
get /zero -> 502 # !detail=kv
# A 304 ends the use of a page, in all tiers.
origin /a 200 max-age=1; ETag: "1" | page
get /a -> 200 page # miss stored
wait 2.2
origin /a 200 max-age=0; ETag: "1" | page
get /a -> 200 page # fwd=stale fwd-status=304
wait 0.5
origin /a down
get /a -> 504 # fwd=stale
evict
get /a -> 504 # fwd=stale
origin /b 200 max-age=1; ETag: "1" | page
get /b -> 200 page # miss stored
wait 2.2
origin /b 200 private; ETag: "1" | page
get /b -> 200 page # fwd=stale fwd-status=304 !stored
wait 0.5
origin /b down
get /b -> 504 # fwd=stale
evict
get /b -> 504 # fwd=stale
# Until then the page is served while its origin is down.
origin /c 200 max-age=1; ETag: "1" | page
get /c -> 200 page # miss stored
wait 2.2
origin /c 200 max-age=1; ETag: "1" | page
get /c -> 200 page # fwd=stale fwd-status=304 stored
wait 2.2
origin /c down
get /c -> 200 page # detail=stale-if-error
evict
get /c -> 200 page # detail=stale-if-error
