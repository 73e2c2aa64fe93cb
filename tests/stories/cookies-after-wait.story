only native
# A follower whose flight ends with a personal response sends its cookie whole at once.
origin /p slow=1 200 private | mine
start a get /p
start b get /p Cookie: my_sid=1
finish a -> 200 mine # miss detail=private
finish b -> 200 mine # fwd=bypass detail=personal !collapsed
  sent Cookie: my_sid=1
asked /p 2
# A follower without a cookie of its own fetches as before.
origin /q slow=1 200 private | mine
start a get /q
start b get /q Cookie: _ga=1
finish a -> 200 mine # miss detail=private
finish b -> 200 mine # miss detail=private !collapsed
  unsent Cookie
