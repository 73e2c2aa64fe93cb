# KV admits what is fetched a second time and will be fresh for kv_min_ttl.
rule /brief* kv_min_ttl = 5
rule /always kv = true
origin /a 200 max-age=60 | one
get /a -> 200 one # miss stored
evict
get /a -> 200 one # miss stored
wait 0.5
evict
get /a -> 200 one # hit detail=kv
asked /a 2
# A shorter lifetime is not admitted.
origin /short 200 max-age=59, stale-while-revalidate=600 | one
get /short -> 200 one # miss stored
evict
get /short -> 200 one # miss stored
wait 0.5
evict
get /short -> 200 one # miss stored
asked /short 3
# A stale entry in the data centre shows an earlier fetch, by any of its isolates.
origin /brief 200 max-age=5; ETag: "1" | one
get /brief -> 200 one # miss stored
wait 5.6
at b
get /brief -> 200 one # fwd=stale fwd-status=304 stored
wait 0.5
evict
get /brief -> 200 one # hit detail=kv
# So does a purged entry.
origin /p 200 max-age=600 | one
get /p -> 200 one # miss stored
wait 0.3
purge {"files": ["http://$host/p"]} -> 200
wait 1.1
at a
get /p -> 200 one # miss stored detail=purged
wait 0.5
evict
get /p -> 200 one # hit detail=kv
# Each variant is admitted separately.
origin /v 200 max-age=60; Vary: Accept-Language | hello
get /v Accept-Language: en -> 200 hello # miss stored
evict
get /v Accept-Language: de -> 200 hello # miss stored
wait 0.5
evict
get /v Accept-Language: de -> 200 hello # miss stored
# `kv = true` does not require any of this.
origin /always 200 max-age=1, stale-while-revalidate=600 | one
get /always -> 200 one # miss stored
wait 0.5
evict
get /always -> 200 one # hit detail=kv
