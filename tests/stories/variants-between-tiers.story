only native
# Which variant lies under the key's own name, and which beside it, may differ between the tiers.
# The tiers behind it are looked at here.
rule memory = false
rule kv = true
origin /a 200 max-age=600, stale-while-revalidate=600; Vary: Accept-Language; Cache-Tag: between | hello
get /a Accept-Language: en -> 200 hello # miss stored
wait 0.3
evict
kv down
origin /a 200 max-age=1, stale-while-revalidate=600; Vary: Accept-Language; Cache-Tag: between | hallo
get /a Accept-Language: de -> 200 hallo # miss stored
wait 2.3
kv up
# What is fetched behind a stale answer takes its place there.
origin /a 200 max-age=600, stale-while-revalidate=600; Vary: Accept-Language; Cache-Tag: between | guten Tag
get /a Accept-Language: de -> 200 hallo # hit detail=stale-while-revalidate
wait 0.3
get /a Accept-Language: de -> 200 guten Tag # hit !detail=stale-while-revalidate detail=cache-api
get /a Accept-Language: en -> 200 hello # hit detail=kv
wait 0.3
get /a Accept-Language: en -> 200 hello # hit detail=cache-api
get /a Accept-Language: de -> 200 guten Tag # hit detail=cache-api
# So does what another data centre has left in KV: there it lies beside the other one.
evict
kv down
origin /a 200 max-age=1, stale-while-revalidate=600; Vary: Accept-Language; Cache-Tag: between | servus
get /a Accept-Language: de -> 200 servus # miss stored
wait 2.3
kv up
get /a Accept-Language: de -> 200 servus # hit detail=stale-while-revalidate
wait 0.3
get /a Accept-Language: de -> 200 guten Tag # hit !detail=stale-while-revalidate detail=cache-api
asked /a 4
