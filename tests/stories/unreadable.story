only native
# Entries with bytes that are not UTF-8 (here U+FFFD, as the runtime shows them) are only in the Cache API: KV and memory hold text.
rule kv = true
rule memory = true
origin /a 200 max-age=60; X-Name: caf� | page
get /a -> 200 page # miss stored
wait 0.3
get /a -> 200 page # hit
get /a -> 200 page # hit
wait 0.3
get /a -> 200 page # hit !detail=memory
  has X-Name: caf�
evict
get /a -> 200 page # miss stored
origin /b 200 max-age=60; X-Name: café | page
get /b -> 200 page # miss stored
wait 0.3
evict
get /b -> 200 page # hit detail=kv
  has X-Name: café
