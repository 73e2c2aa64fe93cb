# A body that breaks off is not kept.
origin /a cut 200 max-age=600 | abcdefghijklmnop
start reader get /a
wait 1
origin /a 200 max-age=600 | whole
get /a -> 200 whole # miss
