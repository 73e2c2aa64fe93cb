# A tenth of the time since Last-Modified, where a rule enables it and the status allows it.
rule /guess/* heuristic_freshness = true
origin /guess/a 200 Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT | a
get /guess/a -> 200 a # miss stored ttl=86400
origin /guess/b 200 ETag: "1" | b
get /guess/b -> 200 b # miss stored ttl=0
get /guess/b -> 200 b # fwd=stale fwd-status=304
origin /guess/c 302 Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT | c
get /guess/c -> 302 c # !stored
origin /guess/d 302 public; Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT | d
get /guess/d -> 302 d # stored
origin /a 200 Last-Modified: Mon, 23 Nov 2015 00:00:00 GMT | a
get /a -> 200 a # miss !stored detail=no-freshness
