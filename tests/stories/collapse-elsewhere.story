# Collapsing covers the data centre; `collapse = "isolate"` limits it to the isolate.
rule /own* collapse = "isolate"
rule /own* origin_timeout = 15
rule origin_timeout = 15

# Isolates of a data centre share notes of their flights.
origin /a 200 max-age=60 | zero
get /a -> 200 zero # miss stored
wait 0.3
purge {"files": ["http://$host/a"]} -> 200
wait 1.3
origin /a slow=4 200 max-age=60 | one
start here get /a
wait 0.4
at b
get /a -> 200 one # miss collapsed
finish here -> 200 one # miss stored
asked /a 2

# The same for a response that cannot be shared.
at a
origin /b 200 max-age=60 | zero
get /b -> 200 zero # miss stored
wait 0.3
purge {"files": ["http://$host/b"]} -> 200
wait 1.3
origin /b slow=4 200 private | yours
start here get /b
wait 0.4
at b
get /b -> 200 yours # detail=private !collapsed
finish here -> 200 yours
asked /b 3

at a
origin /own slow=4 200 max-age=60 | one
start here get /own
wait 0.4
at b
get /own -> 200 one # miss !collapsed
finish here -> 200 one
asked /own 2
