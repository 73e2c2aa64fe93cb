# While a request waits for the origin, another isolate may store a copy in the Cache API. If the origin then fails, the copy
# is served with its own freshness. (With collapsing between isolates this is rarer, but occurs for ranges and after a second.)
rule /g negative_ttl = { 503 = 10 }
rule /g collapse = "isolate"
rule /g retries = 0
rule collapse = "isolate"
rule memory = false
rule retries = 0
origin /a next=1 slow=1.2 503 | broken
origin /a 200 max-age=60 | one
start r get /a
wait 0.4
at b
get /a -> 200 one # miss stored
at a
finish r -> 200 one # miss fwd-status=503 detail=cache-api !detail=stale-if-error !hit !stored
asked /a 2
get /a -> 200 one # hit

# No response at all; and a range, whose flight other requests do not follow, of a page that already had another variant.
origin /b 200 max-age=60; Vary: Accept-Language | hallo
get /b Accept-Language: de -> 200 hallo # miss stored
wait 0.3
origin /b next=1 hang
origin /b 200 max-age=60; Vary: Accept-Language | 0123456789
start r get /b Accept-Language: en; Range: bytes=2-4
wait 0.4
get /b Accept-Language: en -> 200 0123456789 # fwd=vary-miss stored
finish r -> 206 234 # fwd=vary-miss detail=cache-api
  has Content-Range: bytes 2-4/10

# A follower of a failed flight looks up again, too. (The page was stored before, so the leader is alone for longer than the timeout.)
origin /c 200 max-age=60 | two
get /c -> 200 two # miss stored
wait 0.3
purge {"files": ["http://$host/c"]} -> 200
wait 1.5
origin /c next=1 hang
origin /c 200 max-age=60 | three
start one get /c
start two get /c
wait 0.4
at b
get /c -> 200 three # miss stored
at a
finish one -> 200 three # miss detail=cache-api !collapsed
finish two -> 200 three # miss detail=cache-api collapsed
asked /c 3

# The copy may be stale again, and may forbid to be served stale.
origin /h next=1 hang
origin /h 200 max-age=1 | eight
start r get /h
wait 0.2
at b
get /h -> 200 eight # miss stored
at a
finish r -> 200 eight # miss detail=stale-if-error
origin /i next=1 hang
origin /i 200 max-age=1, must-revalidate | nine
start r get /i
wait 0.2
at b
get /i -> 200 nine # miss stored
at a
finish r -> 504 # miss !detail=cache-api

# A stored part suffices for a range within it.
origin /d next=1 slow=1.2 503 | broken
origin /d 206 max-age=60; ETag: "v1"; Content-Range: bytes 0-4/10 | 01234
start r get /d Range: bytes=1-3
wait 0.4
get /d Range: bytes=0-4 -> 206 01234 # miss stored
finish r -> 206 123 # miss fwd-status=503 detail=cache-api
  has Content-Range: bytes 1-3/10

# A copy that was purged meanwhile is not served.
origin /e next=1 hang
origin /e 200 max-age=60 | five
start r get /e
wait 0.2
at b
get /e -> 200 five # miss stored
at a
purge {"files": ["http://$host/e"]} -> 200
finish r -> 504 # miss !detail=cache-api

# A stale copy that was purged meanwhile is replaced by a newer one.
origin /j 200 max-age=1, stale-if-error=60 | old
get /j -> 200 old # miss stored
wait 2.2
origin /j next=1 hang
origin /j 200 max-age=60 | new
start r get /j
wait 0.2
at b
purge {"files": ["http://$host/j"]} -> 200
get /j -> 200 new # stored
at a
finish r -> 200 new # fwd=stale detail=cache-api !detail=stale-if-error

# A copy that authorized requests may not use is not served to them.
origin /f next=1 slow=1.2 503 | broken
origin /f 200 max-age=60 | six
start r get /f Authorization: me
wait 0.4
get /f -> 200 six # miss stored
finish r -> 503 broken # !detail=cache-api

# A stored error does not replace the origin's own error.
origin /g next=1 slow=1.2 503 | late
origin /g 503 | early
start r get /g
wait 0.4
at b
get /g -> 503 early # miss stored
at a
finish r -> 503 late # miss !detail=cache-api
