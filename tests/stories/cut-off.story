# A body that breaks off is not kept.
origin /a cut 200 max-age=600 | abcdefghijklmnop
start reader get /a
wait 1
origin /a 200 max-age=600 | whole
get /a -> 200 whole # miss
# A short page comes with its head, or has failed. It is not asked for again at once: so would the next one break off.
origin /short cut 200 max-age=600 | abcdefghijklmnop
get /short -> 502 # fwd=uri-miss !stored
asked /short 1
origin /short 200 max-age=600 | whole
get /short -> 200 whole # miss stored
get /short -> 200 whole # hit
# Where a stale copy stands by, it takes the place of the page that breaks off.
origin /b 200 max-age=1, stale-if-error=60 | good page
get /b -> 200 good page # miss stored
wait 2.2
origin /b cut 200 max-age=600 | abcdefghijklmnop
get /b -> 200 good page # fwd=stale detail=stale-if-error !stored
get /b -> 200 good page # fwd=stale detail=stale-if-error !stored
# Whether the new page could be stored or not.
origin /b cut 200 no-store | abcdefghijklmnop
get /b -> 200 good page # fwd=stale detail=stale-if-error
origin /b 200 max-age=600 | abcdefghijklmnop
get /b -> 200 abcdefghijklmnop # fwd=stale stored !detail=stale-if-error
get /b -> 200 abcdefghijklmnop # hit
