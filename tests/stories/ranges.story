# A stored page gives its parts (RFC 9110 §14).
# The tiers behind it are looked at here.
rule memory = false
rule kv = true
origin /a 200 max-age=600; ETag: "v1"; Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT; Content-Type: text/plain | 0123456789
get /a -> 200 0123456789 # miss stored
wait 0.3
get /a Range: bytes=2-4 -> 206 234 # hit
  has Content-Range: bytes 2-4/10
  has Content-Length: 3
  has ETag: "v1"
get /a Range: bytes=7- -> 206 789 # hit
get /a Range: bytes=-2 -> 206 89 # hit
  has Content-Range: bytes 8-9/10
get /a Range: bytes=0-99 -> 206 0123456789 # hit
  has Content-Range: bytes 0-9/10
get /a Range: bytes=10- -> 416 - # hit
  has Content-Range: bytes */10
get /a Range: bytes=0-0,-1 -> 206 # hit
  has Content-Type: multipart/byteranges; boundary=edgekeep-part-4f6c2d9e7b
# What is no range of bytes is ignored.
get /a Range: lines=1-2 -> 200 0123456789 # hit
get /a Range: bytes=5-2 -> 200 0123456789 # hit
get /a Range: bytes=x -> 200 0123456789 # hit
head /a Range: bytes=2-4 -> 200 - # hit
# If-Range: only of the very response.
get /a Range: bytes=2-4; If-Range: "v1" -> 206 234 # hit
get /a Range: bytes=2-4; If-Range: "v2" -> 200 0123456789 # hit
get /a Range: bytes=2-4; If-Range: W/"v1" -> 200 0123456789 # hit
get /a Range: bytes=2-4; If-Range: Mon, 23 Nov 2015 00:00:00 GMT -> 206 234 # hit
get /a Range: bytes=2-4; If-Range: Tue, 24 Nov 2015 00:00:00 GMT -> 200 0123456789 # hit
# A validator that matches goes first.
get /a Range: bytes=2-4; If-None-Match: "v1" -> 304 - # hit
asked /a 1
# KV gives parts too.
evict
get /a Range: bytes=2-4 -> 206 234 # hit detail=kv
# A range from the start fills; another one goes through, and its answer is not stored.
origin /b 200 max-age=600 | 0123456789
get /b Range: bytes=0- -> 206 0123456789 # miss stored
  unsent Range
wait 0.3
get /b -> 200 0123456789 # hit
origin /c 206 max-age=600; Content-Range: bytes 2-4/10 | 234
get /c Range: bytes=2-4 -> 206 234 # miss !stored detail=status
  sent Range: bytes=2-4
# An origin that sends everything all the same fills.
origin /d 200 max-age=600 | 0123456789
get /d Range: bytes=2-4 -> 206 234 # miss stored
  sent Range: bytes=2-4
wait 0.3
get /d -> 200 0123456789 # hit
# A stale page is confirmed whole, and then cut.
origin /e 200 max-age=1; ETag: "1" | 0123456789
get /e -> 200 0123456789 # miss
wait 2.2
get /e Range: bytes=2-4 -> 206 234 # fwd=stale fwd-status=304
  unsent Range
# What the origin answers to a range is no answer to everybody: only a whole one fills.
origin /f 416 max-age=600; Content-Range: bytes */10 | no
get /f Range: bytes=99- -> 416 no # !stored detail=status
origin /f 404 max-age=600 | none
get /f Range: bytes=5- -> 404 none # !stored detail=status
origin /f 200 max-age=600 | 0123456789
get /f -> 200 0123456789 # miss stored
# Other units stay here; a slice that calls itself 200 is kept from everybody else.
origin /g 200 max-age=600; Content-Range: items 0-4/9 | slice
get /g Range: items=0-4 -> 200 slice # !stored detail=status
  unsent Range
# A range that is sent again after a 304 about another answer is still a range.
origin /h 200 max-age=1, stale-if-error=0; Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT; ETag: "1" | 0123456789
get /h -> 200 0123456789 # miss stored
wait 2.2
origin /h 304 max-age=600; ETag: "2"
get /h Range: bytes=99- -> 502 # fwd=stale
# Several parts of a coded body could not be decoded.
origin /i 200 max-age=600; Content-Encoding: x-none | 0123456789
get /i -> 200 # miss stored
wait 0.3
get /i Range: bytes=0-1,5-6 -> 200 # hit
get /i Range: bytes=0-1 -> 206 # hit
