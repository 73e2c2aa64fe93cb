# Django's page with a form, with a cacheable URL: a new token in one tab must not invalidate the form in another.
rule profile = "django"
origin /form/ 200 max-age=600; Vary: Cookie; Set-Cookie: csrftoken=new;Path=/ | form
get /form/ Cookie: csrftoken=one -> 200 form # miss !stored detail=csrf-token
  unsent Cookie
get /form/ Cookie: csrftoken=one;theme=dark -> 200 form # fwd=bypass detail=personal !stored
  sent Cookie: csrftoken=one;theme=dark
get /form/ Cookie: __Host-csrftoken=one -> 200 form # fwd=bypass detail=personal
get /form/ -> 200 form # miss detail=csrf-token
# A token cookie alone does not make the requests for another page whole.
origin /page/ 200 max-age=600; Vary: Cookie | page
get /page/ Cookie: csrftoken=one -> 200 page # miss stored !detail=cookie-withheld
  unsent Cookie
