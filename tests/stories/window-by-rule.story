# Rules set stale windows and lifetimes where the origin sets none, or override them.
rule /short/* edge_ttl = 1
rule /short/* stale_while_revalidate = 30
rule /strict/* stale_if_error = 0
rule /browser/* browser_ttl = 7
origin /short/a 200 max-age=3600 | old
get /short/a -> 200 old # miss stored ttl=1
wait 2.2
origin /short/a 200 max-age=3600 | new
get /short/a -> 200 old # hit detail=stale-while-revalidate
wait 0.3
get /short/a -> 200 new # hit
# An edge TTL does not apply to errors, nor override `private`.
origin /short/err 404 | none
get /short/err -> 404 none # stored ttl=10
origin /short/odd 403 | none
get /short/odd -> 403 none # !stored detail=no-freshness
origin /short/mine 200 private | mine
get /short/mine -> 200 mine # !stored detail=private

origin /strict/a 200 max-age=1; ETag: "1" | good
get /strict/a -> 200 good # miss
wait 2.2
origin /strict/a down
get /strict/a -> 504 # fwd=stale

origin /browser/a 200 max-age=60; Expires: Thu, 01 Jan 2026 00:00:00 GMT | page
get /browser/a -> 200 page # miss ttl=60
  has Cache-Control: max-age=7
  lacks Expires
