# The origin sets by Retry-After how long a page rests: for the reader that received it, and for all if several did.
setting protection.breaker_failures = 2
setting protection.breaker_pause = 1
origin /a 503 Retry-After: 4 | later
origin /b 200 no-store | page
get /a -> 503 later # !detail=retried
get /a -> 503 # detail=retry-after !detail=circuit-open
  has Retry-After: 4
get /b -> 200 page # !detail=retry-after
asked /a 1
origin /a 200 no-store | back
wait 2
get /a -> 503 # detail=retry-after
get /a?x=1 -> 404
wait 2.2
get /a -> 200 back
asked /a 2

origin /c 503 Retry-After: 60 | later
get /c CF-Connecting-IP: 192.0.2.1 -> 503 later
get /c CF-Connecting-IP: 192.0.2.1 -> 503 # detail=retry-after
get /c CF-Connecting-IP: 192.0.2.2 -> 503 later
get /c CF-Connecting-IP: 192.0.2.3 -> 503 later
get /c CF-Connecting-IP: 192.0.2.4 -> 503 # detail=retry-after
get /b CF-Connecting-IP: 192.0.2.1 -> 200 page
asked /c 3
