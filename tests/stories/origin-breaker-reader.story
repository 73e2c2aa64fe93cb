# Failures of one reader, on any pages, do not open the breaker for others.
setting protection.breaker_failures = 4
setting protection.breaker_pause = 30
rule retries = 0
origin /1 down
origin /2 down
origin /3 down
origin /4 down
origin /page 200 no-store | page
get /1 CF-Connecting-IP: 192.0.2.1 -> 502
get /2 CF-Connecting-IP: 192.0.2.1 -> 502
get /3 CF-Connecting-IP: 192.0.2.1 -> 502
get /4 CF-Connecting-IP: 192.0.2.1 -> 502
# Nor do those of one IPv6 network.
get /1 CF-Connecting-IP: 2001:db8::1 -> 502
get /2 CF-Connecting-IP: 2001:db8::2 -> 502
get /3 CF-Connecting-IP: 2001:db8::3 -> 502
get /4 CF-Connecting-IP: 2001:db8::4 -> 502
get /page CF-Connecting-IP: 192.0.2.2 -> 200 page # !detail=circuit-open
# Failures of several readers open it.
get /1 CF-Connecting-IP: 192.0.2.3 -> 502
get /2 CF-Connecting-IP: 192.0.2.4 -> 503 # detail=circuit-open
# The page that works still passes, and is served.
get /page CF-Connecting-IP: 192.0.2.5 -> 200 page
