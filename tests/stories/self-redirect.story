# A redirect to its own URL is never stored: the loop ends when the origin is repaired.
rule edge_ttl = 600
origin /a 301 Location: http://self-redirect.test/a
get /a -> 301 - # miss !stored detail=self-redirect
origin /a 200 | mended
get /a -> 200 mended # miss stored
origin /b 301 max-age=600; Location: /b#top
get /b -> 301 - # miss !stored detail=self-redirect
origin /c 308 Location: ./c?utm_source=x
get /c -> 308 - # miss !stored detail=self-redirect
origin /d 301 Location: https://self-redirect.test:443/%64
get /d -> 301 - # miss !stored detail=self-redirect
# A redirect to another URL is stored.
origin /e 301 Location: /e/
get /e -> 301 - # miss stored
wait 0.3
get /e -> 301 - # hit
  has Location: /e/
