# Nobody's 304 is another's answer, and none of them is kept.
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
# A crowd that waits for one: each gets what its own conditions say.
origin /b slow=0.5 200 max-age=60; ETag: "1" | ours
start first get /b If-None-Match: "1"
start second get /b
start third get /b If-None-Match: "1", "3"
finish first -> 304 - # fwd-status=200 stored
finish second -> 200 ours # collapsed
finish third -> 304 - # collapsed
asked /b 1

# What asks with conditions of its client alone is not stored: the origin has seen what is not in the key.
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
# A condition that an origin takes badly does not make a page of errors.
rule /d negative_ttl = { 400 = 60 }
origin /d 200 private; ETag: "1" | fine
get /d -> 200 fine
origin /d next=1 400 | what?
get /d If-None-Match: ??? -> 400 what? # !stored
get /d -> 200 fine
