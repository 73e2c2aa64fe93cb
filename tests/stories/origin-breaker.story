# An origin that fails again and again is left alone for a while.
setting protection.breaker_failures = 3
setting protection.breaker_pause = 2
rule retries = 0
origin /old 200 max-age=1 | old
origin /strict 200 max-age=1, must-revalidate; ETag: "1" | strict
get /old -> 200 old # miss stored
get /strict -> 200 strict # miss stored
wait 2.2

# Pages that are broken do not count, nor failures with an answer between them.
origin /a 500 | broken
get /a -> 500 broken
get /a -> 500 broken
get /a -> 500 broken
get /a -> 500 broken
origin /a 503 | sorry
get /a -> 503 sorry
get /a -> 503 sorry
get /none -> 404
get /a -> 503 sorry
get /a -> 503 sorry # !detail=circuit-open
asked /a 8
get /a -> 503 sorry # fwd-status=503

# Now it is open: nobody waits, and the origin is not asked.
get /a -> 503 # miss detail=circuit-open !fwd-status=503 !stored
  has Retry-After: 2
  has Cache-Control: no-store
get /old -> 200 old # fwd=stale detail=stale-if-error detail=circuit-open
get /strict -> 503 # fwd=stale detail=circuit-open
  has Retry-After: 2
post /a | x -> 503 # fwd=method detail=circuit-open
get /a Cookie: sessionid=x -> 503 # fwd=bypass detail=circuit-open
asked /a 9
asked /old 1

# After the pause one request tries it; it fails, and the pause is twice as long.
wait 2.2
get /a -> 503 sorry # fwd-status=503
get /a -> 503 # detail=circuit-open
asked /a 10
wait 2.5
get /a -> 503 # detail=circuit-open
asked /a 10
origin /a 200 max-age=60 | back
wait 1.8
get /a -> 200 back # miss stored
get /none -> 404
get /old -> 200 old # fwd=stale fwd-status=200
