# Orders without valid proof or of invalid shape have no effect.
origin /a 200 max-age=600; Cache-Tag: safe | page
get /a -> 200 page # miss
wait 0.3
purge forged {"tags": ["safe"]} -> 401
  has Content-Type: application/problem+json
purge late {"tags": ["safe"]} -> 401
purge early {"tags": ["safe"]} -> 401
purge unsigned {"tags": ["safe"]} -> 400
purge {"tags": ["safe"], "files": ["not a url"]} -> 422
purge {"tags": ["two words"]} -> 422
purge {"tag": ["safe"]} -> 422
purge {"tags": "safe"} -> 422
purge {} -> 422
purge {"tags": ["safe" -> 400
get /.edgekeep/purge -> 405
  has Allow: POST
get /.edgekeep/other -> 404
get /a -> 200 page # hit
# The same order with the same id: the same receipt, and no second purge.
purge id=one {"tags": ["safe"]} -> 200
get /a -> 200 page # miss
wait 0.3
purge id=one {"tags": ["safe"]} -> 200 # same
get /a -> 200 page # hit
purge id=two {"tags": ["safe"]} -> 200 # new
get /a -> 200 page # miss
# The same id for another order.
purge id=two {"tags": ["other"]} -> 409
