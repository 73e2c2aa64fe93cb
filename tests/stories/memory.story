# A page that is requested repeatedly is served from isolate memory, by the same rules as from any tier.
rule /off memory = false
rule /tagged tags = ["memory-t"]
origin /a 200 max-age=60; ETag: "v1" | one
get /a -> 200 one # miss
get /a -> 200 one # hit detail=cache-api
get /a -> 200 one # hit detail=cache-api
wait 0.1
get /a -> 200 one # hit detail=memory
  has Age
  has ETag: "v1"
  has Cache-Control: max-age=60
get /a -> 200 one # hit detail=memory
head /a -> 200 - # hit detail=memory
get /a If-None-Match: "v1" -> 304 - # hit detail=memory
get /a Range: bytes=1-1 -> 206 n # hit detail=memory
asked /a 1
# Switched off by a rule.
origin /off 200 max-age=60 | off
get /off -> 200 off # miss
get /off -> 200 off # hit
get /off -> 200 off # hit
wait 0.1
get /off -> 200 off # hit detail=cache-api
# A purge applies to memory, too.
origin /tagged 200 max-age=60 | old
get /tagged -> 200 old # miss
get /tagged -> 200 old # hit
get /tagged -> 200 old # hit
wait 0.1
get /tagged -> 200 old # hit detail=memory
purge {"tags": ["memory-t"]} -> 200
origin /tagged 200 max-age=60 | new
get /tagged -> 200 new # miss
get /tagged -> 200 new # hit
# So does the end of a lifetime.
origin /short 200 max-age=2 | old
get /short -> 200 old # miss
get /short -> 200 old # hit
get /short -> 200 old # hit
origin /short 200 max-age=60 | new
wait 2.5
get /short -> 200 new # fwd=stale
# Variants.
origin /v 200 max-age=60; Vary: Accept-Language | en
get /v Accept-Language: en -> 200 en # miss
get /v Accept-Language: en -> 200 en # hit
get /v Accept-Language: en -> 200 en # hit
wait 0.1
get /v Accept-Language: en -> 200 en # hit detail=memory
origin /v 200 max-age=60; Vary: Accept-Language | de
get /v Accept-Language: de -> 200 de # miss
get /v Accept-Language: en -> 200 en # hit
