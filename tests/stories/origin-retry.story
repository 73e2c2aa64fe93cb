# A safe request that fails at once is retried.
setting protection.retry_budget = 10
rule /once/* retries = 0
rule /twice/* retries = 2
origin /a 200 max-age=60 | page
origin /a next=1 down
get /a -> 200 page # miss fwd-status=200 stored detail=retried
asked /a 2
get /a -> 200 page # hit !detail=retried
origin /b 200 max-age=60 | page
origin /b next=1 503 | sorry
get /b -> 200 page # miss stored detail=retried
asked /b 2

# No retry after an error of the page, a Retry-After or a timeout: a retry would fail again, or add load.
origin /broken 500 | oops
get /broken -> 500 oops # !detail=retried
asked /broken 1
origin /rest 503 Retry-After: 30 | later
get /rest -> 503 later # !detail=retried
  has Retry-After: 30
asked /rest 1
origin /slow hang
get /slow -> 504 # !detail=retried
asked /slow 1

# No retry where the rule forbids it, nor of an unsafe request.
origin /once/a 502 | sorry
get /once/a -> 502 sorry # !detail=retried
asked /once/a 1
origin /form 503 | sorry
post /form | a=1 -> 503 sorry # fwd=method !detail=retried
post /form -> 503 sorry
delete /form -> 503 sorry
asked /form 3
# A request that goes whole is retried, too.
origin /form next=1 down
origin /form 200 | form
get /form Cookie: sessionid=x -> 200 form # fwd=bypass detail=cookie detail=retried
asked /form 5

# The budget: three at first, and a tenth of the requests. Earlier requests have used three and earned one.
origin /twice/a down
get /twice/a -> 502 # detail=retried
asked /twice/a 2
get /twice/a -> 502 # !detail=retried
asked /twice/a 3
