# A truncated body is not stored.
origin /a cut 200 max-age=600 | abcdefghijklmnop
start reader get /a
wait 1
origin /a 200 max-age=600 | whole
get /a -> 200 whole # miss
# The edge reads a short page before it responds, so a truncated one becomes a
# 502. It is not retried at once, because the retry would be truncated, too.
origin /short cut 200 max-age=600 | abcdefghijklmnop
get /short -> 502 # fwd=uri-miss !stored
asked /short 1
origin /short 200 max-age=600 | whole
get /short -> 200 whole # miss stored
get /short -> 200 whole # hit
# If there is a stale copy, it replaces the truncated page.
origin /b 200 max-age=1, stale-if-error=60 | good page
get /b -> 200 good page # miss stored
wait 2.2
origin /b cut 200 max-age=600 | abcdefghijklmnop
get /b -> 200 good page # fwd=stale detail=stale-if-error !stored
get /b -> 200 good page # fwd=stale detail=stale-if-error !stored
# Whether or not the new page may be stored.
origin /b cut 200 no-store | abcdefghijklmnop
get /b -> 200 good page # fwd=stale detail=stale-if-error
origin /b 200 max-age=600 | abcdefghijklmnop
get /b -> 200 abcdefghijklmnop # fwd=stale stored !detail=stale-if-error
get /b -> 200 abcdefghijklmnop # hit
