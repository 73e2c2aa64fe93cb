# Pages that cannot be warmed are refused, and nothing is fetched.
key editor may = {hosts = ["$host"], tags = ["*"]}
key tagger may = {tags = ["*"], everything = true}
rule /admin/* cache = false
rule /search kv = false
origin /ok.xml 200 | <urlset><url><loc>http://warm-refused.test/a</loc></url></urlset>
origin /empty.xml 200 | <urlset><url><loc>http://elsewhere.test/a</loc></url></urlset>
origin /page 200 Content-Type: text/html | <!DOCTYPE html><html><body>page</body></html>
origin /gzip.xml 200 Content-Encoding: gzip | x
origin /moved.xml 301 Location: https://warm-refused.test/sitemap.xml
origin /cut.xml cut 200 | <urlset><url><loc>http://warm-refused.test/a</loc></url></urlset>
origin /down.xml down
post /.edgekeep/warm | {"urls": ["http://$host/a"]} -> 400
post /.edgekeep/warm Authorization: Bearer $token:nobody | {"urls": ["http://$host/a"]} -> 401
get /.edgekeep/warm Authorization: Bearer $token -> 405
  has Allow: POST
post /.edgekeep/warm Authorization: Bearer $token | {} -> 422
  has Content-Type: application/problem+json
  json /title "Empty order"
post /.edgekeep/warm Authorization: Bearer $token | urls -> 400
post /.edgekeep/warm Authorization: Bearer $token | {"files": []} -> 422
  json /title "Not an order to warm"
post /.edgekeep/warm Authorization: Bearer $token | {"urls": ["/a", "http://$host/a"], "limit": 0} -> 422
  json /errors/0/path "urls[0]"
  json /errors/1/path "limit"
post /.edgekeep/warm Authorization: Bearer $token:editor | {"urls": ["http://elsewhere.test/"], "sitemaps": ["http://$host/ok.xml", "http://elsewhere.test/s.xml"]} -> 403
  json /errors/0/path "urls[0]"
  json /errors/1/path "sitemaps[1]"
  nojson /errors/2
post /.edgekeep/warm Authorization: Bearer $token:tagger | {"urls": ["http://$host/a"]} -> 403
post /.edgekeep/warm Authorization: Bearer $token | {"urls": ["http://$host/admin/a", "http://$host/search", "http://$host/.edgekeep/warm", "http://$host/a"]} -> 422
  json /errors/0/path "urls[0]"
  json /errors/0/detail "it is not cached: rule"
  json /errors/1/detail "its rule says kv = false"
  json /errors/2/detail "it is an address of Edgekeep's own"
  nojson /errors/3
asked /ok.xml 0
post /.edgekeep/warm Authorization: Bearer $token | {"sitemaps": ["http://$host/ok.xml", "http://$host/none.xml", "http://$host/down.xml", "http://$host/page", "http://$host/gzip.xml", "http://$host/moved.xml", "http://$host/cut.xml"]} -> 502
  json /errors/0/path "sitemaps[1]"
  json /errors/0/detail "origin: status 404"
  json /errors/1/detail "the origin gave no answer"
  json /errors/2/detail "it is no sitemap: it begins with <html>"
  json /errors/3/detail "the origin sends it as gzip though identity is asked for; name one that is served plain"
  json /errors/4/detail "origin: status 301 to https://warm-refused.test/sitemap.xml"
  json /errors/5/detail "its body broke off"
  nojson /errors/6
post /.edgekeep/warm Authorization: Bearer $token | {"sitemaps": ["http://$host/empty.xml"]} -> 422
  json /title "Nothing to warm"
# A dry run reports all of it at once.
post /.edgekeep/warm Authorization: Bearer $token:editor | {"urls": ["/a", "http://elsewhere.test/", "http://$host/search", "http://$host/b"], "sitemaps": ["http://$host/none.xml"], "dry_run": true} -> 200
  json /pages 1
  json /refused/0/path "urls[0]"
  json /refused/1/path "urls[1]"
  json /refused/2/path "urls[2]"
  json /refused/3/path "sitemaps[0]"
wait 0.5
asked /a 0
