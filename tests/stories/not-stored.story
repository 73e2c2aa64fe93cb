# Personal responses, and responses without a lifetime, are not stored.
origin /cookie 200 max-age=600; Set-Cookie: id=1 | mine
origin /private 200 private, max-age=600 | mine
origin /no-store 200 no-store, max-age=600 | mine
origin /vary 200 max-age=600; Vary: * | mine
origin /silent 200 | mine
origin /auth 200 max-age=600 | mine
origin /auth-shared 200 public, max-age=600 | ours
get /cookie -> 200 mine # !stored detail=set-cookie
  has Set-Cookie: id=1
get /private -> 200 mine # !stored detail=private
get /no-store -> 200 mine # !stored detail=no-store
get /vary -> 200 mine # !stored detail=vary
get /silent -> 200 mine # !stored detail=no-freshness
get /auth Authorization: Bearer x -> 200 mine # !stored detail=authorization
  sent Authorization: Bearer x
get /auth -> 200 mine # miss stored
get /auth Authorization: Bearer y -> 200 mine # fwd=request !stored
get /auth-shared Authorization: Bearer x -> 200 ours # miss stored
wait 0.3
get /auth-shared Authorization: Bearer y -> 200 ours # hit
get /auth-shared -> 200 ours # hit
asked /auth-shared 1
