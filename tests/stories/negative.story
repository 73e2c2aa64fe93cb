# Errors without a lifetime are stored for a short time, in the Cache API only.
rule /s/* negative_ttl = { 503 = 1, 404 = 0 }
rule /s/* stale_if_error = 60
origin /a 404 | none
get /a -> 404 none # miss stored ttl=10
wait 0.3
get /a -> 404 none # hit detail=cache-api
origin /b 410 | gone
get /b -> 410 gone # miss stored ttl=10
origin /c 403 | no
get /c -> 403 no # !stored detail=no-freshness
origin /d 404 no-store | none
get /d -> 404 none # !stored detail=no-store
origin /e 404 max-age=60 | none
get /e -> 404 none # stored ttl=60
evict
get /a -> 404 none # miss stored
asked /a 2

# A purge and a write apply to them.
wait 0.3
get /a -> 404 none # hit
origin /a 200 max-age=60 | page
purge {"files": ["http://$host/a"]} -> 200
get /a -> 200 page # miss detail=purged
wait 0.3
get /b -> 410 gone # miss stored
wait 0.3
get /b -> 410 gone # hit
origin /b 200 max-age=60 | made
put /b | made -> 200 made # fwd=method
get /b -> 200 made # miss detail=purged

# A rule names other statuses and times. Stored errors have no stale windows.
origin /s/a 503 | sorry
get /s/a -> 503 sorry # miss stored ttl=1
get /s/a -> 503 sorry # hit
wait 2.2
origin /s/a down
get /s/a -> 502 # !detail=stale-if-error
origin /s/b 404 | none
get /s/b -> 404 none # !stored
# A stale page has precedence over an error of the origin.
origin /s/c 200 max-age=1 | page
get /s/c -> 200 page # miss stored
wait 2.2
origin /s/c 503 | sorry
get /s/c -> 200 page # detail=stale-if-error !stored
