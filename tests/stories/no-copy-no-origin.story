# Without a stored copy, and with a failing origin: a clear error, which is not stored.
origin /a down
get /a -> 502 # miss !stored
  has Cache-Control: no-store
origin /a hang
get /a -> 504 # miss
origin /a 200 max-age=60 | back
get /a -> 200 back # miss stored
