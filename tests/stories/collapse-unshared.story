# A private response is not shared: followers fetch at once, and later requests do not wait.
rule origin_timeout = 15
origin /a slow=3 200 private, max-age=60 | yours
start first get /a
start second get /a
finish first -> 200 yours # detail=private
finish second -> 200 yours # detail=private !collapsed
asked /a 2
start third get /a
start fourth get /a
finish fourth -> 200 yours # !collapsed
finish third -> 200 yours # !collapsed
asked /a 4

# Requests are collapsed again after a response that may be shared.
origin /a 200 max-age=1 | ours
get /a -> 200 ours # miss stored
wait 2.2
origin /a slow=3 200 max-age=60 | ours
start first get /a
start second get /a
finish first -> 200 ours # !collapsed
finish second -> 200 ours # collapsed
asked /a 6

# A response that must be revalidated each time is revalidated for each request.
origin /b 200 no-cache; ETag: "1" | one
get /b -> 200 one # miss stored
origin /b slow=3 200 no-cache; ETag: "1" | one
start first get /b
start second get /b
finish first -> 200 one # fwd-status=304
finish second -> 200 one # fwd-status=304 !collapsed
asked /b 3
