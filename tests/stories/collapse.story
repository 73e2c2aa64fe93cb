# Many requests for one missing response make one request to the origin. (If the page was stored before
# and then purged, the leader is alone for five seconds; otherwise for one, and then more requests fetch.)
rule origin_timeout = 15
origin /a 200 max-age=60 | zero
get /a -> 200 zero # miss stored
wait 0.3
purge {"files": ["http://$host/a"]} -> 200
wait 1.3
origin /a slow=3 200 max-age=60 | one
start first get /a
start second get /a
start third get /a
finish first -> 200 one # miss stored !collapsed
finish second -> 200 one # miss collapsed !hit detail=cache-api
finish third -> 200 one # miss collapsed
asked /a 2
get /a -> 200 one # hit !collapsed

# The same for an expired response.
origin /b 200 max-age=1; ETag: "1" | one
get /b -> 200 one # miss stored
wait 2.2
origin /b slow=3 200 max-age=60; ETag: "1" | one
start first get /b
start second get /b
finish first -> 200 one # fwd=stale fwd-status=304
finish second -> 200 one # fwd=stale collapsed
asked /b 2

# Each follower receives a response to its own method, conditions and range.
origin /c 200 max-age=60 | zero
get /c -> 200 zero # miss stored
wait 0.3
purge {"files": ["http://$host/c"]} -> 200
wait 1.3
origin /c slow=3 200 max-age=60; ETag: "1" | 0123456789
start first get /c
start conditional get /c If-None-Match: "1"
start part get /c Range: bytes=0-
finish first -> 200 0123456789
finish conditional -> 304 - # collapsed
finish part -> 206 0123456789 # collapsed
asked /c 2

# Followers of another variant fetch their own.
origin /d 200 max-age=60 | zero
get /d -> 200 zero # miss stored
wait 0.3
purge {"files": ["http://$host/d"]} -> 200
wait 1.3
origin /d slow=3 200 max-age=60; Vary: Accept-Language | words
start english get /d Accept-Language: en
start german get /d Accept-Language: de
start again get /d Accept-Language: de
finish english -> 200 words # miss !collapsed
finish german -> 200 words # fwd=vary-miss
finish again -> 200 words # fwd=vary-miss
asked /d 3
