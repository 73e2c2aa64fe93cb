# An origin of which several pages fail is left alone for a while.
setting protection.breaker_failures = 5
setting protection.breaker_pause = 2
rule retries = 0
origin /old 200 max-age=1 | old
origin /strict 200 max-age=1, must-revalidate; ETag: "1" | strict
get /old -> 200 old # miss stored
get /strict -> 200 strict # miss stored
wait 2.2

# Pages that are broken do not count; nor does one page alone, whatever its query; nor failures of less than half of the pages.
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

# Half of them fail: nobody waits any more, and the origin is not asked.
origin /e 504 | sorry
get /e -> 504 sorry
get /e -> 503 # detail=circuit-open
get /a -> 503 # miss detail=circuit-open !fwd-status=503 !stored
  has Retry-After: 2
  has Cache-Control: no-store
post /a | x -> 503 # fwd=method detail=circuit-open
get /a Cookie: sessionid=x -> 503 # fwd=bypass detail=circuit-open
asked /a 9
# But for what has just worked.
get /old -> 200 old # fwd=stale fwd-status=200 !detail=circuit-open
asked /old 2
wait 2.2

# After the pause a few requests try it, of each page one; the pause is twice as long if they fail.
get /a -> 503 sorry # fwd-status=503
get /a -> 503 # detail=circuit-open
get /b -> 503 # detail=circuit-open
asked /a 10
origin /a 200 max-age=60 | back
wait 4.2
get /a -> 200 back # miss stored
get /b -> 502 sorry
