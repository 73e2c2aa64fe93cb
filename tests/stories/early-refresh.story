# What takes long and is asked for often is refreshed shortly before it expires, behind hits. By chance: with some 0.8 seconds left
# of a fetch that took 1.5, each of these requests does it at more than one moment of two.
rule /off/* early_refresh = false
# (The window is for computers that are late.)
origin /a slow=1.5 200 max-age=5, stale-while-revalidate=60 | old
get /a -> 200 old # miss stored
# Its life counts from when it was asked for.
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

# Not where a rule says no.
origin /off/a slow=1.5 200 max-age=5 | old
get /off/a -> 200 old # miss stored
wait 3.2
get /off/a -> 200 old # hit !detail=early-refresh
get /off/a -> 200 old # hit !detail=early-refresh
get /off/a -> 200 old # hit !detail=early-refresh
get /off/a -> 200 old # hit !detail=early-refresh
asked /off/a 1
