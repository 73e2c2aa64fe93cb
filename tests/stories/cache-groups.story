# The origin names groups on responses, and invalidates them by the response to a write (RFC 9875).
origin /a 200 max-age=600; Cache-Groups: "scripts", "other" | a
origin /b 200 max-age=600; Cache-Groups: "styles" | b
origin /c 200 max-age=600; Cache-Groups: scripts | c
get /a -> 200 a # miss stored
  has Cache-Groups: "scripts", "other"
get /b -> 200 b # miss stored
get /c -> 200 c # miss stored
wait 0.3
origin /edit 204 Cache-Group-Invalidation: "scripts"
post /edit -> 204
get /a -> 200 a # miss detail=purged
get /b -> 200 b # hit
# A list of tokens is not a list of strings: no group.
get /c -> 200 c # hit
# Names are case-sensitive. A failed write, a safe request and an invalid field invalidate nothing.
wait 0.3
origin /edit 204 Cache-Group-Invalidation: "Scripts"
post /edit -> 204
origin /edit 500 Cache-Group-Invalidation: "scripts"
post /edit -> 500
origin /edit 200 max-age=1; Cache-Group-Invalidation: "scripts" | e
get /edit -> 200 e
origin /edit 204 Cache-Group-Invalidation: "scripts", (
post /edit -> 204
get /a -> 200 a # hit
