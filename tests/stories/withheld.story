# Fields that no-cache and private name are not stored; the rest is (RFC 9111 §5.2.2.4, §5.2.2.7).
origin /a 200 max-age=60, private="x-mine"; X-Mine: secret; X-Ours: open | a
get /a -> 200 a # miss stored
  has X-Mine: secret
  has X-Ours: open
wait 0.3
get /a -> 200 a # hit
  lacks X-Mine
  has X-Ours: open
origin /b 200 max-age=60, no-cache="set-cookie"; Set-Cookie: id=1 | b
get /b -> 200 b # miss stored
  has Set-Cookie: id=1
wait 0.3
get /b -> 200 b # hit
  lacks Set-Cookie
# Without a list of names it is the plain directive; a plain directive beside a list applies, too.
origin /c 200 max-age=60, private="" | c
get /c -> 200 c # !stored
origin /d 200 max-age=60, private="x-mine", private | d
get /d -> 200 d # !stored
# Fields that describe the body cannot be removed: such a list prevents storing.
origin /e 200 max-age=60, private="content-encoding"; Content-Encoding: x-none | e
get /e -> 200 e # !stored detail=private
# A list restores no field of the connection, and no tags.
origin /f 200 max-age=60, private="x-hop, cache-tag, keep-alive"; Connection: X-Hop; X-Hop: 1; Keep-Alive: 5; Cache-Tag: withheld-f | f
get /f -> 200 f # miss stored
  lacks X-Hop
  lacks Keep-Alive
  lacks Cache-Tag
