# A request that does not use the cache goes to the origin whole.
rule /admin/* cache = false
origin /a 200 max-age=600 | page
origin /a?x=1&utm_source=mail 200 max-age=600 | raw
origin /admin/a 200 max-age=600 | panel
post /a -> 200 page # fwd=method
request PROPFIND /a -> 200 page # fwd=method
get /admin/a -> 200 panel # fwd=bypass detail=rule
get /%61dmin/a -> 404 # fwd=bypass detail=rule
get /a Cookie: theme=dark;sessionid=x -> 200 page # fwd=bypass detail=cookie
  sent Cookie: theme=dark;sessionid=x
get /a?x=1&utm_source=mail Cookie: sessionid=x -> 200 raw # fwd=bypass
get /a If-Match: "x" -> 200 page # fwd=bypass detail=precondition
get /a -> 200 page # miss
