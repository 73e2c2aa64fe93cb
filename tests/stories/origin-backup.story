# A backup origin responds if the first origin fails.
setting protection.breaker_failures = 9
setting protection.breaker_pause = 60
rule retries = 0
backup /a?x=1 200 max-age=60; Cache-Tag: a | spare
origin /a?x=1 down
get /a?x=1 -> 200 spare # miss fwd-status=200 stored detail=backup
  sent X-Forwarded-Host: origin-backup.test
  sent X-Forwarded-Proto: http
asked /a?x=1 1
# The response is stored under the same key, and purged with it.
get /a?x=1 -> 200 spare # hit !detail=backup
purge {"tags": ["a"]} -> 200
origin /a?x=1 200 max-age=60 | main
get /a?x=1 -> 200 main # miss detail=purged !detail=backup
asked backup /a?x=1 1

# Each kind of failure counts, but not an error of the page itself.
backup /b 200 | spare
origin /b 503 | sorry
get /b -> 200 spare # detail=backup
origin /r 503 Retry-After: 30 | later
backup /r 200 | spare
get /r -> 200 spare # detail=backup
get /r -> 200 spare # detail=retry-after detail=backup
asked /r 1
origin /b hang
get /b -> 200 spare # detail=backup
origin /b 500 | oops
get /b -> 500 oops # !detail=backup
origin /b 503 | sorry
get /b Cookie: sessionid=x -> 200 spare # fwd=bypass detail=backup

# If the backup fails, too, the first origin's own response is used.
origin /c 503 | sorry
backup /c down
get /c -> 503 sorry # detail=backup
asked backup /c 1
origin /old 200 max-age=1 | old
get /old -> 200 old
wait 2.2
origin /old down
backup /old down
get /old -> 200 old # detail=stale-if-error detail=backup

# An unsafe request is not sent twice.
origin /form 503 | sorry
backup /form 200 | spare
post /form | a=1 -> 503 sorry # !detail=backup
origin /form down
post /form | a=1 -> 502 # !detail=backup
delete /form -> 502
asked backup /form 0
get /b -> 200 spare # detail=backup

# An unsafe request that was not sent to the first origin goes to the backup.
origin /form 200 | main
origin /b 503 | sorry
get /b -> 200 spare # detail=backup
get /b -> 200 spare # detail=backup
get /b -> 200 spare # detail=backup
get /b -> 200 spare # detail=circuit-open detail=backup
post /form | a=1 -> 200 spare # fwd=method detail=circuit-open detail=backup
asked /form 3
asked backup /form 1
