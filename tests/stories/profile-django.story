# The rules of profile = "django": shared pages are stored, personal ones are not.
rule profile = "django"
origin / 200 max-age=600; Vary: Cookie | front
origin /form/ 200 max-age=600; Vary: Cookie; Set-Cookie: csrftoken=abc;Path=/ | token abc
origin /withheld/ 200 max-age=600, no-cache="set-cookie"; Set-Cookie: csrftoken=abc | token abc
origin /admin/ 200 max-age=600 | panel
# Vary: Cookie means "has no session": all other requests share one page, made without a cookie.
get / Cookie: csrftoken=one;_ga=1 -> 200 front # miss stored
  unsent Cookie
wait 0.3
get / -> 200 front # hit
get / Cookie: csrftoken=two;_fbp=2;theme=dark -> 200 front # hit
asked / 1
get / Cookie: sessionid=x;csrftoken=one -> 200 front # fwd=bypass detail=cookie
  sent Cookie: sessionid=x;csrftoken=one
get / Cookie: messages=m -> 200 front # fwd=bypass detail=cookie
# The language is in the key.
get / Cookie: csrftoken=one;django_language=de -> 200 front # miss stored
  sent Cookie: django_language=de
# A page with a token is sent and never stored, also where its origin only excludes the cookie from storage.
get /form/ Cookie: csrftoken=one -> 200 token abc # miss !stored detail=csrf-token
  has Set-Cookie: csrftoken=abc;Path=/
  unsent Cookie
get /form/ -> 200 token abc # miss !stored detail=csrf-token
get /withheld/ -> 200 token abc # miss !stored detail=csrf-token
get /withheld/ -> 200 token abc # miss !stored detail=csrf-token
# Requests for paths with personal pages keep their cookies.
get /admin/ Cookie: csrftoken=one -> 200 panel # fwd=bypass detail=rule
  sent Cookie: csrftoken=one
# Files: with a digest for a year, immutable; without one by the origin's max-age
# in browsers; uploads for an hour in browsers. They are purged by their tags.
origin /static/blog.55e7cbb9ba48.css 200 | css
origin /static/blog.css 200 max-age=60 | css
origin /media/boat.png 200 | png
get /static/blog.55e7cbb9ba48.css -> 200 css # miss stored ttl=31536000
  has Cache-Control: max-age=31536000, immutable
get /static/blog.css -> 200 css # miss stored ttl=3600
  has Cache-Control: max-age=60
get /media/boat.png -> 200 png # miss stored ttl=2592000
  has Cache-Control: max-age=3600
wait 0.3
purge {"tags": ["static"]} -> 200
get /static/blog.css -> 200 css # miss
get /media/boat.png -> 200 png # hit
purge {"tags": ["media"]} -> 200
get /media/boat.png -> 200 png # miss
# A URL of the API has several formats; a search is keyed by its words and its page.
origin /api/a 200 max-age=60 | json
origin /search/?page=2&q=tide 200 max-age=60 | found
get /api/a Accept: application/json -> 200 json # miss
wait 0.3
get /api/a Accept: application/json -> 200 json # hit
get /api/a Accept: text/html -> 200 json # miss
get /search/?q=tide&from=menu&page=2 -> 200 found # miss
wait 0.3
get /search/?utm_source=x&page=2&q=tide -> 200 found # hit
