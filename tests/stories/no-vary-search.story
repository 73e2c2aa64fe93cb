# The origin declares which query parameters do not matter, where a rule enables it.
rule /nvs/* no_vary_search = true
rule /nvs/* kv = true
rule kv = true
origin /nvs/a?id=1&ref=x 200 max-age=600; No-Vary-Search: params=("ref" "from here") | one
get /nvs/a?id=1&ref=x -> 200 one # miss stored
  has No-Vary-Search: params=("ref" "from here")
wait 0.3
get /nvs/a?id=1&ref=y -> 200 one # hit
get /nvs/a?ref=z&id=1&from+here=1 -> 200 one # hit
get /nvs/a?id=1 -> 200 one # hit
# Other parameters still matter.
origin /nvs/a?id=2 200 max-age=600; No-Vary-Search: params=("ref" "from here") | two
get /nvs/a?id=2 -> 200 two # miss stored
wait 0.3
get /nvs/a?id=2&ref=x -> 200 two # hit
get /nvs/a?id=1&ref=w -> 200 one # hit
# A purge of any spelling matches the entry; also in KV.
evict
get /nvs/a?id=2&ref=q -> 200 two # hit detail=kv
purge {"files": ["http://$host/nvs/a?id=2&ref=other"]} -> 200
get /nvs/a?id=2 -> 200 two # miss detail=purged
# All parameters except some; and the origin changes its declaration.
origin /nvs/b?q=1&x=1 200 max-age=1, stale-if-error=0; No-Vary-Search: params, except=("q") | b
get /nvs/b?q=1&x=1 -> 200 b # miss stored
wait 0.3
get /nvs/b?q=1&x=2 -> 200 b # hit
wait 2.2
origin /nvs/b?q=1&x=3 200 max-age=600 | b3
get /nvs/b?q=1&x=3 -> 200 b3 # stored
wait 0.3
get /nvs/b?q=1&x=3 -> 200 b3 # hit
origin /nvs/b?q=1&x=4 200 max-age=600 | b4
get /nvs/b?q=1&x=4 -> 200 b4 # miss
# If the field is invalid, all parameters matter.
origin /nvs/c?a=1 200 max-age=600; No-Vary-Search: params=(a) | c
get /nvs/c?a=1 -> 200 c # miss stored
get /nvs/c?a=2 -> 404 # miss
# Off by default.
origin /d?a=1 200 max-age=600; No-Vary-Search: params | d
get /d?a=1 -> 200 d # miss stored
get /d?a=2 -> 404 # miss
# A signpost applies only to entries that have the field themselves.
origin /nvs/p?a=1 200 max-age=600 | a1
get /nvs/p?a=1 -> 200 a1 # miss stored
origin /nvs/p?b=2 200 max-age=600; No-Vary-Search: params=("x") | b2
get /nvs/p?b=2 -> 200 b2 # miss stored
wait 0.3
origin /nvs/p?a=1&x=5 200 max-age=600 | a1x5
get /nvs/p?a=1&x=5 -> 200 a1x5 # miss
# A 304 without the field does not change it.
origin /nvs/q?a=1 200 max-age=1, stale-if-error=0; ETag: "1"; No-Vary-Search: params | q
get /nvs/q?a=1 -> 200 q # miss stored
wait 2.2
origin /nvs/q?a=2 304 max-age=600; ETag: "1"
get /nvs/q?a=2 -> 200 q # fwd=stale fwd-status=304 stored
wait 0.3
get /nvs/q?a=3 -> 200 q # hit
# A response that declares its parameters itself does not replace another variant of that key.
origin /nvs/v?id=1&ref=x 200 max-age=600; Vary: Accept-Language; No-Vary-Search: params=("ref") | hello
get /nvs/v?id=1&ref=x Accept-Language: en -> 200 hello # miss stored
origin /nvs/v?b=2 200 max-age=600 | b2
get /nvs/v?b=2 -> 200 b2 # miss stored
wait 0.3
origin /nvs/v?id=1&ref=y 200 max-age=600; Vary: Accept-Language; No-Vary-Search: params=("ref") | hallo
get /nvs/v?id=1&ref=y Accept-Language: de -> 200 hallo # miss stored
wait 0.3
get /nvs/v?id=1&ref=z Accept-Language: en -> 200 hello # hit
get /nvs/v?id=1&ref=z Accept-Language: de -> 200 hallo # hit
evict
get /nvs/v?id=1&ref=z Accept-Language: en -> 200 hello # hit detail=kv
get /nvs/v?id=1&ref=z Accept-Language: de -> 200 hallo # hit detail=kv
