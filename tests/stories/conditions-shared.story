# A 304 is neither shared with other clients nor stored.
rule origin_timeout = 15
origin /a 200 private; ETag: "1" | yours
get /a -> 200 yours # detail=private
origin /a slow=1 200 private; ETag: "1" | yours
start first get /a If-None-Match: "1"
start second get /a
start third get /a If-None-Match: "2"
finish second -> 200 yours # !collapsed
finish first -> 304 - # !collapsed !stored
finish third -> 200 yours # !collapsed
# Each follower receives the result of its own conditions.
origin /b slow=0.5 200 max-age=60; ETag: "1" | ours
start first get /b If-None-Match: "1"
start second get /b
start third get /b If-None-Match: "1", "3"
finish first -> 304 - # fwd-status=200 stored
finish second -> 200 ours # collapsed
finish third -> 304 - # collapsed
asked /b 1

# A response to a client's own conditions is not stored: the origin has received fields that are not in the key.
origin /c 200 private; ETag: "1" | one
get /c -> 200 one # detail=private
origin /c 200 max-age=60; ETag: "2" | two
get /c If-None-Match: "1" -> 200 two # !stored detail=conditional
  sent If-None-Match: "1"
get /c If-None-Match: "2" -> 304 - # fwd-status=304 !stored
get /c -> 200 two # miss stored
wait 0.3
get /c If-None-Match: "2" -> 304 - # hit
asked /c 4
# An error of the origin about a condition is not stored for the page.
rule /d negative_ttl = { 400 = 60 }
origin /d 200 private; ETag: "1" | fine
get /d -> 200 fine
origin /d next=1 400 | what?
get /d If-None-Match: ??? -> 400 what? # !stored
get /d -> 200 fine
