# A purge applies in other isolates within max_purge_lag (1 second here).
origin /a 200 max-age=600; Cache-Tag: far | old
get /a -> 200 old # miss
wait 0.3
at b
get /a -> 200 old # hit
at a
origin /a 200 max-age=600; Cache-Tag: far | new
purge {"tags": ["far"]} -> 200
get /a -> 200 new # miss detail=purged
wait 1.1
at b
get /a -> 200 new # hit
origin /a 200 max-age=600; Cache-Tag: far | newer
at a
purge {"files": ["http://$host/a"]} -> 200
at b
wait 1.1
get /a -> 200 newer # miss
asked /a 3
