only native
# A URL counts as personal for a minute after the last personal response.
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
# A shareable response to a whole request does not extend the minute: after it, requests are sent without cookies.
origin /mixed next=1 200 max-age=60; Set-Cookie: my_sid=new | first
origin /mixed 200 max-age=60 | all
get /mixed Cookie: my_sid=one -> 200 first # miss detail=set-cookie
wait 40
get /mixed Cookie: my_sid=one -> 200 all # fwd=bypass detail=personal
wait 40
get /mixed Cookie: my_sid=one -> 200 all # miss stored
  unsent Cookie
# A 304 to the client's own conditions extends the minute.
origin /etag 200 private; ETag: "1" | tagged
get /etag Cookie: my_sid=one -> 200 tagged # miss detail=private
wait 50
get /etag Cookie: my_sid=one; If-None-Match: "1" -> 304 - # fwd=bypass detail=personal
wait 50
get /etag Cookie: my_sid=one -> 200 tagged # fwd=bypass detail=personal
# A page with a stale copy for an outage is revalidated as before.
origin /stale next=1 200 max-age=1, stale-if-error=600 | old
origin /stale next=1 500 | oops
origin /stale next=1 200 private | mine
origin /stale 200 private | mine
get /stale -> 200 old # miss stored
wait 5
get /stale Cookie: my_sid=one -> 200 old # detail=stale-if-error
# Each isolate keeps its own notes.
at b
get /account Cookie: my_sid=one -> 200 hello # miss detail=private
