# An order to warm has the proof of a purge, and a receipt that counts its pages.
key editor may = {hosts = ["$host"]}
origin /a 200 max-age=600 | a
origin /b 200 max-age=600 | b
post /.edgekeep/warm Authorization: Bearer $token; webhook-id: $id:one | {"urls": ["http://$host/a", "http://$host/./a?utm_source=x", "http://$host/b"]} -> 200
  has Content-Type: application/json
  has Cache-Control: no-store
  json /id "$id:one"
  json /key "default"
  json /via "token"
  json /hard []
  json /soft []
  json /refresh/pending 2
  json /refresh/done 0
post /.edgekeep/warm Authorization: Bearer $token; webhook-id: $id:one | {"urls": ["http://$host/a", "http://$host/./a?utm_source=x", "http://$host/b"]} -> 200
  json /refresh/pending 2
post /.edgekeep/warm Authorization: Bearer $token; webhook-id: $id:one | {"urls": ["http://$host/b"]} -> 409
get /.edgekeep/purges/$id:one Authorization: Bearer $token -> 200
  json /id "$id:one"
  json /soft []
post /.edgekeep/warm Authorization: Bearer $token:editor | {"urls": ["http://$host/b"]} -> 200
  json /key "warm-call-editor"
  json /refresh/pending 1
# A dry run counts, and fetches nothing.
post /.edgekeep/warm Authorization: Bearer $token:editor; webhook-id: $id:dry | {"urls": ["http://$host/c", "http://$host/d"], "limit": 1, "dry_run": true} -> 200
  json /dry_run true
  json /pages 1
  json /refresh ["http://$host/c"]
  json /skipped {"beyond_limit": 1}
  json /refused []
get /.edgekeep/purges/$id:dry Authorization: Bearer $token -> 404
wait 0.3
asked /c 0
# It does not purge.
get /a -> 200 a
post /.edgekeep/warm Authorization: Bearer $token | {"urls": ["http://$host/a"]} -> 200
wait 1.2
get /a -> 200 a # hit
