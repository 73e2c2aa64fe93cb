# Cloudflare's purge call, as its clients send it.
rule purge_dialects = ["cloudflare"]
key editor may = {hosts = ["$host"], tags = ["cloudflare-*"]}
origin /a 200 max-age=600, stale-if-error=60; ETag: "1"; Cache-Tag: cloudflare-a | a
get /a -> 200 a # miss
wait 0.3
post /client/v4/zones/z/purge_cache | {"files": ["https://$host/a"]} -> 401
  json /success false
  json /errors/0/code 10000
  json /result null
post /client/v4/zones/z/purge_cache Authorization: Bearer $token:nobody | {"files": ["https://$host/a"]} -> 401
post /client/v4/zones/z/purge_cache Authorization: Bearer $token | {"files": ["/a", ""]} -> 422
  json /success false
  json /errors/0/message "files[0]: the URL must begin with http:// or https://"
  json /errors/1/code 1012
post /client/v4/zones/z/purge_cache Authorization: Bearer $token | {} -> 422
post /client/v4/zones/z/purge_cache Authorization: Bearer $token | [] -> 422
post /client/v4/zones/z/purge_cache Authorization: Bearer $token | {"files": -> 400
post /client/v4/zones/z/purge_cache Authorization: Bearer $token:editor | {"tags": ["other"]} -> 403
  json /success false
get /a -> 200 a # hit
post /client/v4/zones/z/purge_cache Authorization: Bearer $token:editor; webhook-id: $id:one | {"files": [{"url": "https://$host/a", "headers": {"CF-Device-Type": "desktop"}}]} -> 200
  json /success true
  json /errors []
  json /messages []
  json /result {"id": "$id:one"}
get /a -> 200 a # miss detail=purged
wait 0.3
# Other credentials and methods of clients: a key with an e-mail address, DELETE.
delete /client/v4/zones/z/purge_cache/ X-Auth-Email: a@b.test; X-Auth-Key: $token | {"tags": ["cloudflare-a"]} -> 200
get /a -> 200 a # miss detail=purged
wait 0.3
# The members of Edgekeep's own orders are accepted, too.
post /client/v4/zones/z/purge_cache Authorization: Bearer $token | {"tags": ["cloudflare-a"], "soft": true} -> 200
get /a -> 200 a # fwd=stale fwd-status=304
# Some clients first request the zone or verify the token.
get /client/v4/zones?name=$host&status=active Authorization: Bearer $token -> 200
  json /result/0/name "$host"
  json /result_info/total_pages 1
get /client/v4/zones/?name=$host -> 401
get /client/v4/user/tokens/verify Authorization: Bearer $token:editor -> 200
  json /result/status "active"
get /client/v4/user/tokens/verify Authorization: Bearer $token:nobody -> 401
# Other calls of that API go to the origin.
get /client/v4/zones/z -> 404 no such page
get /client/v4/zones/z/purge_cache -> 404 no such page
post /client/v4/zones//purge_cache | {} -> 404 no such page
