# The breaker opens for a while if several pages of an origin fail.
setting protection.breaker_failures = 5
setting protection.breaker_pause = 2
rule retries = 0
origin /old 200 max-age=1 | old
origin /strict 200 max-age=1, must-revalidate; ETag: "1" | strict
get /old -> 200 old # miss stored
get /strict -> 200 strict # miss stored
wait 2.2

# It does not count errors of a page itself, failures of one page only, with any query, nor failures of less than half of the pages.
origin /a 500 | broken
get /a -> 500 broken
get /a -> 500 broken
get /a -> 500 broken
get /a -> 500 broken
get /a -> 500 broken
origin /a 503 | sorry
origin /a?x=1 503 | sorry
get /a -> 503 sorry
get /a -> 503 sorry
get /a?x=1 -> 503 sorry
get /a -> 503 sorry
get /a -> 503 sorry # !detail=circuit-open
asked /a 9
origin /b 502 | sorry
origin /c 502 | sorry
get /b -> 502 sorry
get /none -> 404
get /nothing -> 404
get /c -> 502 sorry
# Of seven pages /old, /strict, /none and /nothing work; /a, /b and /c do not.
get /c -> 502 sorry # fwd-status=502
get /c -> 502 sorry # !detail=circuit-open

# Half of them fail: requests get an error at once, and are not sent to the origin.
origin /e 504 | sorry
get /e -> 504 sorry
get /e -> 503 # detail=circuit-open
get /a -> 503 # miss detail=circuit-open !fwd-status=503 !stored
  has Retry-After: 2
  has Cache-Control: no-store
post /a | x -> 503 # fwd=method detail=circuit-open
get /a Cookie: sessionid=x -> 503 # fwd=bypass detail=circuit-open
asked /a 9
# Pages that worked recently still pass.
get /old -> 200 old # fwd=stale fwd-status=200 !detail=circuit-open
asked /old 2
wait 2.2

# After the pause a few trials pass, one for each page; the pause doubles if they fail.
get /a -> 503 sorry # fwd-status=503
get /a -> 503 # detail=circuit-open
get /b -> 503 # detail=circuit-open
asked /a 10
origin /a 200 max-age=60 | back
wait 4.2
get /a -> 200 back # miss stored
get /b -> 502 sorry
