# The field for Cloudflare's edge has precedence over the one for all CDNs, and is not sent to clients.
origin /a 200 no-store; CDN-Cache-Control: max-age=1; Cloudflare-CDN-Cache-Control: max-age=600 | page
get /a -> 200 page # miss stored ttl=600
  lacks Cloudflare-CDN-Cache-Control
  has CDN-Cache-Control: max-age=1
wait 0.3
get /a -> 200 page # hit
  lacks Cloudflare-CDN-Cache-Control
origin /b 200 max-age=600; CDN-Cache-Control: max-age=600; Cloudflare-CDN-Cache-Control: no-store | page
get /b -> 200 page # miss !stored detail=no-store
  lacks Cloudflare-CDN-Cache-Control
# The tags of Drupal are cache tags.
origin /c 200 max-age=600; Cache-Tags: node:1 node_list; X-Drupal-Cache-Tags: config:a user:2 | c
origin /d 200 max-age=600; Cache-Tags: node:1,config:a | d
get /c -> 200 c # miss stored
  lacks Cache-Tags
  lacks X-Drupal-Cache-Tags
get /d -> 200 d # miss stored
wait 0.3
get /c -> 200 c # hit
get /d -> 200 d # hit
purge {"tags": ["user:2"]} -> 200
get /c -> 200 c # miss stored
get /d -> 200 d # hit
purge {"tags": ["config:a"]} -> 200
get /c -> 200 c # miss
get /d -> 200 d # miss
