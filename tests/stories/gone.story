# A response that cannot be stored still ends the use of the old page.
rule /a negative_ttl = {}
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
# A response that does not concern the page leaves the old one in use.
origin /b 200 max-age=1, stale-if-error=60 | page
get /b -> 200 page # miss stored
wait 2.2
origin /b 429 | slow down
get /b -> 429 slow down # fwd=stale
origin /b down
get /b -> 200 page # detail=stale-if-error
# So does an error for an authorized request only.
origin /c 200 public, max-age=1, stale-if-error=60 | page
get /c -> 200 page # miss stored
wait 2.2
origin /c 401 | who are you
get /c Authorization: Bearer wrong -> 401 who are you # fwd=stale
origin /c down
get /c -> 200 page # detail=stale-if-error
# So does a HEAD response that shows no other page: here nothing distinguishes the two.
origin /d 200 max-age=1, stale-if-error=60 | page
get /d -> 200 page # miss stored
wait 2.2
head /d -> 200 - # fwd=stale detail=head
origin /d down
get /d -> 200 page # detail=stale-if-error
# A HEAD response with another length makes the page stale (RFC 9111 §4.3.5), which it was already.
origin /d 200 max-age=1, stale-if-error=60 | a longer page
head /d -> 200 - # fwd=stale detail=head
origin /d down
get /d -> 200 page # detail=stale-if-error
# A refusal of one client ends it for all, unless its status shows that it concerns the request or the origin itself.
origin /e 200 max-age=1, stale-if-error=60 | page
get /e -> 200 page # miss stored
wait 2.2
origin /e 503 | you are blocked
get /e -> 200 page # detail=stale-if-error
origin /e 429 | you are blocked
get /e -> 429 you are blocked # fwd=stale
origin /e down
get /e -> 200 page # detail=stale-if-error
origin /e 403 | you are blocked
get /e -> 403 you are blocked # fwd=stale
origin /e down
get /e -> 502
