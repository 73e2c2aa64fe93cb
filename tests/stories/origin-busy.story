# A limited number of requests at a time; the others wait in a queue.
setting protection.max_requests = 1
setting protection.queue_timeout = 4
rule origin_timeout = 9
origin /old 200 max-age=1, stale-if-error=60; ETag: "1" | old
origin /gone 200 max-age=1; ETag: "1"; Cache-Tag: gone | old
get /old -> 200 old # miss stored
get /gone -> 200 old # miss stored
origin /b 200 max-age=60 | page
wait 2.2

origin /slow slow=2 200 | slow
start one get /slow
get /b -> 200 page # miss stored detail=queued
finish one -> 200 slow # !detail=queued
# A hit needs no permit.
start one get /slow
get /b -> 200 page # hit !detail=queued
finish one -> 200 slow

# Requests that wait too long get a stale copy or an error.
origin /slow slow=8 200 | slow
start one get /slow
start two get /c
start three get /old
start four get /c Cookie: sessionid=x
finish two -> 503 # miss detail=queued detail=origin-busy !stored
  has Retry-After: 5
finish three -> 200 old # fwd=stale detail=stale-if-error detail=origin-busy
finish four -> 503 # fwd=bypass detail=origin-busy
asked /c 0
asked /old 1
finish one -> 200 slow

# A purge during the wait applies to the stale copy: it is not revalidated.
origin /slow slow=3 200 | slow
start one get /slow
start two get /gone
purge {"tags": ["gone"]} -> 200
origin /gone 200 max-age=60; ETag: "1"; Cache-Tag: gone | new
finish two -> 200 new # fwd=uri-miss fwd-status=200 detail=queued detail=purged
  unsent If-None-Match
finish one -> 200 slow
get /gone -> 200 new # hit
