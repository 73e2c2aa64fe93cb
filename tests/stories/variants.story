# Vary: several responses under one key, one for each variant.
rule kv = true
origin /a 200 max-age=600; Vary: Accept-Language; Cache-Tag: var | hello
get /a Accept-Language: en -> 200 hello # miss stored
wait 0.3
origin /a 200 max-age=600; Vary: Accept-Language; Cache-Tag: var | hallo
get /a Accept-Language: de -> 200 hallo # fwd=vary-miss stored
wait 0.3
get /a Accept-Language:  en;q=1 -> 200 hello # hit
get /a Accept-Language: de -> 200 hallo # hit
get /a -> 200 hallo # fwd=vary-miss
wait 0.3
evict
get /a Accept-Language: de -> 200 hallo # hit detail=kv
get /a Accept-Language: en -> 200 hello # hit detail=kv
# A purge matches all of them.
purge {"files": ["http://$host/a"]} -> 200
get /a Accept-Language: en -> 200 hallo # miss
get /a Accept-Language: de -> 200 hallo # miss
# A field that the origin does not receive makes no variants.
origin /b 200 max-age=600; Vary: Cookie, User-Agent | b
get /b Cookie: theme=dark; User-Agent: One -> 200 b # miss stored
wait 0.3
get /b Cookie: theme=light; User-Agent: Two -> 200 b # hit
# Applications use the first of several values, and compare spellings: the key has what the origin receives.
origin /order 200 max-age=60; Vary: Accept-Language, Accept | first
get /order Accept-Language: nl, en; Accept: application/json, text/plain, */* -> 200 first # miss stored
  sent Accept-Language: nl, en
  sent Accept: application/json, text/plain, */*
wait 0.3
get /order Accept-Language: nl,en;q=1; Accept: application/json,text/plain,*/* -> 200 first # hit
get /order Accept-Language: en, nl; Accept: application/json, text/plain, */* -> 200 first # fwd=vary-miss stored
  sent Accept-Language: en, nl
get /order Accept-Language: NL, en; Accept: application/json, text/plain, */* -> 200 first # fwd=vary-miss stored
  sent Accept-Language: NL, en
get /order Accept-Language: en;q=0.5, nl; Accept: a/b;Profile="X";q=0.2, c/d -> 200 first # fwd=vary-miss stored
  sent Accept-Language: nl, en;q=0.9
  sent Accept: c/d, a/b;Profile="X";q=0.9
