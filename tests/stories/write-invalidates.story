# A successful write invalidates the stored responses of its target (RFC 9111 §4.4).
rule /quiet/* invalidate_on_write = false
rule /quiet/* kv = true
rule kv = true
# Memory is off, to test the tiers behind it.
rule memory = false
origin /a 200 max-age=600; Vary: Accept-Language | one
origin /b 200 max-age=600 | b
get /a Accept-Language: en -> 200 one # miss stored
get /a Accept-Language: de -> 200 one # fwd=vary-miss stored
get /b -> 200 b # miss stored
wait 0.3
post /a -> 200 # fwd=method
get /a Accept-Language: en -> 200 one # miss detail=purged
get /a Accept-Language: de -> 200 one # miss
get /b -> 200 b # hit
wait 0.3
put /a -> 200
get /a Accept-Language: en -> 200 one # miss
wait 0.3
delete /a -> 200
get /a Accept-Language: en -> 200 one # miss
wait 0.3
request LOCK /a -> 200
get /a Accept-Language: en -> 200 one # miss
# A tracking parameter does not hide the target.
wait 0.3
origin /a?utm_source=x 200 | ok
post /a?utm_source=x -> 200
get /a Accept-Language: en -> 200 one # miss
# A safe method does not invalidate, nor does a failed write.
wait 0.3
request OPTIONS /a -> 200
get /a Accept-Language: en -> 200 one # hit
origin /a 500 | broken
post /a -> 500
get /a Accept-Language: en -> 200 one # hit
# The URL that a 201 names as created, at the target's path or below, is invalidated, too.
origin /list/b 200 max-age=600 | item
get /list/b -> 200 item # miss
wait 0.3
origin /list 201 Location: /list/b | made
post /list -> 201
get /list/b -> 200 item # miss
wait 0.3
origin /list 201 Content-Location: list/b | made
post /list -> 201
get /list/b -> 200 item # miss
wait 0.3
# Other URLs are not, nor the target of a redirect, which a client may choose.
origin /list 201 Location: /b | made
post /list -> 201
get /b -> 200 b # hit
origin /list 201 Location: http://elsewhere.test/list/b | made
post /list -> 201
get /list/b -> 200 item # hit
origin /list?next=/list/b 303 Location: /list/b | see
post /list?next=/list/b -> 303
get /list/b -> 200 item # hit
post /b -> 200
get /b -> 200 b # miss
# Switched off by a rule.
origin /quiet/a 200 max-age=600 | q
get /quiet/a -> 200 q # miss
wait 0.3
post /quiet/a -> 200
get /quiet/a -> 200 q # hit
# The copies in KV are invalidated, too.
evict
get /b -> 200 b # hit detail=kv
origin /b 200 max-age=600 | b2
post /b -> 200
evict
get /b -> 200 b2 # miss
# PROPFIND is a safe method.
request PROPFIND /b -> 200
get /b -> 200 b2 # hit
