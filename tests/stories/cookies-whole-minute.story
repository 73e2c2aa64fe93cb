only native
# It is remembered for a minute since the last answer that was somebody's.
origin /account 200 private | hello
get /account Cookie: my_sid=one -> 200 hello # miss detail=private
wait 59
get /account Cookie: my_sid=one -> 200 hello # fwd=bypass detail=personal
wait 59
get /account Cookie: my_sid=one -> 200 hello # fwd=bypass detail=personal
  sent Cookie: my_sid=one
wait 61
get /account Cookie: my_sid=one -> 200 hello # miss detail=private
  unsent Cookie
# Sent whole, the answer is for all: so the next minute asks for it without cookies.
origin /mixed next=1 200 max-age=60; Set-Cookie: my_sid=new | first
origin /mixed 200 max-age=60 | all
get /mixed Cookie: my_sid=one -> 200 first # miss detail=set-cookie
wait 40
get /mixed Cookie: my_sid=one -> 200 all # fwd=bypass detail=personal
wait 40
get /mixed Cookie: my_sid=one -> 200 all # miss stored
  unsent Cookie
# A browser that only confirms its copy keeps the note alive.
origin /etag 200 private; ETag: "1" | tagged
get /etag Cookie: my_sid=one -> 200 tagged # miss detail=private
wait 50
get /etag Cookie: my_sid=one; If-None-Match: "1" -> 304 - # fwd=bypass detail=personal
wait 50
get /etag Cookie: my_sid=one -> 200 tagged # fwd=bypass detail=personal
# What stands by for an outage is not given away: such a page is confirmed as before.
origin /stale next=1 200 max-age=1, stale-if-error=600 | old
origin /stale next=1 500 | oops
origin /stale next=1 200 private | mine
origin /stale 200 private | mine
get /stale -> 200 old # miss stored
wait 5
get /stale Cookie: my_sid=one -> 200 old # detail=stale-if-error
# Another isolate has its own memory.
at b
get /account Cookie: my_sid=one -> 200 hello # miss detail=private
