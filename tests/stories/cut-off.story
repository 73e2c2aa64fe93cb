# A body that breaks off is not kept.
origin /a cut 200 max-age=600 | abcdefghijklmnop
start reader get /a
wait 1
origin /a 200 max-age=600 | whole
get /a -> 200 whole # miss
# Where a stale copy stands by, it takes the place of the page that breaks off.
origin /b 200 max-age=1, stale-if-error=60 | good page
get /b -> 200 good page # miss stored
wait 2.2
origin /b cut 200 max-age=600 | abcdefghijklmnop
get /b -> 200 good page # fwd=stale fwd-status=200 detail=stale-if-error !stored
get /b -> 200 good page # fwd=stale fwd-status=200 detail=stale-if-error !stored
# Whether the new page could be stored or not.
origin /b cut 200 no-store | abcdefghijklmnop
get /b -> 200 good page # fwd=stale fwd-status=200 detail=stale-if-error
origin /b 200 max-age=600 | abcdefghijklmnop
get /b -> 200 abcdefghijklmnop # fwd=stale stored !detail=stale-if-error
get /b -> 200 abcdefghijklmnop # hit
