# Spellings of one request share an entry, and the origin receives the normalized spelling.
origin /a?b=1&b=0&c=2 200 max-age=600 | page
get /a?c=2&b=1&utm_source=mail&b=0&gclid=1 Cookie: theme=dark; X-Anything: x; User-Agent: Me -> 200 page # miss stored
  sent User-Agent: Edgekeep/0.1.0
  unsent Cookie
  unsent X-Anything
wait 0.3
get /a?b=1&b=0&c=2 -> 200 page # hit
get /./x/../a?b=1&c=2&b=0&fbclid=x -> 200 page # hit
get /%61?%62=1&b=0&c=2& -> 200 page # hit
# Different keys: the order of equal names, an empty path segment.
get /a?b=0&b=1&c=2 -> 404 # miss
get //a?b=1&b=0&c=2 -> 404 # miss
# An empty query equals no query.
origin /b 200 max-age=600 | plain
get /b? -> 200 plain # miss stored
wait 0.3
get /b?utm_medium=x -> 200 plain # hit
