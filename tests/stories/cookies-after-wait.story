only native
# Who waited for another one's answer, which turned out to be somebody's, has learnt so by then: a cookie goes whole at once.
origin /p slow=1 200 private | mine
start a get /p
start b get /p Cookie: my_sid=1
finish a -> 200 mine # miss detail=private
finish b -> 200 mine # fwd=bypass detail=personal !collapsed
  sent Cookie: my_sid=1
asked /p 2
# Without one of its own it asks as before.
origin /q slow=1 200 private | mine
start a get /q
start b get /q Cookie: _ga=1
finish a -> 200 mine # miss detail=private
finish b -> 200 mine # miss detail=private !collapsed
  unsent Cookie
