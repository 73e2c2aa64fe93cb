# All followers receive the failure of one request that the origin does not answer.
rule /c origin_timeout = 15
origin /a 200 max-age=60 | page
get /a -> 200 page # miss stored
wait 0.3
purge {"files": ["http://$host/a"]} -> 200
origin /a hang
start first get /a
start second get /a
finish first -> 504
finish second -> 504 # collapsed
asked /a 2

# If there is a stale copy, they receive that.
origin /b 200 max-age=1, stale-if-error=60 | old
get /b -> 200 old # miss
wait 2.2
origin /b hang
start first get /b
start second get /b
finish first -> 200 old # detail=stale-if-error !collapsed
finish second -> 200 old # detail=stale-if-error collapsed
asked /b 2

# A purge during the wait applies to followers: the copy of the leader is purged already, and the next follower fetches.
origin /c 200 max-age=60 | zero
get /c -> 200 zero # miss stored
wait 0.3
purge {"files": ["http://$host/c"]} -> 200
wait 1.3
origin /c slow=4 200 max-age=60; Cache-Tag: t | one
start first get /c
start second get /c
start third get /c
purge {"tags": ["t"]} -> 200
origin /c 200 max-age=60; Cache-Tag: t | two
finish first -> 200 one
finish second -> 200 two
finish third -> 200 two
asked /c 3

# A truncated body is a failure, too, if there is a stale copy: followers receive the copy at once, and later requests share a fetch again.
origin /torn 200 max-age=1, stale-if-error=60 | good page
get /torn -> 200 good page # miss stored
wait 2.2
origin /torn slow=0.6 cut 200 max-age=60 | abcdefghijklmnop
start one get /torn
wait 0.2
get /torn -> 200 good page # detail=stale-if-error collapsed
finish one -> 200 good page # detail=stale-if-error
asked /torn 2
start one get /torn
wait 0.2
get /torn -> 200 good page # detail=stale-if-error collapsed
finish one -> 200 good page # detail=stale-if-error
asked /torn 3
