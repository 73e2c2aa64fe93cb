# The precedence of lifetimes.
origin /a 200 s-maxage=20, max-age=10 | a
get /a -> 200 a # ttl=20
origin /b 200 s-maxage=20, max-age=10; CDN-Cache-Control: max-age=30 | b
get /b -> 200 b # ttl=30
  has CDN-Cache-Control: max-age=30
origin /c 200 max-age=10; Age: 4 | c
get /c -> 200 c # ttl=6
  has Age: 4
origin /d 200 Date: Mon, 23 Nov 2020 00:00:00 GMT; Expires: Mon, 23 Nov 2020 00:00:40 GMT; ETag: "1" | d
get /d -> 200 d # !stored detail=expired
origin /e 200 max-age=10; CDN-Cache-Control: no-store | e
get /e -> 200 e # !stored detail=no-store
origin /f 200 no-cache; ETag: "1" | f
get /f -> 200 f # stored
wait 0.3
get /f -> 200 f # fwd=stale fwd-status=304
