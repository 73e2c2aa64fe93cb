only native
# The response of the origin decides whether a page stays personal, not the one that the client receives.
# A 304 of the origin that makes the page storable; and a 304 that the edge makes of such a 200.
origin /p next=1 200 no-store; ETag: "a" | one
origin /p 200 max-age=600; ETag: "a" | page
get /p -> 200 one # miss detail=no-store
wait 50
get /p Cookie: x=1; If-None-Match: "a" -> 304 - # fwd=bypass detail=personal
wait 50
get /p Cookie: theme=dark -> 200 page # miss stored
origin /made next=1 200 no-store; ETag: "a" | one
origin /made 200 max-age=600; ETag: "a" | page
get /made -> 200 one # miss detail=no-store
wait 50
get /made Cookie: x=1; If-None-Match: "b", "a" -> 304 - # fwd=bypass fwd-status=200 detail=personal
wait 50
get /made Cookie: theme=dark -> 200 page # miss stored
# A 304 that makes the page private renews the note, and so does a 304 that the edge makes.
origin /mine 200 private; ETag: "a" | mine
get /mine Cookie: x=1 -> 200 mine # miss detail=private
wait 50
get /mine Cookie: x=1; If-None-Match: "a" -> 304 - # fwd=bypass fwd-status=304
wait 50
get /mine Cookie: x=1; If-None-Match: "b", "a" -> 304 - # fwd=bypass fwd-status=200
wait 50
get /mine Cookie: x=1 -> 200 mine # fwd=bypass detail=personal
# A 304 without a field about caching confirms a personal response.
origin /silent 200 private; ETag: "a" | mine
get /silent Cookie: x=1 -> 200 mine # miss detail=private
origin /silent next=1 304 ETag: "a"
wait 50
get /silent Cookie: x=1; If-None-Match: "a" -> 304 - # fwd=bypass fwd-status=304
wait 50
get /silent Cookie: x=1 -> 200 mine # fwd=bypass detail=personal
# Fields for the edge, which clients do not receive, count.
origin /edge next=1 200 no-store | one
origin /edge 200 private; Cloudflare-CDN-Cache-Control: max-age=600 | page
get /edge -> 200 one # miss detail=no-store
wait 50
get /edge Cookie: consent=1 -> 200 page # fwd=bypass detail=personal
wait 50
get /edge Cookie: theme=dark -> 200 page # miss stored
origin /browsers 200 public, max-age=60; Cloudflare-CDN-Cache-Control: private | mine
get /browsers Cookie: my_sid=1 -> 200 mine # miss detail=private
wait 50
get /browsers Cookie: my_sid=1 -> 200 mine # fwd=bypass detail=personal
wait 50
get /browsers Cookie: my_sid=1 -> 200 mine # fwd=bypass detail=personal
# A response to credentials does not renew the note, as it does not begin one.
origin /auth next=1 200 no-store | one
get /auth -> 200 one # miss detail=no-store
wait 50
origin /auth next=1 200 private | his
get /auth Authorization: Basic eA==; Cookie: x=1 -> 200 his # fwd=bypass detail=personal
origin /auth 200 max-age=600 | page
wait 50
get /auth Cookie: theme=dark -> 200 page # miss stored
