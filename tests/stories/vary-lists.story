# Variants with different Vary lists do not evict each other: 20 requests in turn, 18 hits.
# Memory is off, to test the tiers behind it.
rule /kv/* kv = true
rule /kv/* memory = false
rule memory = false
origin /a next=1 200 max-age=600; Vary: Accept-Language; Cache-Tag: lists | hallo
origin /a 200 max-age=600; Vary: Accept-Encoding, Accept-Language; Cache-Tag: lists | hello
get /a Accept-Language: de -> 200 hallo # miss stored
wait 0.3
get /a Accept-Language: en -> 200 hello # fwd=vary-miss stored
wait 0.3
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a Accept-Language: en -> 200 hello # hit
asked /a 2
# The order of storing does not matter. Another coding of the English page is another variant.
origin /b next=1 200 max-age=600; Vary: Accept-Encoding, Accept-Language | hello
origin /b next=1 200 max-age=600; Vary: Accept-Language | hallo
get /b Accept-Language: en -> 200 hello # miss stored
wait 0.3
get /b Accept-Language: de -> 200 hallo # fwd=vary-miss stored
wait 0.3
get /b Accept-Language: en -> 200 hello # hit
get /b Accept-Language: de -> 200 hallo # hit
origin /b 200 max-age=600; Vary: Accept-Encoding, Accept-Language | hello in br
get /b Accept-Language: en; Accept-Encoding: br -> 200 hello in br # fwd=vary-miss stored
wait 0.3
get /b Accept-Language: en; Accept-Encoding: br -> 200 hello in br # hit
get /b Accept-Language: en -> 200 hello # hit
get /b Accept-Language: de -> 200 hallo # hit
# Three lists, none of which contains another.
origin /c next=1 200 max-age=600; Vary: Accept-Language | one
get /c Accept-Language: de; Accept: a/b -> 200 one # miss stored
wait 0.3
origin /c next=1 200 max-age=600; Vary: Accept | two
get /c Accept-Language: en; Accept: a/b -> 200 two # fwd=vary-miss stored
wait 0.3
origin /c next=1 200 max-age=600; Vary: Accept-Encoding | three
get /c Accept-Language: en; Accept: c/d; Accept-Encoding: br -> 200 three # fwd=vary-miss stored
wait 0.3
origin /c next=1 200 max-age=600; Vary: Accept-Language | four
get /c Accept-Language: en; Accept: c/d; Accept-Encoding: gzip -> 200 four # fwd=vary-miss stored
wait 0.3
origin /c 500 | sorry
get /c Accept-Language: de; Accept: a/b -> 200 one # hit
get /c Accept-Language: en; Accept: a/b -> 200 two # hit
get /c Accept-Language: en; Accept: c/d; Accept-Encoding: br -> 200 three # hit
get /c Accept-Language: en; Accept: c/d; Accept-Encoding: gzip -> 200 four # hit
get /c Accept-Language: de; Accept: x/y; Accept-Encoding: gzip -> 200 one # hit
asked /c 4
# The same in KV.
origin /kv/a next=1 200 max-age=600; Vary: Accept-Language | hallo
origin /kv/a 200 max-age=600; Vary: Accept-Encoding, Accept-Language | hello
get /kv/a Accept-Language: de -> 200 hallo # miss stored
wait 0.3
get /kv/a Accept-Language: en -> 200 hello # fwd=vary-miss stored
wait 0.3
evict
get /kv/a Accept-Language: en -> 200 hello # hit detail=kv
get /kv/a Accept-Language: de -> 200 hallo # hit detail=kv
wait 0.3
get /kv/a Accept-Language: en -> 200 hello # hit detail=cache-api
get /kv/a Accept-Language: de -> 200 hallo # hit detail=cache-api
# A purge matches all of them, and purged variants make room.
purge {"tags": ["lists"]} -> 200
origin /a 200 max-age=600; Vary: Accept-Encoding; Cache-Tag: lists | all
get /a Accept-Language: en -> 200 all # miss stored
wait 0.3
get /a Accept-Language: de -> 200 all # hit
get /a Accept-Language: fr -> 200 all # hit
