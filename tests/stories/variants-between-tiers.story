only native
# Which variant is stored under the key itself, and which beside it, may differ between the tiers.
# Memory is off, to test the tiers behind it.
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
# A variant that is refreshed in the background replaces the stale one there.
origin /a 200 max-age=600, stale-while-revalidate=600; Vary: Accept-Language; Cache-Tag: between | guten Tag
get /a Accept-Language: de -> 200 hallo # hit detail=stale-while-revalidate
wait 0.3
get /a Accept-Language: de -> 200 guten Tag # hit !detail=stale-while-revalidate detail=cache-api
get /a Accept-Language: en -> 200 hello # hit detail=kv
wait 0.3
get /a Accept-Language: en -> 200 hello # hit detail=cache-api
get /a Accept-Language: de -> 200 guten Tag # hit detail=cache-api
# So does a variant that another data centre has written to KV, where it is beside the other one.
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
