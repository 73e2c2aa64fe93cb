# A fill that began before a purge is purged when it is stored.
rule kv = true
origin /a slow=1 200 max-age=600; Cache-Tag: race | before the edit
start reader get /a
origin /a 200 max-age=600; Cache-Tag: race | after the edit
purge {"tags": ["race"]} -> 200
finish reader -> 200 before the edit # miss
wait 0.3
get /a -> 200 after the edit # miss
wait 0.3
get /a -> 200 after the edit # hit
evict
get /a -> 200 after the edit # hit detail=kv
asked /a 2

# The same for a background refresh.
origin /b 200 max-age=1, stale-while-revalidate=60; Cache-Tag: race-b | first
get /b -> 200 first # miss
wait 2.2
origin /b slow=1 200 max-age=600; Cache-Tag: race-b | before the edit
get /b -> 200 first # hit detail=stale-while-revalidate
wait 0.3
origin /b 200 max-age=600; Cache-Tag: race-b | after the edit
purge {"tags": ["race-b"]} -> 200
wait 1.5
get /b -> 200 after the edit # miss

# The same for a 304 that confirms a copy that was purged meanwhile.
origin /c 200 max-age=1, stale-if-error=60; ETag: "1"; Cache-Tag: race-c | before the edit
get /c -> 200 before the edit # miss
wait 2.2
origin /c slow=1 200 max-age=600; ETag: "1"; Cache-Tag: race-c | before the edit
start reader get /c
origin /c 200 max-age=600; ETag: "2"; Cache-Tag: race-c | after the edit
purge {"tags": ["race-c"]} -> 200
finish reader -> 200 before the edit # fwd-status=304
wait 0.3
get /c -> 200 after the edit # miss
