# `refresh` is for soft files; the receipt counts them.
origin /a 200 max-age=600 | a
purge {"files": ["https://$host/a"], "refresh": true} -> 422
  json /errors/0/path "refresh"
purge {"tags": ["refresh-a"], "soft": true, "refresh": true} -> 422
purge {"soft": true, "refresh": true, "files": ["https://$host/./a?utm_source=x", "http://$host/a"], "dry_run": true} -> 200
  json /refresh ["https://$host/a", "http://$host/a"]
  json /soft ["url:$host/a"]
purge {"soft": true, "refresh": true, "files": ["http://$host/a"]} -> 200
  json /refresh/pending 1
  json /refresh/done 0
  json /refresh/failed 0
