# A response that is slow and requested often is refreshed in the background shortly before it expires, at random: with
# some 0.8 seconds left and a fetch that took 1.5, each of these requests refreshes at more than one moment of two.
rule /off/* early_refresh = false
# (The stale window is for slow test machines.)
origin /a slow=1.5 200 max-age=5, stale-while-revalidate=60 | old
get /a -> 200 old # miss stored
# The lifetime begins when the request is sent.
wait 3.2
origin /a 200 max-age=60 | new
get /a -> 200 # hit
get /a -> 200 # hit
get /a -> 200 # hit
get /a -> 200 # hit
wait 0.05
get /a -> 200 # hit
get /a -> 200 # hit
get /a -> 200 # hit
get /a -> 200 # hit
wait 0.05
get /a -> 200 # hit
get /a -> 200 # hit
get /a -> 200 # hit
get /a -> 200 # hit
wait 0.05
get /a -> 200 # hit
get /a -> 200 # hit
get /a -> 200 # hit
get /a -> 200 # hit
wait 0.2
get /a -> 200 new # hit
asked /a 2

# A rule can switch it off.
origin /off/a slow=1.5 200 max-age=5 | old
get /off/a -> 200 old # miss stored
wait 3.2
get /off/a -> 200 old # hit !detail=early-refresh
get /off/a -> 200 old # hit !detail=early-refresh
get /off/a -> 200 old # hit !detail=early-refresh
get /off/a -> 200 old # hit !detail=early-refresh
asked /off/a 1
