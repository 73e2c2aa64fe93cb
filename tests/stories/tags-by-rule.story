# Tags of a rule purge like the origin's own, and are not sent to clients.
rule /static/* tags = ["static-tags-by-rule"]
origin /static/a 200 max-age=600; Cache-Tag: own-tags-by-rule | a
origin /b 200 max-age=600 | b
get /static/a -> 200 a # miss stored
  lacks Cache-Tag
get /b -> 200 b # miss stored
wait 0.3
purge {"tags": ["static-tags-by-rule"]} -> 200
get /static/a -> 200 a # miss detail=purged
wait 0.3
purge {"tags": ["own-tags-by-rule"]} -> 200
get /static/a -> 200 a # miss detail=purged
get /b -> 200 b # hit
