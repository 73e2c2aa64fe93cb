# What a write has purged earns no place in KV: a client that writes and reads in turn pays with its own requests.
origin /note 200 max-age=600 | one
get /note -> 200 one # miss stored
put /note -> 200
get /note -> 200 one # miss stored detail=purged
wait 0.3
patch /note -> 200
get /note -> 200 one # miss stored detail=purged
wait 0.3
at b
wait 1.1
delete /note -> 200
get /note -> 200 one # miss stored detail=purged
wait 0.5
evict
# Nothing lies in KV; what the data centre forgets, it must ask for again.
get /note -> 200 one # miss stored
asked /note 8
# What an order purges is proof, though it was written to as well.
origin /page 200 max-age=600 | two
get /page -> 200 two # miss stored
put /page -> 200
wait 0.3
purge {"files": ["http://$host/page"]} -> 200
get /page -> 200 two # miss stored detail=purged
wait 0.5
evict
get /page -> 200 two # hit detail=kv
# What its lifetime has made stale is proof, too.
rule /brief kv_min_ttl = 1
origin /brief 200 max-age=2 | three
get /brief -> 200 three # miss stored
put /brief -> 200
get /brief -> 200 three # miss stored
wait 2.2
get /brief -> 200 three # stored
wait 0.5
evict
get /brief -> 200 three # hit detail=kv
