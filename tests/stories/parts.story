# A stored part serves the ranges that it holds, and is completed where lengths and validators agree.
# Memory is off, to test the tiers behind it.
rule memory = false
rule kv = true
origin /a 206 max-age=600; ETag: "v1"; Content-Range: bytes 0-4/10 | 01234
get /a Range: bytes=0-4 -> 206 01234 # miss stored
  sent Range: bytes=0-4
wait 0.3
get /a Range: bytes=0-4 -> 206 01234 # hit
  has Content-Range: bytes 0-4/10
get /a Range: bytes=2-3 -> 206 23 # hit
  has Content-Range: bytes 2-3/10
  has Content-Length: 2
get /a Range: bytes=1-2; If-Range: "v1" -> 206 12 # hit
asked /a 1
# A request for the whole: the missing rest is fetched, and the whole is stored.
origin /a 206 max-age=600; ETag: "v1"; Content-Range: bytes 5-9/10; X-New: yes | 56789
get /a -> 200 0123456789 # fwd=partial fwd-status=206 stored
  sent Range: bytes=5-
  sent If-Range: "v1"
  lacks Content-Range
  has Content-Length: 10
  has X-New: yes
wait 0.3
get /a -> 200 0123456789 # hit
get /a Range: bytes=4-5 -> 206 45 # hit
evict
get /a -> 200 0123456789 # hit detail=kv
asked /a 2

# A range that the part does not hold is fetched from the origin.
origin /b 206 max-age=600; ETag: "v1"; Content-Range: bytes 0-4/10 | 01234
get /b Range: bytes=0-4 -> 206 01234 # miss stored
wait 0.3
origin /b 206 max-age=600; ETag: "v1"; Content-Range: bytes 3-7/10 | 34567
get /b Range: bytes=3-7 -> 206 34567 # miss
# The body has changed: the origin sends all of the new one.
origin /b 200 max-age=600; ETag: "v2" | abcdefghij
get /b Range: bytes=3-7 -> 206 34567 # hit
get /b -> 200 abcdefghij # miss

origin /c 206 max-age=600; ETag: "v1"; Content-Range: bytes 0-4/10 | 01234
get /c Range: bytes=0-4 -> 206 01234 # miss stored
wait 0.3
origin /c 200 max-age=600; ETag: "v2" | abcdefghij
get /c -> 200 abcdefghij # fwd=partial fwd-status=200 stored
wait 0.3
get /c -> 200 abcdefghij # hit

# A part with another length or another validator is never combined.
origin /d 206 max-age=600; ETag: "v1"; Content-Range: bytes 0-4/10 | 01234
get /d Range: bytes=0-4 -> 206 01234 # miss stored
wait 0.3
origin /d 206 max-age=600; ETag: "v2"; Content-Range: bytes 5-9/10 | fghij
get /d -> 206 fghij # fwd=partial !stored
# A weak ETag does not allow combining; a multipart response is not stored.
origin /e 206 max-age=600; ETag: W/"v1"; Content-Range: bytes 0-4/10 | 01234
get /e Range: bytes=0-4 -> 206 01234 # !stored detail=status
origin /f 206 max-age=600; ETag: "1"; Content-Type: multipart/byteranges; boundary=x | parts
get /f Range: bytes=0-1,4-5 -> 206 parts # !stored
# A purge applies to parts.
purge {"files": ["http://$host/b"]} -> 200
origin /b 206 max-age=600; ETag: "v3"; Content-Range: bytes 3-7/10 | 3x5x7
get /b Range: bytes=3-7 -> 206 3x5x7 # miss
# The rest has no tags of its own: the tags of the part stay.
origin /t 206 max-age=600; ETag: "1"; Content-Range: bytes 0-4/10; Cache-Tag: parts-tag | 01234
get /t Range: bytes=0-4 -> 206 01234 # stored
wait 0.3
origin /t 206 max-age=600; ETag: "1"; Content-Range: bytes 5-9/10 | 56789
get /t -> 200 0123456789 # fwd=partial stored
wait 0.3
purge {"tags": ["parts-tag"]} -> 200
origin /t 200 max-age=600 | new
get /t -> 200 new # miss
