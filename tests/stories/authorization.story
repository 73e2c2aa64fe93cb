# A response to one client's credentials is reused for another only if the origin allows it each time (RFC 9111 §3.5).
rule edge_ttl = 600
rule stale_if_error = 600
rule stale_while_revalidate = 600
rule browser_ttl = 300
rule negative_ttl = { 401 = 60, 403 = 60, 404 = 60 }
rule request_directives = true
origin /me 200 max-age=0, must-revalidate; ETag: "ann" | ann
get /me Authorization: Digest ann -> 200 ann # miss stored
  has Cache-Control: max-age=0, must-revalidate
# Other clients are revalidated with their own credentials, or with none.
origin /me 200 max-age=0, must-revalidate; ETag: "bob" | bob
get /me Authorization: Digest bob -> 200 bob # fwd=stale !hit
  sent If-None-Match: "ann"
  sent Authorization: Digest bob
origin /me 401 public, max-age=60; WWW-Authenticate: Digest | who
get /me -> 401 who # !hit !stored detail=credentials
get /me Cache-Control: max-stale=600 -> 401 who # !hit
# A copy that the origin confirms to another client gains no lifetime by it.
origin /me 200 max-age=0, must-revalidate; ETag: "bob" | bob
get /me Authorization: Digest bob -> 200 bob # !hit
get /me Authorization: Digest bob -> 200 bob # fwd=stale fwd-status=304
get /me -> 200 bob # fwd=stale fwd-status=304
origin /me down
get /me -> 504 # !hit
get /me Authorization: Digest ann -> 504 # !hit

# The pages of two users may have one date: a date alone does not confirm a copy.
origin /dated 200 s-maxage=0; Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT | ann
get /dated Authorization: Digest ann -> 200 ann # stored
origin /dated 304 s-maxage=0
get /dated Authorization: Digest bob -> 502 # !hit
  unsent If-Modified-Since
  unsent If-None-Match
origin /dated 200 s-maxage=0; Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT | bob
get /dated Authorization: Digest bob -> 200 bob # !hit
  unsent If-Modified-Since

# A public response is shared, and a rule may store it.
origin /all 200 public, max-age=1 | all
get /all Authorization: Digest ann -> 200 all # miss stored ttl=600
get /all -> 200 all # hit

# An error for wrong credentials is not stored.
origin /list 401 public, max-age=60 | no
get /list Authorization: Digest junk -> 401 no # !stored detail=credentials
origin /list 200 public, max-age=60 | list
get /list -> 200 list # miss stored
