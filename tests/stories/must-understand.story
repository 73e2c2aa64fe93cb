# must-understand (RFC 9111 §5.2.2.3) beside no-store, and every final status with a lifetime.
rule kv = true
origin /known 200 must-understand, no-store, max-age=60 | a
get /known -> 200 a # miss stored
origin /unknown 599 must-understand, no-store, max-age=60 | b
get /unknown -> 599 b # !stored detail=not-understood
origin /s/299 299 max-age=60 | a
origin /s/303 303 max-age=60; Location: /x | a
origin /s/404 404 max-age=60 | a
origin /s/503 503 max-age=60 | a
origin /s/599 599 max-age=60 | a
origin /s/204 204 max-age=60
get /s/299 -> 299 a # miss stored
get /s/303 -> 303 a # miss stored
get /s/404 -> 404 a # miss stored
get /s/503 -> 503 a # miss stored
get /s/599 -> 599 a # miss stored
get /s/204 -> 204 - # miss stored
wait 0.4
get /s/299 -> 299 a # hit
get /s/303 -> 303 a # hit
  has Location: /x
get /s/404 -> 404 a # hit
get /s/503 -> 503 a # hit
get /s/599 -> 599 a # hit
get /s/204 -> 204 - # hit
evict
get /s/204 -> 204 - # hit detail=kv
get /s/299 -> 299 a # hit detail=kv
# Errors are not written to KV.
get /s/599 -> 599 a # miss stored
