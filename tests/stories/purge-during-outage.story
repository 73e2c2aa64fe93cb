# A copy that was purged while the origin did not respond is not served as a stale one.
origin /a 200 max-age=1, stale-if-error=60; Cache-Tag: silent | old
get /a -> 200 old # miss stored
wait 2.2
origin /a hang
start reader get /a
purge {"tags": ["silent"]} -> 200
finish reader -> 504 # !hit
origin /a 200 max-age=60 | new
get /a -> 200 new # miss

# The same if another isolate received the order: this one reads it meanwhile.
origin /b 200 max-age=1, stale-if-error=60; Cache-Tag: silent-b | old
get /b -> 200 old # miss stored
wait 2.2
origin /b hang
start reader get /b
at b
purge {"tags": ["silent-b"]} -> 200
at a
finish reader -> 504 # !hit

# A soft purge leaves the copy for this case.
origin /c 200 max-age=1, stale-if-error=60; Cache-Tag: silent-c | old
get /c -> 200 old # miss stored
wait 2.2
origin /c hang
start reader get /c
purge {"tags": ["silent-c"], "soft": true} -> 200
finish reader -> 200 old # fwd=stale detail=stale-if-error
