# A rule removes named cookies from responses, so that they can be stored; never those of a session or of a form token.
rule /static/* strip_set_cookie = ["*"]
rule /lang/* strip_set_cookie = ["lang", "ab_*"]
origin /static/a.css 200 max-age=60; Set-Cookie: tracker=1; Set-Cookie: ab_x=2;Path=/ | css
get /static/a.css -> 200 css # miss stored ttl=60 detail=set-cookie-stripped
  lacks Set-Cookie
wait 0.3
get /static/a.css -> 200 css # hit !detail=set-cookie-stripped
  lacks Set-Cookie
# Without a rule nothing is removed.
origin /other/a.css 200 max-age=60; Set-Cookie: tracker=1 | css
get /other/a.css -> 200 css # miss !stored detail=set-cookie !detail=session-cookie
  has Set-Cookie: tracker=1
# A session cookie stays, even under `*`: its response may be personal.
origin /static/mine.css 200 max-age=60; Set-Cookie: tracker=1; Set-Cookie: sessionid=abc | mine
get /static/mine.css -> 200 mine # miss !stored detail=set-cookie detail=session-cookie
get /static/mine.css -> 200 mine # miss !stored
origin /static/host.css 200 max-age=60; Set-Cookie: __Host-my-app-session=abc | mine
get /static/host.css -> 200 mine # miss !stored detail=session-cookie
origin /static/token.css 200 max-age=60; Set-Cookie: XSRF-TOKEN=abc | mine
get /static/token.css -> 200 mine # miss !stored detail=session-cookie
  has Set-Cookie: XSRF-TOKEN=abc
# So does one behind a comma, where lines were folded into one; the comma in Expires has none behind it.
origin /lang/folded 200 max-age=60; Set-Cookie: lang=de, sessionid=abc | hello Ann
get /lang/folded -> 200 hello Ann # miss !stored detail=session-cookie
get /lang/folded -> 200 hello Ann # miss !stored detail=session-cookie
origin /static/folded 200 max-age=60; Set-Cookie: lang=de, sessionid=abc | hello Ann
get /static/folded -> 200 hello Ann # miss !stored detail=session-cookie
# All cookies must be named.
origin /lang/both 200 max-age=60; Set-Cookie: lang=de; Set-Cookie: ab_1=2 | both
get /lang/both -> 200 both # miss stored detail=set-cookie-stripped
origin /lang/more 200 max-age=60; Set-Cookie: lang=de; Set-Cookie: more=2 | more
get /lang/more -> 200 more # miss !stored detail=set-cookie !detail=session-cookie
# The rule makes nothing else storable, and removes nothing from a response that is not stored.
origin /static/private.css 200 private; Set-Cookie: tracker=1 | private
get /static/private.css -> 200 private # miss !stored detail=private !detail=set-cookie-stripped
  has Set-Cookie: tracker=1
origin /static/plain.css 200 Set-Cookie: tracker=1 | plain
get /static/plain.css -> 200 plain # miss !stored detail=no-freshness
  has Set-Cookie: tracker=1
# The response to HEAD, and a 304 with a cookie.
origin /static/etag.css 200 max-age=1; ETag: "1"; Set-Cookie: tracker=1 | etag
get /static/etag.css -> 200 etag # miss stored
  lacks Set-Cookie
wait 1.5
get /static/etag.css -> 200 etag # fwd=stale fwd-status=304 stored
  lacks Set-Cookie
# Cookies of the rule's own bypass list are session cookies.
rule /own/* bypass_cookies = ["mine"]
rule /own/* strip_set_cookie = ["*"]
origin /own/a 200 max-age=60; Set-Cookie: mine=1 | own
origin /own/b 200 max-age=60; Set-Cookie: PHPSESSID=1 | own
get /own/a -> 200 own # miss !stored detail=session-cookie
get /own/b -> 200 own # miss !stored detail=session-cookie
