# An expired page is confirmed by its ETag: the head is new, the body the old one.
rule kv = true
origin /a 200 max-age=1, stale-if-error=0; ETag: "v1"; X-Seen: first; Cache-Tag: t-$304 | body
get /a -> 200 body # miss stored
  unsent If-None-Match
wait 2.2
origin /a 200 max-age=50; ETag: "v1"; X-Seen: second | body
get /a -> 200 body # fwd=stale fwd-status=304 stored ttl=50
  sent If-None-Match: "v1"
  has X-Seen: second
wait 0.3
get /a -> 200 body # hit
  has X-Seen: second
# The same in KV.
evict
get /a -> 200 body # hit detail=kv
  has X-Seen: second
asked /a 2
# Its earlier tags still match.
purge {"tags": ["t-$304"]} -> 200
get /a -> 200 body # miss detail=purged
# The same in a background refresh.
origin /b 200 max-age=1, stale-while-revalidate=30; ETag: "v1"; X-Seen: first | body
get /b -> 200 body # miss
wait 2.2
origin /b 200 max-age=50; ETag: "v1"; X-Seen: second | body
get /b -> 200 body # hit detail=stale-while-revalidate
  has X-Seen: first
wait 0.5
get /b -> 200 body # hit
  has X-Seen: second
