# `PURGE <url>`, where a rule accepts it.
key editor may = {hosts = ["$host"]}
rule /a* purge_dialects = ["varnish"]
rule /blog* purge_dialects = ["varnish"]
rule /.** purge_dialects = ["varnish"]
rule /a* kv = true
rule /blog* kv = true
rule /.** kv = true
rule kv = true
origin /a 200 max-age=600; Vary: Accept-Language | a
origin /other 200 max-age=600 | other
origin /blog/one 200 max-age=600; Cache-Tag: news | one
get /a Accept-Language: de -> 200 a # miss
get /a Accept-Language: fr -> 200 a # fwd=vary-miss
get /other -> 200 other # miss
get /blog/one -> 200 one # miss
wait 0.3
request PURGE /a -> 401
  has WWW-Authenticate: Bearer realm="edgekeep", Basic realm="edgekeep"
request PURGE /a Authorization: Bearer $token:nobody -> 401
request PURGE /a Authorization: Bearer token_short -> 401
request PURGE /a Authorization: Basic bm9jb2xvbg== -> 401
request PURGE /a Authorization: Basic *** -> 401
get /a Accept-Language: de -> 200 a # hit
request PURGE /./a?utm_source=x Authorization: Bearer $token -> 200
  json /hard ["url:$host/a"]
  json /via "varnish"
  json /key "default"
get /a Accept-Language: de -> 200 a # miss detail=purged
get /a Accept-Language: fr -> 200 a # miss detail=purged
wait 0.3
request PURGE /a Authorization: Basic $basic:editor -> 200
  json /key "dialect-varnish-editor"
get /a Accept-Language: de -> 200 a # miss detail=purged
# The pattern for a site, as WordPress sends it. Other patterns are refused.
request PURGE /blog/.* Authorization: Bearer $token:editor; X-Purge-Method: regex -> 200
  json /hard ["prefix:$host/blog"]
get /blog/one -> 200 one # miss detail=purged
request PURGE /a.* Authorization: Bearer $token; X-Purge-Method: regex -> 422
wait 0.3
request PURGE /.* Authorization: Bearer $token; X-Purge-Method: regex -> 200
  json /hard ["prefix:$host"]
get /blog/one -> 200 one # miss detail=purged
# Plug-ins send other fields, or none. The literal URL "/.*" never gets a receipt.
request PURGE /blog/.* Authorization: Bearer $token:editor; X-VC-Purge-Method: regex -> 200
  json /hard ["prefix:$host/blog"]
get /blog/one -> 200 one # miss detail=purged
wait 0.3
request PURGE /.* X-VC-Purge-Key: $token:editor -> 200
  json /hard ["prefix:$host"]
get /blog/one -> 200 one # miss detail=purged
request PURGE /.* Authorization: Bearer $token; X-Purge-Method: exact -> 422
  json /errors/0/path "url"
request PURGE /blog/one Authorization: Bearer $token; X-Purge-Method: default -> 200
  json /hard ["path:$host/blog/one"]
get /blog/one -> 200 one # miss detail=purged
wait 0.3
request BAN /a Authorization: Bearer $token; Cache-Tags: (news|feed) -> 200
  json /hard ["tag:news","tag:feed"]
get /blog/one -> 200 one # miss detail=purged
wait 0.3
request BAN /a Authorization: Bearer $token; X-Host: ^$host$; X-Url: ^/blog/ -> 200
  json /hard ["prefix:$host/blog"]
get /blog/one -> 200 one # miss detail=purged
request BAN /a Authorization: Bearer $token:editor; Cache-Tags: .* -> 403
request BAN /a Authorization: Bearer $token; X-Url: \.css$ -> 422
# Where no rule accepts it, the request goes to the origin.
wait 0.3
request PURGE /other Authorization: Bearer $token -> 200 other # fwd=method
asked /other 2
