# A response varies on a field that the origin did not receive: all clients share the page made without it, and Cache-Status notes it.
origin /rsc 200 max-age=60; Vary: RSC, Next-Router-State-Tree, Accept-Encoding | html
get /rsc RSC: 1 -> 200 html # miss stored detail=vary-on-dropped
  unsent RSC
wait 0.3
get /rsc RSC: 1 -> 200 html # hit
# If the rule keys or forwards the field, there is no note.
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
# Each field of that kind; also if nothing is stored, and for a revalidated response.
origin /htmx 200 max-age=60; Vary: hx-request | html
origin /turbo 200 private; Vary: Turbo-Frame | html
origin /ua 200 max-age=60; Vary: User-Agent | html
get /htmx -> 200 html # miss stored detail=vary-on-dropped
get /turbo -> 200 html # miss !stored detail=vary-on-dropped
get /ua -> 200 html # miss stored detail=vary-on-dropped
# Fields that reach the origin by default.
origin /negotiated 200 max-age=60; Vary: Accept, Accept-Language, Accept-Encoding, Origin, Cookie, Authorization, X-Forwarded-Proto | html
get /negotiated -> 200 html # miss stored !detail=vary-on-dropped
origin /any 200 max-age=60; Vary: * | html
get /any -> 200 html # miss detail=vary !detail=vary-on-dropped
