# A dry run shows what an order would purge, and what is refused; nothing is purged.
key editor may = {hosts = ["$host"], tags = ["dry-*"]}
cascade dry-a* = ["dry-home"]
origin /a 200 max-age=600; Cache-Tag: dry-a1 | a
get /a -> 200 a # miss
wait 0.3
purge id=dry {"dry_run": true, "tags": ["dry-a1", "two words"], "files": [{"url": "https://$host/./a?utm_source=x", "soft": true}]} -> 200
  json /dry_run true
  json /hard ["tag:dry-a1", "tag:dry-home"]
  json /soft ["url:$host/a"]
  json /cascade {"dry-a1": ["dry-home"]}
  json /refused/0/path "tags[1]"
  nojson /refused/1
  nojson /sequence
get /a -> 200 a # hit
# Selectors that the key may not purge are refused, too.
purge by=editor {"dry_run": true, "tags": ["dry-a1", "other"], "hosts": ["elsewhere.test"], "purge_everything": true} -> 200
  json /hard ["tag:dry-a1", "tag:dry-home"]
  json /refused/0/path "tags[1]"
  json /refused/1/path "hosts[0]"
  json /refused/2/path "purge_everything"
  nojson /refused/3
# A dry run requires proof as well, and does not use up its id.
purge forged {"dry_run": true, "tags": ["dry-a1"]} -> 401
purge {"dry_run": true} -> 422
purge id=dry {"tags": ["dry-b"]} -> 200
get /a -> 200 a # hit
asked /a 1
