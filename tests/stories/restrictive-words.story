# Restrictive directives apply in any spelling, also under a rule that stores
# everything. (In this file a semicolon with a blank behind it would end a value.)
rule /ttl/* edge_ttl = 600
rule /ttl/* negative_ttl = { 404 = 600 }
origin /a 200 private;max-age=3600; Expires: Fri, 31 Dec 2060 23:59:59 GMT | mine
get /a -> 200 mine # miss !stored detail=private
get /a -> 200 mine # miss !stored detail=private
origin /b 200 No-cache;No-store;Must-revalidate; Expires: Fri, 31 Dec 2060 23:59:59 GMT | mine
get /b -> 200 mine # miss !stored detail=no-store
origin /c 200 private;must-revalidate, max-age=600 | mine
get /c -> 200 mine # miss !stored detail=private
origin /d 200 "private", max-age=60 | mine
get /d -> 200 mine # miss !stored detail=private
origin /e 404 private;max-age=0; Expires: Fri, 31 Dec 2060 23:59:59 GMT | mine
get /e -> 404 mine # miss !stored detail=private
origin /f 200 max-age=60 private | mine
get /f -> 200 mine # miss !stored detail=private
origin /ttl/a 200 private;max-age=3600 | mine
get /ttl/a -> 200 mine # miss !stored detail=private
origin /ttl/b 200 "no-store" | mine
get /ttl/b -> 200 mine # miss !stored detail=no-store
origin /ttl/c 404 'private' | mine
get /ttl/c -> 404 mine # miss !stored detail=private
# The qualified form is a quoted list of field names; with any other argument it is the plain directive.
origin /p 200 private=true, max-age=600 | Ann
get /p -> 200 Ann # miss !stored detail=private
get /p -> 200 Ann # miss !stored detail=private
origin /q 200 private="1", max-age=600 | Ann
get /q -> 200 Ann # miss !stored detail=private
origin /r 200 no-cache="no-store", max-age=600 | Ann
get /r -> 200 Ann # miss !stored detail=no-store
origin /s 200 max-age=600, no-cache=1; X-A: 1 | Ann
get /s -> 200 Ann # miss !stored
# An invalid targeted field still forbids.
origin /g 200 public, max-age=600; CDN-Cache-Control: Private | mine
get /g -> 200 mine # miss !stored detail=private
origin /h 200 public, max-age=600; Cloudflare-CDN-Cache-Control: max-age=60;no-store | mine
get /h -> 200 mine # miss !stored detail=no-store
# An admin page is not served to other clients when the origin fails.
origin /admin 200 max-age=0;no-cache;no-store;must-revalidate; ETag: "1" | the admin's
get /admin -> 200 the admin's # miss !stored detail=no-store
origin /admin down
get /admin -> 502
# An invalid Vary is `*`.
origin /v 200 max-age=60; Vary: Accept-Language Accept-Encoding | mine
get /v -> 200 mine # miss !stored detail=vary
origin /w 200 max-age=60; Vary: "Accept-Language" | mine
get /w -> 200 mine # miss !stored detail=vary
# Parts of other directives do not count.
origin /x 200 max-age=600, x-private, community="a private club" | ours
get /x -> 200 ours # miss stored
wait 0.3
get /x -> 200 ours # hit
