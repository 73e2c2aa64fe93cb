# If a rule forwards more fields, there may be more Vary lists than slots.
# Responses beyond the last slot are not stored; no variant is evicted.
rule memory = false
rule forward_headers = ["X-A", "X-B", "X-C", "X-D", "X-E"]
origin /a next=1 200 max-age=600; Vary: X-A; Cache-Tag: room | a
get /a X-A: 1; X-B: 1; X-C: 1; X-D: 1; X-E: 1 -> 200 a # miss stored
wait 0.3
origin /a next=1 200 max-age=600; Vary: X-B | b
get /a X-A: 2; X-B: 1; X-C: 1; X-D: 1; X-E: 1 -> 200 b # miss stored
wait 0.3
origin /a next=1 200 max-age=600; Vary: X-C | c
get /a X-A: 2; X-B: 2; X-C: 1; X-D: 1; X-E: 1 -> 200 c # miss stored
wait 0.3
origin /a next=1 200 max-age=600; Vary: X-D | d
get /a X-A: 2; X-B: 2; X-C: 2; X-D: 1; X-E: 1 -> 200 d # miss stored
wait 0.3
origin /a 200 max-age=600; Vary: X-E | e
get /a X-A: 2; X-B: 2; X-C: 2; X-D: 2; X-E: 1 -> 200 e # miss !stored detail=too-many-variants
get /a X-A: 2; X-B: 2; X-C: 2; X-D: 2; X-E: 1 -> 200 e # miss !stored detail=too-many-variants
get /a X-A: 2; X-B: 1; X-C: 1; X-D: 1; X-E: 1 -> 200 b # hit
get /a X-A: 2; X-B: 2; X-C: 1; X-D: 1; X-E: 1 -> 200 c # hit
get /a X-A: 2; X-B: 2; X-C: 2; X-D: 1; X-E: 1 -> 200 d # hit
# Entries that no request can use make room.
purge {"tags": ["room"]} -> 200
get /a X-A: 2; X-B: 2; X-C: 2; X-D: 2; X-E: 1 -> 200 e # miss stored
wait 0.3
get /a X-A: 2; X-B: 2; X-C: 2; X-D: 2; X-E: 1 -> 200 e # hit
