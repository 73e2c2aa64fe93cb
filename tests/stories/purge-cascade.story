# Tags carry other tags: an article its lists, a list the front page.
cascade cascade-article:* = ["cascade-list", "cascade-feed"]
cascade cascade-list = ["cascade-home"]
origin /article 200 max-age=600; Cache-Tag: cascade-article:7 | article
origin /list 200 max-age=600, stale-if-error=60; ETag: "1"; Cache-Tag: cascade-list | list
origin /home 200 max-age=600, stale-if-error=60; ETag: "1"; Cache-Tag: cascade-home | home
origin /other 200 max-age=600; Cache-Tag: cascade-article | other
get /article -> 200 article # miss
get /list -> 200 list # miss
get /home -> 200 home # miss
get /other -> 200 other # miss
wait 0.3
purge {"tags": ["cascade-article:7"]} -> 200
  json /hard ["tag:cascade-article:7", "tag:cascade-list", "tag:cascade-feed", "tag:cascade-home"]
  json /cascade {"cascade-article:7": ["cascade-list", "cascade-feed"], "cascade-list": ["cascade-home"]}
get /article -> 200 article # miss detail=purged
get /list -> 200 list # miss detail=purged
get /home -> 200 home # miss detail=purged
get /other -> 200 other # hit
wait 0.3
# A tag that a hard tag carries is purged hard; a tag that only soft ones carry is purged softly.
purge {"tags": ["cascade-list", {"tag": "cascade-article:8", "soft": true}]} -> 200
  json /hard ["tag:cascade-list", "tag:cascade-home"]
  json /soft ["tag:cascade-article:8", "tag:cascade-feed"]
get /list -> 200 list # miss detail=purged
get /home -> 200 home # miss detail=purged
wait 0.3
purge {"tags": ["cascade-article:8"], "soft": true} -> 200
  json /hard []
  json /soft ["tag:cascade-article:8", "tag:cascade-list", "tag:cascade-feed", "tag:cascade-home"]
get /article -> 200 article # hit
get /home -> 200 home # fwd=stale fwd-status=304
