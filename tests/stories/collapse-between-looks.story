only native
# Between a lookup in the Cache API and the end of one in KV, another request may fetch the page: its copy is found.
rule kv = true
kv slow=0.5
origin /a 200 max-age=60 | one
start first get /a
wait 0.1
start second get /a
finish first -> 200 one # fwd=uri-miss stored !collapsed
finish second -> 200 one # collapsed ttl=60 detail=cache-api
asked /a 1
get /a -> 200 one # hit
