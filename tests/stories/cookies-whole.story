# If a response to a request without cookies is personal, or may not be stored, the next requests with cookies go whole, for a minute.
origin /account 200 private | hello
get /account Cookie: my_sid=one -> 200 hello # miss !stored detail=private detail=cookie-withheld
  unsent Cookie
get /account Cookie: my_sid=one;_ga=2; User-Agent: Browser/1 -> 200 hello # fwd=bypass detail=personal !stored
  sent Cookie: my_sid=one;_ga=2
  sent User-Agent: Browser/1
get /account Cookie: my_sid=two; If-None-Match: "a" -> 200 hello # fwd=bypass detail=personal
  sent Cookie: my_sid=two
  sent If-None-Match: "a"
# This applies only to requests with cookies other than those that every visitor has.
get /account -> 200 hello # miss detail=private !detail=personal
get /account Cookie: _ga=2;OptanonConsent=x -> 200 hello # miss detail=private
  unsent Cookie
# The other signs of a personal response.
origin /sets 200 max-age=60; Set-Cookie: my_sid=new | sets
get /sets Cookie: my_sid=one -> 200 sets # miss detail=set-cookie detail=cookie-withheld
get /sets Cookie: my_sid=one -> 200 sets # fwd=bypass detail=personal
  sent Cookie: my_sid=one
origin /no-store 200 no-store | none
get /no-store -> 200 none # miss detail=no-store
get /no-store Cookie: my_sid=one -> 200 none # fwd=bypass detail=personal
  sent Cookie: my_sid=one
# A redirect to the sign-in page, without a field about caching.
origin /members 302 Location: /sign-in | go
get /members Cookie: my_sid=one -> 302 go # miss detail=no-freshness detail=cookie-withheld
get /members Cookie: my_sid=one -> 302 go # fwd=bypass detail=personal
  sent Cookie: my_sid=one
# Responses to HEAD and to credentials do not mark a URL as personal. A HEAD request is sent whole as well.
origin /head 200 private | head
head /head Cookie: my_sid=one -> 200 -
  unsent Cookie
get /head Authorization: Basic eDp5 -> 200 head # miss
get /head Cookie: my_sid=one -> 200 head # miss detail=private
head /head Cookie: my_sid=one -> 200 - # fwd=bypass detail=personal
  sent Cookie: my_sid=one
# A storable response is stored, and a hit serves all. The log notes a withheld cookie once, at the miss.
origin /page 200 max-age=60 | page
get /page Cookie: my_sid=one;_ga=2 -> 200 page # miss stored detail=cookie-withheld
  unsent Cookie
wait 0.3
get /page Cookie: my_sid=two -> 200 page # hit !detail=cookie-withheld
asked /page 1
origin /quiet 200 max-age=60 | quiet
get /quiet Cookie: _ga=2;_hjSession_1=x -> 200 quiet # miss stored !detail=cookie-withheld
# A URL that is no longer private: one request without cookies stores a page for all.
origin /turns next=1 200 private | mine
origin /turns 200 max-age=60 | all
get /turns Cookie: my_sid=one -> 200 mine # miss detail=private
get /turns -> 200 all # miss stored
wait 0.3
get /turns Cookie: my_sid=one -> 200 all # hit
# Errors of the origin and of the request do not mark a URL as personal.
origin /fails 500 private | oops
get /fails Cookie: my_sid=one -> 500 oops
get /fails Cookie: my_sid=one -> 500 oops # !fwd=bypass
  unsent Cookie
# Nor does 429: all requests would go to a busy origin at once.
origin /busy 429 no-store | later
get /busy Cookie: my_sid=one -> 429 later
get /busy Cookie: my_sid=one -> 429 later # !fwd=bypass
  unsent Cookie
