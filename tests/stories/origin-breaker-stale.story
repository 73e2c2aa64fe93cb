# While the breaker is open, stale copies are served.
setting protection.breaker_failures = 3
setting protection.breaker_pause = 30
rule retries = 0
origin /old 200 max-age=1 | old
origin /strict 200 max-age=1, must-revalidate; ETag: "1" | strict
get /old -> 200 old # miss stored
get /strict -> 200 strict # miss stored
wait 2.2
origin /old down
origin /strict down
get /old -> 200 old # fwd=stale detail=stale-if-error !detail=circuit-open
get /strict -> 504 # fwd=stale !detail=circuit-open
origin /a down
get /a -> 502
get /old -> 200 old # fwd=stale detail=stale-if-error detail=circuit-open
get /strict -> 503 # fwd=stale detail=circuit-open
  has Retry-After: 30
asked /old 2
asked /strict 2
