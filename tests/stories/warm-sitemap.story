# Pages from a sitemap: the latest changes first; other hosts and pages that are not cached are skipped and counted.
rule /admin/* cache = false
origin /sitemap.xml 200 no-store; Content-Type: application/xml | <urlset><url><loc>http://warm-sitemap.test/old</loc><lastmod>2025-01-01</lastmod></url><url><loc>http://warm-sitemap.test/undated</loc></url><url><loc>http://warm-sitemap.test/new?a=1&amp;b=2</loc><lastmod>2026-01-01</lastmod></url><url><loc>http://elsewhere.test/</loc></url><url><loc>http://warm-sitemap.test/admin/x</loc></url><url><loc>mailto:me</loc></url></urlset>
origin /more.txt 200 Content-Type: text/plain | http://warm-sitemap.test/text
origin /index.xml 200 | <sitemapindex><sitemap><loc>http://warm-sitemap.test/sitemap.xml</loc></sitemap><sitemap><loc>http://elsewhere.test/s.xml</loc></sitemap><sitemap><loc>http://warm-sitemap.test/more.txt</loc></sitemap><sitemap><loc>http://warm-sitemap.test/gone.xml</loc></sitemap><sitemap><loc>http://warm-sitemap.test/index.xml</loc></sitemap></sitemapindex>
post /.edgekeep/warm Authorization: Bearer $token | {"sitemaps": ["http://$host/sitemap.xml"], "dry_run": true} -> 200
  json /pages 3
  json /refresh ["http://$host/new?a=1&b=2", "http://$host/old", "http://$host/undated"]
  json /skipped {"other_host": 1, "not_a_url": 1, "not_kept": 1}
  sent Accept-Encoding: identity
asked /sitemap.xml 1
post /.edgekeep/warm Authorization: Bearer $token | {"urls": ["http://$host/first"], "sitemaps": ["http://$host/sitemap.xml"], "limit": 2, "dry_run": true} -> 200
  json /refresh ["http://$host/first", "http://$host/new?a=1&b=2"]
  json /skipped/beyond_limit 5
# One level of sitemaps; those that cannot be read are left out and reported.
post /.edgekeep/warm Authorization: Bearer $token | {"sitemaps": ["http://$host/index.xml"], "dry_run": true} -> 200
  json /pages 4
  json /refresh/3 "http://$host/text"
  json /skipped/sitemaps 3
  json /refused/0/path "sitemaps[0]"
  json /refused/0/detail "http://$host/gone.xml: origin: status 404"
  json /refused/1/detail "http://$host/index.xml: it is an index within an index"
  nojson /refused/2
post /.edgekeep/warm Authorization: Bearer $token; webhook-id: $id:one | {"sitemaps": ["http://$host/index.xml"]} -> 200
  json /refresh/pending 4
asked /more.txt 2
# A repeated order has its receipt, even if the sitemap cannot be read again.
origin /index.xml down
post /.edgekeep/warm Authorization: Bearer $token; webhook-id: $id:one | {"sitemaps": ["http://$host/index.xml"]} -> 200
  json /id "$id:one"
  json /refresh/pending 4
asked /more.txt 2
