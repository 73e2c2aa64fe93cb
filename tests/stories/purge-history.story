# The history of orders: a key with `admin` reads all orders, another key its own.
key editor may = {tags = ["history-*"]}
key reader admin = true
key reader may = {}
purge id=first by=editor {"tags": ["history-a"], "soft": true} -> 200
purge id=second {"tags": ["history-b"]} -> 200
purge id=third by=editor token {"tags": ["history-c"]} -> 200
get /.edgekeep/purges/$id:first Authorization: Bearer $token:editor -> 200
  has Cache-Control: no-store
  has Content-Type: application/json
  json /id "$id:first"
  json /key "purge-history-editor"
  json /soft ["tag:history-a"]
  nojson /refresh
get /.edgekeep/purges/$id:second Authorization: Bearer $token:editor -> 404
  has Content-Type: application/problem+json
get /.edgekeep/purges/$id:second Authorization: Bearer $token:reader -> 200
  json /key "default"
# An id belongs to its key: the same id under another key is another order.
purge id=shared by=editor {"tags": ["history-a"]} -> 200
purge id=shared {"tags": ["history-a"]} -> 200 # new
purge id=shared {"tags": ["history-a"]} -> 200 # same
purge id=shared {"tags": ["history-b"]} -> 409
get /.edgekeep/purges/$id:shared Authorization: Bearer $token:editor -> 200
  json /key "purge-history-editor"
get /.edgekeep/purges/$id:shared Authorization: Bearer $token -> 200
  json /key "default"
get /.edgekeep/purges/$id:shared?key=purge-history-editor Authorization: Bearer $token -> 200
  json /key "purge-history-editor"
get /.edgekeep/purges/$id:shared?key=default Authorization: Bearer $token:editor -> 404
get /.edgekeep/purges/$id:shared Authorization: Bearer $token:reader -> 200
  json /key "purge-history-editor"
get /.edgekeep/purges/$id:shared?by=editor Authorization: Bearer $token -> 400
get /.edgekeep/purges/none Authorization: Bearer $token -> 404
get /.edgekeep/purges?after=$before:first&limit=100 Authorization: Bearer $token:editor -> 200
  json /purges/0/id "$id:first"
  json /purges/1/id "$id:third"
  json /purges/1/via "token"
get /.edgekeep/purges?after=$before:first&limit=1 Authorization: Bearer $token:editor -> 200
  json /purges/0/id "$id:first"
  nojson /purges/1
get /.edgekeep/purges?after=$before:second&limit=1 Authorization: Bearer $token:reader -> 200
  json /purges/0/id "$id:second"
get /.edgekeep/purges?after=9007199254740000 Authorization: Bearer $token -> 200
  json /purges []
  json /next null
get /.edgekeep/purges?after=x Authorization: Bearer $token -> 400
get /.edgekeep/purges?limit=0 Authorization: Bearer $token -> 400
get /.edgekeep/purges?limit=101 Authorization: Bearer $token -> 400
get /.edgekeep/purges?before=1 Authorization: Bearer $token -> 400
get /.edgekeep/purges -> 401
get /.edgekeep/purges/$id:first -> 401
get /.edgekeep/purges Authorization: Bearer $token:nobody -> 401
post /.edgekeep/purges Authorization: Bearer $token -> 405
  has Allow: GET
delete /.edgekeep/purges/$id:first Authorization: Bearer $token -> 405
  has Allow: GET
purge by=reader {"tags": ["history-a"]} -> 403
