# Each kind of selector purges what it names, and nothing else.
rule kv = true
origin /blog/one 200 max-age=600; Cache-Tag: hard-one, hard-all | one
origin /blog/two 200 max-age=600; Surrogate-Key: hard-two hard-all | two
origin /blog 200 max-age=600 | list
origin /blogger 200 max-age=600; xkey: hard-blogger | other
get /blog/one -> 200 one # miss stored
  lacks Cache-Tag
get /blog/two -> 200 two # miss stored
  lacks Surrogate-Key
get /blog -> 200 list # miss
get /blogger -> 200 other # miss
  lacks xkey
wait 0.3
purge {"tags": ["hard-one"]} -> 200
get /blog/one -> 200 one # miss detail=purged
get /blog/two -> 200 two # hit
get /blogger -> 200 other # hit
purge {"files": ["https://$host/blog/./two?utm_source=mail"]} -> 200
get /blog/two -> 200 two # miss detail=purged
get /blog -> 200 list # hit
wait 0.3
purge {"prefixes": ["$host/blog/"]} -> 200
get /blog/one -> 200 one # miss
get /blog/two -> 200 two # miss
get /blog -> 200 list # miss
get /blogger -> 200 other # hit
wait 0.3
purge {"tags": ["hard-all"]} -> 200
get /blog/one -> 200 one # miss
get /blog/two -> 200 two # miss
get /blog -> 200 list # hit
purge {"tags": ["hard-blogger"]} -> 200
get /blogger -> 200 other # miss
wait 0.3
purge {"hosts": ["$host"]} -> 200
get /blog -> 200 list # miss
get /blogger -> 200 other # miss
wait 0.3
get /blog -> 200 list # hit
purge {"purge_everything": true} -> 200
get /blog -> 200 list # miss detail=purged
# The copy in KV is purged, too.
wait 0.3
evict
get /blog/one -> 200 one # miss
