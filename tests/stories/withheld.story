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
# Without a list of names it is the plain directive, and the plain one beside a list counts.
origin /c 200 max-age=60, private="" | c
get /c -> 200 c # !stored
origin /d 200 max-age=60, private="x-mine", private | d
get /d -> 200 d # !stored
