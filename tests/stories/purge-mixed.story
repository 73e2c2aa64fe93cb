# One order may be hard and soft; a selector that is named both ways is purged hard.
origin /a 200 max-age=600, stale-if-error=60; ETag: "1" | a
origin /b 200 max-age=600, stale-if-error=60; ETag: "1"; Cache-Tag: mixed-b | b
origin /c 200 max-age=600, stale-if-error=60; ETag: "1"; Cache-Tag: mixed-c | c
get /a -> 200 a # miss
get /b -> 200 b # miss
get /c -> 200 c # miss
wait 0.3
purge {"files": [{"url": "https://$host/./a?utm_source=x", "soft": true}], "tags": ["mixed-b", {"tag": "mixed-c", "soft": true}]} -> 200
  json /hard ["tag:mixed-b"]
  json /soft ["url:$host/a", "tag:mixed-c"]
  json /key "default"
  json /via "webhook"
  nojson /cascade
  nojson /refresh
  nojson /fast_lane
get /a -> 200 a # fwd=stale fwd-status=304
get /b -> 200 b # miss detail=purged
get /c -> 200 c # fwd=stale fwd-status=304
wait 0.3
# Items inherit the `soft` of the order.
purge {"soft": true, "files": ["http://$host/a", "http://$host/a", {"url": "https://$host/b", "soft": false}], "tags": ["mixed-b"]} -> 200
  json /hard ["url:$host/b"]
  json /soft ["url:$host/a", "tag:mixed-b"]
get /a -> 200 a # fwd=stale fwd-status=304
get /b -> 200 b # miss detail=purged
wait 0.3
purge {"files": ["https://$host/a", {"url": "http://$host/a", "soft": true}]} -> 200
  json /hard ["url:$host/a"]
  json /soft []
get /a -> 200 a # miss detail=purged
get /c -> 200 c # hit
# Each invalid member is reported, and nothing is purged.
purge {"files": ["https://$host/c", "/c", 7], "tags": [{"tag": "mixed-c"}, {"tags": "x"}, ""], "hosts": [{"host": "$host", "soft": 1}]} -> 422
  json /errors/0/path "files[1]"
  json /errors/1/path "files[2]"
  json /errors/2/path "tags[1].tags"
  json /errors/3/path "tags[2]"
  json /errors/4/path "hosts[0].soft"
  nojson /errors/5
get /c -> 200 c # hit
asked /c 2
