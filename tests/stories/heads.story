# Fields are returned as the origin sent them, except those of the connection.
origin /a 200 max-age=60; X-Odd:  two  words ; Content-Language: en; Content-Disposition: inline; Date: Mon, 23 Nov 2015 00:00:00 GMT; Age: 3; Connection: X-Hop; X-Hop: 1; Keep-Alive: 5; Proxy-Thing: x | a
get /a -> 200 a
  has Content-Language: en
  has Content-Disposition: inline
  has Date: Mon, 23 Nov 2015 00:00:00 GMT
  has Via: 1.1 edgekeep
  lacks X-Hop
  lacks Proxy-Thing
origin /b 200 max-age=60; Via: 1.0 inner | b
get /b -> 200 b # miss
  has Via: 1.0 inner, 1.1 edgekeep
wait 0.3
get /b -> 200 b # hit
  has Via: 1.0 inner, 1.1 edgekeep
  has Age
