# Named keys, each with its limits.
key editor may = {hosts = ["$host", "*.$host"], tags = ["keys-*"]}
key free
key ops may = {everything = true}
key ops admin = true
origin /a 200 max-age=600; Cache-Tag: keys-a | a
get /a -> 200 a # miss
wait 0.3
purge by=editor {"tags": ["other"]} -> 403
  has Content-Type: application/problem+json
  json /errors/0/path "tags[0]"
purge by=editor {"tags": ["keys-a", "other"], "files": ["https://$host/a", "https://elsewhere.test/a"], "prefixes": ["elsewhere.test/b"], "hosts": ["elsewhere.test", "www.$host"], "purge_everything": true} -> 403
  json /errors/0/path "files[1]"
  json /errors/1/path "tags[1]"
  json /errors/2/path "prefixes[0]"
  json /errors/3/path "hosts[0]"
  json /errors/4/path "purge_everything"
  nojson /errors/5
purge by=ops {"tags": ["keys-a"]} -> 403
get /a -> 200 a # hit
purge by=editor {"tags": ["keys-a"]} -> 200
  json /key "purge-keys-editor"
get /a -> 200 a # miss detail=purged
wait 0.3
purge by=editor {"files": ["http://$host/a"]} -> 200
get /a -> 200 a # miss detail=purged
wait 0.3
purge by=free {"tags": ["keys-a", "other"], "hosts": ["elsewhere.test"]} -> 200
  json /key "purge-keys-free"
get /a -> 200 a # miss detail=purged
wait 0.3
purge by=ops {"purge_everything": true} -> 200
get /a -> 200 a # miss detail=purged
wait 0.3
# Each kind of proof: HMAC, ed25519, a token.
purge by=editor ed25519 {"tags": ["keys-a"]} -> 200
  json /via "webhook"
get /a -> 200 a # miss
wait 0.3
purge by=editor token {"tags": ["keys-a"]} -> 200
  json /via "token"
  json /key "purge-keys-editor"
get /a -> 200 a # miss
wait 0.3
purge by=editor token {"tags": ["other"]} -> 403
purge by=nobody {"tags": ["keys-a"]} -> 401
purge by=nobody token {"tags": ["keys-a"]} -> 401
  has WWW-Authenticate
purge by=nobody ed25519 {"tags": ["keys-a"]} -> 401
# GitHub's signature is accepted only where a rule allows it.
purge by=editor hub {"tags": ["keys-a"]} -> 400
get /a -> 200 a # hit
# A token with an id can be repeated as safely as a signature.
purge id=once by=editor token {"tags": ["keys-a"]} -> 200
purge id=once by=editor token {"tags": ["keys-a"]} -> 200 # same
purge id=once by=editor token {"tags": ["keys-b"]} -> 409
