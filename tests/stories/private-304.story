# A 304 that makes the page private keeps it from other caches, also under a browser TTL.
rule browser_ttl = 600
rule stale_if_error = 0
origin /a 200 max-age=1; ETag: "1"; Via: 1.0 shield | page
get /a -> 200 page # miss stored
  has Cache-Control: max-age=600
wait 2.2
origin /a 200 private; ETag: "1"; Set-Cookie: id=1 | page
get /a -> 200 page # fwd=stale fwd-status=304 !stored
  has Cache-Control: private
  has Set-Cookie: id=1
  # A proxy in front of the origin is still named.
  has Via: 1.0 shield, 1.1 edgekeep
