only native
# The note that a URL is not stored expires after a minute, even if every request has conditions.
origin /a 200 private; ETag: "1" | one
get /a -> 200 one # detail=private
wait 40
get /a If-None-Match: "1" -> 304 - # fwd-status=304
  sent If-None-Match: "1"
origin /a 200 max-age=600; ETag: "1" | one
wait 25
get /a If-None-Match: "1" -> 304 - # fwd-status=200 stored
  unsent If-None-Match
wait 1
get /a -> 200 one # hit
