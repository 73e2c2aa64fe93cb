# A stale page is served whichever way its origin fails.
rule /d/* error_statuses = [429]
origin /a 200 max-age=1, stale-if-error=60 | good
get /a -> 200 good # miss stored
wait 2.2
origin /a 503 | sorry
get /a -> 200 good # fwd=stale fwd-status=503 detail=stale-if-error !hit
origin /a 500 | sorry
get /a -> 200 good # fwd-status=500 detail=stale-if-error
origin /a down
get /a -> 200 good # detail=stale-if-error
origin /a hang
get /a -> 200 good # detail=stale-if-error
# Other responses are not failures.
origin /a 404 | gone
get /a -> 404 gone # fwd=stale fwd-status=404 !detail=stale-if-error

# Without stale-if-error from the origin the window is a day by default.
origin /b 200 max-age=1 | good
get /b -> 200 good # miss
wait 2.2
origin /b down
get /b -> 200 good # detail=stale-if-error

# must-revalidate forbids stale responses.
origin /c 200 max-age=1, must-revalidate, stale-if-error=60; ETag: "1" | good
get /c -> 200 good # miss stored
wait 2.2
origin /c down
get /c -> 504 # fwd=stale
origin /c 503 | sorry
get /c -> 503 sorry # fwd=stale fwd-status=503

# A rule names the statuses that count as failures: here 429.
origin /d/a 200 max-age=1 | good
get /d/a -> 200 good # miss stored
wait 2.2
origin /d/a 429 | slow down
get /d/a -> 200 good # fwd=stale fwd-status=429 detail=stale-if-error
origin /d/a 503 | sorry
get /d/a -> 503 sorry # fwd=stale fwd-status=503 !detail=stale-if-error
# Without such a rule a status of Cloudflare's own counts.
origin /e 200 max-age=1 | good
get /e -> 200 good # miss stored
wait 2.2
origin /e 522 | timed out
get /e -> 200 good # fwd-status=522 detail=stale-if-error

# The time that the origin took counts in the age and in the window.
origin /f 200 max-age=1, stale-if-error=60 | good
get /f -> 200 good # miss stored
wait 2.2
origin /f hang
get /f -> 200 good # detail=stale-if-error
  has Age: 4
origin /g 200 max-age=1, stale-if-error=2 | good
get /g -> 200 good # miss stored
wait 2.2
origin /g hang
get /g -> 504
