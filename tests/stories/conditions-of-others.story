only native
# The pages of two clients may have one date: if the origin received the credentials, its 200 never becomes a 304 by the date alone.
rule /account/* cache = false
rule /api/* cache = false

origin /account/me 200 private; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | of A
get /account/me Cookie: sessionid=a -> 200 of A # fwd=bypass
origin /account/me 200 private; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | of B
get /account/me Cookie: sessionid=b; If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 of B # fwd=bypass
  sent If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT
head /account/me Cookie: sessionid=b; If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 - # fwd=bypass
# The same beside an entity tag that does not match.
get /account/me Cookie: sessionid=b; If-None-Match: "x"; If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 of B # fwd=bypass

# After a login the browser still holds the anonymous page.
origin /post 200 max-age=0, must-revalidate; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | anonymous
get /post -> 200 anonymous
origin /post 200 private; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | hello Ann
get /post Cookie: sessionid=a; If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 hello Ann # fwd=bypass

# The origin receives credentials with a lookup, too.
origin /r 200 private; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | of B
get /r Authorization: Basic Yg==; If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 of B # miss detail=private
head /r Authorization: Basic Yg==; If-Modified-Since: Tue, 03 Nov 2026 09:00:00 GMT -> 200 -
# An entity tag is specific to a page, and does make a 304.
origin /t 200 private; ETag: "b"; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | of B
get /t Authorization: Basic Yg==; If-None-Match: "x", "b" -> 304 - # miss fwd-status=200
get /t Authorization: Basic Yg==; If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 of B

# A request that goes whole because its responses were personal is a bypass, too.
origin /whole 200 private; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | page
get /whole Cookie: my_sid=a -> 200 page # miss detail=private
get /whole Cookie: my_sid=b; If-Modified-Since: Mon, 02 Nov 2026 09:00:00 GMT -> 200 page # fwd=bypass detail=personal

# A date in the future was not sent by an origin.
origin /api/now 200 no-store; Last-Modified: Mon, 02 Nov 2026 09:00:00 GMT | now
get /api/now If-Modified-Since: Mon, 30 Nov 2099 09:00:00 GMT -> 200 now # fwd=bypass
