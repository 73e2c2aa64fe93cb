# HEAD is answered from a GET entry, is never stored, and renews a stale entry that it confirms (RFC 9111 §4.3.5).
rule stale_if_error = 0
origin /a 200 max-age=1; ETag: "1"; X-Seen: first | body
head /a -> 200 - # miss !stored detail=head
get /a -> 200 body # miss stored
wait 2.2
origin /a 200 max-age=60; ETag: "1"; X-Seen: second | body
head /a -> 200 - # fwd=stale fwd-status=200 stored
wait 0.4
get /a -> 200 body # hit
  has X-Seen: second
asked /a 3
# A HEAD response with another ETag does not renew it.
origin /b 200 max-age=1; ETag: "1" | body
get /b -> 200 body # miss stored
wait 2.2
origin /b 200 max-age=60; ETag: "2" | other
head /b -> 200 - # fwd=stale !stored
get /b -> 200 other # fwd=stale fwd-status=200
# It does not end the use of the old page either while there is no other: monitors send HEAD, and an origin may refuse it.
origin /c 200 max-age=1, stale-if-error=600; ETag: "1" | one
get /c -> 200 one # miss stored
wait 2.2
origin /c 200 max-age=1, stale-if-error=600; ETag: "2" | two
head /c -> 200 - # fwd=stale !stored detail=head
wait 0.3
origin /c 405 no-store | not by HEAD
head /c -> 405 - # fwd=stale !stored
wait 0.3
origin /c down
get /c -> 200 one # fwd=stale detail=stale-if-error
