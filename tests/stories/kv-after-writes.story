# A page that a write has purged is not admitted to KV for that: a client that writes and reads in turn causes requests of its own only.
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
# Nothing is in KV: after the data centre drops its entry, the page is fetched again.
get /note -> 200 one # miss stored
asked /note 8
# A purge by an order admits a page, even if it was written to as well.
origin /page 200 max-age=600 | two
get /page -> 200 two # miss stored
put /page -> 200
wait 0.3
purge {"files": ["http://$host/page"]} -> 200
get /page -> 200 two # miss stored detail=purged
wait 0.5
evict
get /page -> 200 two # hit detail=kv
# So does the end of its lifetime.
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
