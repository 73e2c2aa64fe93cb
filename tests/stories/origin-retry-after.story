# How long an origin is left alone is its own to say.
setting protection.breaker_failures = 2
setting protection.breaker_pause = 1
origin /a 503 Retry-After: 4 | later
get /a -> 503 later # !detail=retried
get /a -> 503 later
get /a -> 503 # detail=circuit-open
  has Retry-After: 4
wait 2
origin /a 200 max-age=60 | back
get /a -> 503 # detail=circuit-open
asked /a 2
wait 2.2
get /a -> 200 back # miss stored
