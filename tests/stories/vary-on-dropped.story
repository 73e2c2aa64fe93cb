# An answer varies on a field that did not reach the origin: all get what was made without it, and that is said.
origin /rsc 200 max-age=60; Vary: RSC, Next-Router-State-Tree, Accept-Encoding | html
get /rsc RSC: 1 -> 200 html # miss stored detail=vary-on-dropped
  unsent RSC
wait 0.3
get /rsc RSC: 1 -> 200 html # hit
# Where the rule keys it, or lets it through, all is right.
rule /keyed* key_headers = ["rsc"]
rule /let* forward_headers = ["rsc", "x-inertia"]
rule /all* forward_headers = ["*"]
origin /keyed 200 max-age=60; Vary: rsc | html
origin /let 200 max-age=60; Vary: X-Inertia, RSC | html
origin /all 200 max-age=60; Vary: HX-Request | html
get /keyed RSC: 1 -> 200 html # miss stored !detail=vary-on-dropped
  sent RSC: 1
get /let X-Inertia: true -> 200 html # miss stored !detail=vary-on-dropped
get /all HX-Request: true -> 200 html # miss stored !detail=vary-on-dropped
# Each of the kind; also where nothing is stored, and for an answer that is confirmed.
origin /htmx 200 max-age=60; Vary: hx-request | html
origin /turbo 200 private; Vary: Turbo-Frame | html
origin /ua 200 max-age=60; Vary: User-Agent | html
get /htmx -> 200 html # miss stored detail=vary-on-dropped
get /turbo -> 200 html # miss !stored detail=vary-on-dropped
get /ua -> 200 html # miss stored detail=vary-on-dropped
# What reaches the origin by itself.
origin /negotiated 200 max-age=60; Vary: Accept, Accept-Language, Accept-Encoding, Origin, Cookie, Authorization, X-Forwarded-Proto | html
get /negotiated -> 200 html # miss stored !detail=vary-on-dropped
origin /any 200 max-age=60; Vary: * | html
get /any -> 200 html # miss detail=vary !detail=vary-on-dropped
