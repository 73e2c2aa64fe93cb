# Ranges are served from a stored page (RFC 9110 §14).
# Memory is off, to test the tiers behind it.
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
# An invalid range, or another unit, is ignored.
get /a Range: lines=1-2 -> 200 0123456789 # hit
get /a Range: bytes=5-2 -> 200 0123456789 # hit
get /a Range: bytes=x -> 200 0123456789 # hit
head /a Range: bytes=2-4 -> 200 - # hit
# If-Range matches only the same response.
get /a Range: bytes=2-4; If-Range: "v1" -> 206 234 # hit
get /a Range: bytes=2-4; If-Range: "v2" -> 200 0123456789 # hit
get /a Range: bytes=2-4; If-Range: W/"v1" -> 200 0123456789 # hit
get /a Range: bytes=2-4; If-Range: Mon, 23 Nov 2015 00:00:00 GMT -> 206 234 # hit
get /a Range: bytes=2-4; If-Range: Tue, 24 Nov 2015 00:00:00 GMT -> 200 0123456789 # hit
# If-None-Match has precedence.
get /a Range: bytes=2-4; If-None-Match: "v1" -> 304 - # hit
asked /a 1
# KV serves ranges, too.
evict
get /a Range: bytes=2-4 -> 206 234 # hit detail=kv
# A range from the start is fetched whole; another range is forwarded, and its 206 is not stored.
origin /b 200 max-age=600 | 0123456789
get /b Range: bytes=0- -> 206 0123456789 # miss stored
  unsent Range
wait 0.3
get /b -> 200 0123456789 # hit
origin /c 206 max-age=600; Content-Range: bytes 2-4/10 | 234
get /c Range: bytes=2-4 -> 206 234 # miss !stored detail=status
  sent Range: bytes=2-4
# A whole response to a range is stored.
origin /d 200 max-age=600 | 0123456789
get /d Range: bytes=2-4 -> 206 234 # miss stored
  sent Range: bytes=2-4
wait 0.3
get /d -> 200 0123456789 # hit
# A stale page is revalidated whole, and then cut.
origin /e 200 max-age=1; ETag: "1" | 0123456789
get /e -> 200 0123456789 # miss
wait 2.2
get /e Range: bytes=2-4 -> 206 234 # fwd=stale fwd-status=304
  unsent Range
# The response to a range is not shared: only a whole one is stored.
origin /f 416 max-age=600; Content-Range: bytes */10 | no
get /f Range: bytes=99- -> 416 no # !stored detail=status
origin /f 404 max-age=600 | none
get /f Range: bytes=5- -> 404 none # !stored detail=status
origin /f 200 max-age=600 | 0123456789
get /f -> 200 0123456789 # miss stored
# Other units are not forwarded; a slice with status 200 is not stored.
origin /g 200 max-age=600; Content-Range: items 0-4/9 | slice
get /g Range: items=0-4 -> 200 slice # !stored detail=status
  unsent Range
# A range that is fetched again after a 304 about another response is still a range.
origin /h 200 max-age=1, stale-if-error=0; Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT; ETag: "1" | 0123456789
get /h -> 200 0123456789 # miss stored
wait 2.2
origin /h 304 max-age=600; ETag: "2"
get /h Range: bytes=99- -> 502 # fwd=stale
# Several ranges of a coded body could not be decoded.
origin /i 200 max-age=600; Content-Encoding: x-none | 0123456789
get /i -> 200 # miss stored
wait 0.3
get /i Range: bytes=0-1,5-6 -> 200 # hit
get /i Range: bytes=0-1 -> 206 # hit
