# An error about the request is not shared with other requests, whatever its lifetime.
origin /cold 415 public, max-age=600 | odd
get /cold Accept: application/x-odd -> 415 odd # !stored detail=request-error
origin /cold 200 max-age=600 | page
get /cold -> 200 page # miss stored

# Within the stale windows it does not end the use of the copy: here in a background refresh.
rule /swr/* memory = false
origin /swr/a 200 max-age=1, stale-while-revalidate=60, stale-if-error=600; ETag: "1" | page
get /swr/a -> 200 page # miss stored
wait 2.2
origin /swr/a 406 max-age=600 | odd
get /swr/a Accept: application/x-odd -> 200 page # hit detail=stale-while-revalidate
wait 0.3
get /swr/a -> 200 page # hit detail=stale-while-revalidate
wait 0.3
origin /swr/a down
get /swr/a -> 200 page # hit
# The same in a revalidation before the response.
origin /a 200 max-age=1, stale-if-error=600; ETag: "1" | page
get /a -> 200 page # miss stored
wait 2.2
origin /a 417 max-age=600 | odd
get /a Accept: application/x-odd -> 417 odd # fwd=stale !stored
head /a Accept: application/x-odd -> 417 - # fwd=stale !stored
origin /a down
get /a -> 200 page # detail=stale-if-error
origin /a 200 max-age=1, stale-if-error=600; ETag: "1" | page
get /a -> 200 page # fwd-status=304

# A rule may store it where there is no page, for the time that the rule sets.
rule /kept/* negative_ttl = { 422 = 30, 426 = 0 }
origin /kept/a 422 max-age=600 | odd
get /kept/a -> 422 odd # stored ttl=30
origin /kept/b 426 max-age=600 | odd
get /kept/b -> 426 odd # !stored detail=request-error
origin /kept/c 200 max-age=1, stale-if-error=600; ETag: "1" | page
get /kept/c -> 200 page # miss stored
wait 2.2
origin /kept/c 422 max-age=600 | odd
get /kept/c -> 422 odd # fwd=stale !stored
origin /kept/c down
get /kept/c -> 200 page # detail=stale-if-error
# It does not replace another variant either.
origin /kept/d 200 max-age=600; Vary: Accept | words
get /kept/d Accept: text/html -> 200 words # miss stored
origin /kept/d 422 max-age=600 | odd
get /kept/d Accept: text/x-odd -> 422 odd # fwd=vary-miss
get /kept/d Accept: text/html -> 200 words # hit
