# With `collapse = "off"` each request fetches for itself.
rule origin_timeout = 15
rule collapse = "off"
origin /a slow=3 200 max-age=60 | one
start first get /a
start second get /a
finish first -> 200 one # miss !collapsed
finish second -> 200 one # miss !collapsed
asked /a 2
