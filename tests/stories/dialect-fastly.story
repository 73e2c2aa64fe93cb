# Fastly's calls and its responses.
rule purge_dialects = ["fastly"]
key editor may = {hosts = ["$host"], tags = ["fastly-*"]}
origin /a 200 max-age=600, stale-if-error=60; ETag: "1"; Surrogate-Key: fastly-a fastly-all | a
get /a -> 200 a # miss
wait 0.3
post /service/x/purge Surrogate-Key: fastly-a -> 401
post /service/x/purge Surrogate-Key: fastly-a; Fastly-Key: $token:nobody -> 401
  json /msg "Not accepted"
post /service/x/purge Surrogate-Key: fastly-a other; Fastly-Key: $token:editor -> 403
post /service/x/purge Fastly-Key: $token -> 400
post /service/x/purge Fastly-Key: $token | {"keys": ["fastly-a"]} -> 422
post /service/x/purge Fastly-Key: $token | {"surrogate_keys": []} -> 422
get /a -> 200 a # hit
post /service/x/purge webhook-id: $id:one; Surrogate-Key: fastly-a fastly-b; Fastly-Key: $token:editor -> 200
  json /fastly-a "$id:one"
  json /fastly-b "$id:one"
get /a -> 200 a # miss detail=purged
wait 0.3
# The id belongs to this order, and cannot be used for another.
post /service/x/purge webhook-id: $id:one; Surrogate-Key: fastly-a fastly-b; Fastly-Key: $token:editor -> 200
post /service/x/purge webhook-id: $id:one; Surrogate-Key: fastly-a; Fastly-Key: $token:editor -> 409
post /service/x/purge webhook-id: $id:one; Surrogate-Key: fastly-a fastly-b; Fastly-Key: $token:editor; Fastly-Soft-Purge: 1 -> 409
get /a -> 200 a # hit
post /service/x/purge Fastly-Key: $token; Fastly-Soft-Purge: 1 | {"surrogate_keys": ["fastly-all"]} -> 200
get /a -> 200 a # fwd=stale fwd-status=304
wait 0.3
post /service/x/purge/fastly-a Authorization: Bearer $token:editor; Fastly-Soft-Purge: 1 -> 200
  json /status "ok"
get /a -> 200 a # fwd=stale fwd-status=304
wait 0.3
post /service/x/purge/fastly%2Da Fastly-Key: $token -> 200
  json /status "ok"
get /a -> 200 a # miss detail=purged
wait 0.3
request PURGE /a Fastly-Key: $token:editor; Fastly-Soft-Purge: 1 -> 200
  json /status "ok"
get /a -> 200 a # fwd=stale fwd-status=304
wait 0.3
post /purge/$host/a?utm_source=x Fastly-Key: $token:editor -> 200
  json /status "ok"
get /a -> 200 a # miss detail=purged
wait 0.3
post /purge/$host%2Fa Fastly-Key: $token -> 200
get /a -> 200 a # miss detail=purged
wait 0.3
post /purge/elsewhere.test/a Fastly-Key: $token:editor -> 403
post /service/x/purge_all Fastly-Key: $token:editor -> 403
  json /msg "Not allowed"
get /a -> 200 a # hit
post /service/x/purge_all Fastly-Key: $token -> 200
  json /status "ok"
get /a -> 200 a # miss detail=purged
# Other requests to such paths go to the origin.
get /service/x/purge -> 404
post /service/x/version -> 404
post /service//purge -> 404
asked /service/x/purge 1
