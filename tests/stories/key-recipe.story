# Rules decide what is in the key.
rule /search query = {allow = ["q"]}
rule /deny query = {deny = ["debug"]}
rule /lang key_cookies = ["lang"]
rule /lang key_headers = ["X-Device"]
rule /open forward_headers = ["X-Plain"]
rule /clear forward_headers = ["*"]
rule /raw sort_query = false
rule /raw drop_tracking = false
origin /search?q=cat 200 max-age=600 | cats
get /search?q=cat&page=2&x=y -> 200 cats # miss stored
wait 0.3
get /search?x=z&q=cat -> 200 cats # hit
origin /deny?a=1 200 max-age=600 | a
get /deny?debug=1&a=1 -> 200 a # miss
origin /lang 200 max-age=600 | en
get /lang Cookie: lang=en -> 200 en # miss
  sent Cookie: lang=en
origin /lang 200 max-age=600 | de
get /lang Cookie: lang=de; X-Device: tv -> 200 de # miss
  sent X-Device: tv
wait 0.3
get /lang Cookie: lang=en -> 200 en # hit
get /lang Cookie: lang=de; X-Device: tv -> 200 de # hit
get /lang Cookie: lang=de -> 200 de # miss
origin /open 200 max-age=600 | o
get /open X-Plain: 1; X-Other: 2 -> 200 o # miss
  sent X-Plain: 1
  unsent X-Other
origin /clear 200 max-age=600 | c
get /clear X-Other: 2; User-Agent: Me; X-Forwarded-For: 9.9.9.9; X-Original-URL: /admin -> 200 c # miss
  sent X-Other: 2
  sent User-Agent: Me
  unsent X-Forwarded-For
  unsent X-Original-URL
origin /raw?b=1&a=2&utm_source=x 200 max-age=600 | r
get /raw?b=1&a=2&utm_source=x -> 200 r # miss stored
# CORS: Origin is forwarded to the origin, and is in the key.
origin /cors 200 max-age=600 | c
get /cors Origin: https://one.example -> 200 c # miss
  sent Origin: https://one.example
get /cors Origin: https://two.example -> 200 c # miss
