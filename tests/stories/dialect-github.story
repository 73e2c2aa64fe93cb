# Orders with GitHub's webhook signature, where a rule accepts it.
rule /.edgekeep/* purge_dialects = ["github"]
key editor may = {tags = ["github-*"]}
origin /a 200 max-age=600; Cache-Tag: github-a | a
get /a -> 200 a # miss
wait 0.3
purge by=nobody hub {"tags": ["github-a"]} -> 401
purge by=editor hub {"tags": ["other"]} -> 403
post /.edgekeep/purge X-Hub-Signature-256: sha256=00 | {"tags": ["github-a"]} -> 400
get /a -> 200 a # hit
purge id=once by=editor hub {"tags": ["github-a"]} -> 200
  json /via "github"
  json /id "$id:once"
  json /key "dialect-github-editor"
get /a -> 200 a # miss detail=purged
wait 0.3
purge id=once by=editor hub {"tags": ["github-a"]} -> 200 # same
get /a -> 200 a # hit
purge by=editor hub {"tags": ["github-a"]} -> 200 # new
get /a -> 200 a # miss detail=purged
# Other proofs are still accepted.
purge {"tags": ["github-b"]} -> 200
