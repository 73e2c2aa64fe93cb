# The first request after expiry receives the old page at once; later ones the new page.
origin /a 200 max-age=1, stale-while-revalidate=30 | old
get /a -> 200 old # miss stored
wait 2.2
origin /a 200 max-age=30 | new
get /a -> 200 old # hit detail=stale-while-revalidate
wait 0.5
get /a -> 200 new # hit !detail=stale-while-revalidate
asked /a 2

# Many requests cause one refresh.
origin /b 200 max-age=1, stale-while-revalidate=30 | old
get /b -> 200 old # miss
wait 2.2
origin /b slow=1 200 max-age=30 | new
get /b -> 200 old # hit detail=stale-while-revalidate
get /b -> 200 old # hit detail=stale-while-revalidate
get /b -> 200 old # hit detail=stale-while-revalidate
wait 1.5
get /b -> 200 new # hit
asked /b 2
