# A client's conditions apply to responses that are not stored, too: a client that holds the page receives no second copy.
rule /pass/* cache = false
rule /mixed/* esi = true

# Rails' default. The first request may turn out to be storable, so it is sent without conditions.
origin /rails 200 max-age=0, private, must-revalidate; ETag: W/"a"; Set-Cookie: s=1; Content-Type: text/html; Content-Language: en | page
get /rails If-None-Match: W/"a" -> 304 - # miss fwd-status=200 !stored detail=private
  unsent If-None-Match
  has ETag: W/"a"
  has Cache-Control: max-age=0, private, must-revalidate
  has Set-Cookie: s=1
  has Date
  lacks Content-Type
  lacks Content-Language
  lacks Content-Length
# Then the URL is noted as not stored, and the origin can answer 304 itself.
get /rails If-None-Match: W/"a" -> 304 - # miss fwd-status=304 !stored !collapsed
  sent If-None-Match: W/"a"
  has ETag: W/"a"
# A request without conditions never receives that 304.
get /rails -> 200 page # fwd-status=200 detail=private
  unsent If-None-Match
  has Content-Type: text/html
# The origin of this story compares the whole field; the edge follows RFC 9110.
get /rails If-None-Match: "a" -> 304 - # fwd-status=200
get /rails If-None-Match: "x", W/"y" , "a" -> 304 - # fwd-status=200
get /rails If-None-Match: * -> 304 - # fwd-status=200
get /rails If-None-Match: "b" -> 200 page # fwd-status=200
get /rails If-None-Match: a -> 200 page
# If-None-Match has precedence over the date.
get /rails If-None-Match: "b"; If-Modified-Since: Mon, 30 Nov 2099 09:00:00 GMT -> 200 page
head /rails If-None-Match: W/"a" -> 304 - # fwd-status=304
  sent If-None-Match: W/"a"
head /rails If-None-Match: "a", "b" -> 304 - # fwd-status=200
head /rails -> 200 - # fwd-status=200

# A feed has Last-Modified, and no field about caching.
origin /feed 200 Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | feed
get /feed If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 304 - # fwd-status=200 detail=no-freshness
  has Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT
get /feed If-Modified-Since: Mon, 02 Nov 2026 08:59:59 GMT -> 200 feed
  sent If-Modified-Since: Mon, 02 Nov 2026 08:59:59 GMT
get /feed If-Modified-Since: yesterday -> 200 feed
get /feed If-None-Match: "a"; If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 feed
head /feed If-Modified-Since: Tue, 03 Nov 2026 09:00:00 GMT -> 304 -
# The Date of the response is not a Last-Modified.
origin /undated 200 private; Date: Mon, 02 Nov 2026 09:00:00 GMT | now
get /undated If-Modified-Since: Mon, 30 Nov 2099 09:00:00 GMT -> 200 now

# A request that no cache may answer goes whole, with its conditions.
origin /pass/a 200 no-store; ETag: "p"; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | mine
get /pass/a If-None-Match: "p" -> 304 - # fwd=bypass fwd-status=304
  sent If-None-Match: "p"
get /pass/a If-None-Match: "q", "p" -> 304 - # fwd=bypass fwd-status=200
# The origin received the date, and sent the page: it may be another client's.
get /pass/a If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 mine # fwd-status=200
  has ETag: "p"
head /pass/a If-None-Match: * -> 304 - # fwd=bypass
get /pass/a -> 200 mine
post /pass/a If-None-Match: "q", "p"; Content-Type: text/plain | x -> 200 mine # fwd=method
get /rails Cookie: PHPSESSID=1; If-None-Match: "x", "a" -> 304 - # fwd=bypass fwd-status=200

# Conditions apply to a 200 only (RFC 9110 §13.2.1).
origin /gone 404 private; ETag: "g" | gone
get /gone If-None-Match: "x", "g" -> 404 gone
origin /made 203 private; ETag: "m" | made
get /made If-None-Match: "x", "m" -> 203 made
# A page that is assembled from fragments has no validator.
origin /mixed/a 200 private; ETag: "e"; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | whole
get /mixed/a If-None-Match: "e" -> 200 whole # detail=private
get /mixed/a If-None-Match: "e" -> 200 whole # detail=private
  unsent If-None-Match

# A range request keeps its own conditions.
origin /part 200 private; ETag: "r" | 0123456789
get /part Range: bytes=2-3; If-Range: "x" -> 200 0123456789
get /part Range: bytes=2-3; If-None-Match: "x" -> 200 0123456789
  unsent If-None-Match
