# The client's own directives apply where a rule enables them (RFC 9111 §5.2.1).
rule /heed/* request_directives = true
rule /heed/* stale_if_error = 0
origin /heed/a 200 max-age=4; ETag: "1" | a
get /heed/a Cache-Control: only-if-cached -> 504 # detail=only-if-cached !fwd=uri-miss
asked /heed/a 0
get /heed/a -> 200 a # miss stored
wait 1.3
get /heed/a Cache-Control: only-if-cached -> 200 a # hit
get /heed/a Cache-Control: max-age=100 -> 200 a # hit
get /heed/a Cache-Control: min-fresh=1 -> 200 a # hit
get /heed/a Cache-Control: no-store -> 200 a # hit
get /heed/a Cache-Control: max-age=0 -> 200 a # fwd=request fwd-status=304 stored
wait 0.3
get /heed/a Cache-Control: min-fresh=60 -> 200 a # fwd=request fwd-status=304
get /heed/a Cache-Control: no-cache -> 200 a # fwd=request fwd-status=304
get /heed/a Pragma: no-cache -> 200 a # fwd=request fwd-status=304
get /heed/a Pragma: no-cache; Cache-Control: max-age=100 -> 200 a # hit
wait 5.3
get /heed/a Cache-Control: max-stale -> 200 a # hit !fwd=stale
get /heed/a Cache-Control: max-stale=60 -> 200 a # hit
get /heed/a Cache-Control: max-stale=0 -> 200 a # fwd=stale fwd-status=304
# They do not allow a response that must not be served stale.
origin /heed/b 200 max-age=1, must-revalidate; ETag: "1" | b
get /heed/b -> 200 b # miss
wait 2.2
get /heed/b Cache-Control: max-stale -> 200 b # fwd=stale fwd-status=304
# no-store in the request keeps the response from being stored.
origin /heed/c 200 max-age=60 | c
get /heed/c Cache-Control: no-store -> 200 c # miss !stored detail=request-no-store
get /heed/c -> 200 c # miss stored
# By default no directive applies: a reload does not reach the origin.
origin /a 200 max-age=60 | a
get /a Cache-Control: no-store -> 200 a # miss stored
wait 0.3
get /a Cache-Control: no-cache -> 200 a # hit
get /a Cache-Control: max-age=0 -> 200 a # hit
