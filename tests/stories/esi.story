# Pages made of fragments: a rule allows it, and the origin marks the body.
rule /plain* esi = false
rule /mine* bypass_cookies = ["sid"]
rule /mine* esi = true
rule /half* browser_ttl = 30
rule /half* esi = true
rule esi = true

origin /page 200 max-age=60; ETag: "p1"; Cache-Tag: page; Content-Type: text/html; Surrogate-Control: content="ESI/1.0"; Vary: Accept-Language | a <esi:include src="/one"/> b<esi:remove> no</esi:remove><esi:comment text="x"/><!--esi  c-->
origin /one 200 max-age=60; Cache-Tag: one | 1
get /page Accept-Encoding: gzip, br -> 200 a 1 b  c # miss stored detail=esi
  has Cache-Control: private, no-cache
  has Vary: Accept-Language
  has Content-Type: text/html
  lacks ETag
  lacks Surrogate-Control
  lacks Content-Length
  lacks Age
  sent Surrogate-Capability: edgekeep="ESI/1.0"
  sent Accept-Encoding: identity
wait 0.3
get /page -> 200 a 1 b  c # hit detail=esi
asked /page 1
asked /one 1

# Page and fragments are purged separately: the page is stored unassembled.
origin /one 200 max-age=60; Cache-Tag: one | 2
purge {"tags": ["one"]} -> 200
get /page -> 200 a 2 b  c # hit
asked /page 1
asked /one 2
origin /page 200 max-age=60; ETag: "p2"; Cache-Tag: page; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | A <esi:include src="/one"/>
purge {"tags": ["page"]} -> 200
get /page -> 200 A 2 # miss
asked /page 2
asked /one 2
wait 0.3

# A fragment is a page with its own URL, too.
get /one -> 200 2 # hit !detail=esi
  has Cache-Control: max-age=60

# HEAD, conditions and ranges: the assembled page has no validator, no length and no ranges.
head /page -> 200 - # hit detail=esi
  has Cache-Control: private, no-cache
  lacks ETag
  lacks Content-Length
get /page If-None-Match: "p2" -> 200 A 2 # hit
get /page If-None-Match: * -> 200 A 2 # hit
get /page Range: bytes=0-1 -> 200 A 2 # hit
  lacks Content-Range
get /never Range: bytes=0-1 -> 404
  unsent Range

# A body that is not marked is sent unchanged, whatever text of users it contains.
origin /text 200 max-age=60; Content-Type: text/html | <esi:include src="/one"/><!--esi x-->
get /text Accept-Encoding: gzip, br -> 200 <esi:include src="/one"/><!--esi x--> # miss !detail=esi
  sent Accept-Encoding: identity
  has Cache-Control: max-age=60
origin /json 200 max-age=60; Content-Type: application/json; Surrogate-Control: content="ESI/1.0" | "<esi:include src='/one'/>"
get /json -> 200 "<esi:include src='/one'/>" # miss !detail=esi
  lacks Surrogate-Control
origin /other 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0";other | <esi:include src="/one"/>
get /other -> 200 <esi:include src="/one"/> # miss !detail=esi
# A fragment that is not marked is included unchanged, too.
origin /quoting 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | <esi:include src="/text"/>
get /quoting -> 200 <esi:include src="/one"/><!--esi x--> # miss detail=esi
# A page for which no rule allows ESI is sent unchanged, too.
origin /plain 200 max-age=60; ETag: "e"; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | <esi:include src="/one"/>
get /plain -> 200 <esi:include src="/one"/> # miss !detail=esi
  has ETag: "e"
  lacks Surrogate-Control
  unsent Surrogate-Capability
origin /plain/other 200 max-age=60; Surrogate-Control: max-age=1 | for others
get /plain/other -> 200 for others
  has Surrogate-Control: max-age=1
get /plain Cookie: sessionid=1; Surrogate-Capability: x="ESI/1.0" -> 200 <esi:include src="/one"/> # fwd=bypass
  unsent Surrogate-Capability
origin /holds-plain 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | <esi:include src="/plain"/>
get /holds-plain -> 200 <esi:include src="/one"/> # miss detail=esi

# Nested fragments, relative to the URL of their parent, three levels deep.
origin /deep/0 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | 0 <esi:include src="a/1"/> end
origin /deep/a/1 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | 1 <esi:include src="2"/> end
origin /deep/a/2 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | 2 <esi:include src="../3?a=1&amp;b=2"/> end
origin /deep/3?a=1&b=2 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | 3 <esi:include src="/one" alt="/one"/> end
get /deep/0 -> 200 0 1 2 3  end end end end

# A fragment that includes itself ends at that level, too.
origin /self 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | (<esi:include src="/self"/>)
get /self -> 200 (((())))

# A fragment that fails is replaced by `alt`, or by nothing. The rest of the page is sent.
origin /bad 500 no-store | oops
origin /torn cut 200 max-age=60 | abcdefghijkl
origin /moved 302 max-age=60; Location: /one | go
origin /dead down
origin /fails 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | <esi:include src="/bad" alt="/one"/> <esi:include src="/bad" onerror="continue"/>. <esi:include src="/bad"/>. <esi:include src="/torn"/>. <esi:include src="/moved"/>. <esi:include src="/dead" alt="/bad"/>. end
get /fails -> 200 2 . . . . . end # miss detail=esi

# Only paths of this host are included.
origin /away 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | <esi:include src="http://elsewhere.test/one"/><esi:include src="//elsewhere.test/one"/><esi:include src="ftp://$host/one"/><esi:include src="/.edgekeep/purges"/><esi:include src="/x/%2e%2e/.edgekeep/purges"/><esi:include src=""/><esi:include/><esi:include src="/on e"/><esi:include src="javascript:one"/>. <esi:include src="http://esi.test/one"/>
get /away -> 200 . 2
asked /one 2

# Edgekeep's own addresses are not included either, even with a token that may read them.
origin /receipts 200 public, max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | (<esi:include src="/.edgekeep/purges"/>)
get /.edgekeep/purges?limit=1 Authorization: Bearer $token -> 200
get /receipts Authorization: Bearer $token -> 200 () # detail=esi

# Sessions: a fragment follows its own rule, with the client's cookies.
origin /home 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | Hello <esi:include src="/mine"/>
origin /mine 200 max-age=60 | stranger
get /home -> 200 Hello stranger # miss
wait 0.3
get /home -> 200 Hello stranger # hit
asked /mine 1
origin /mine 200 private; Set-Cookie: seen=1 | Ada
get /home Cookie: sid=ada -> 200 Hello Ada # hit
  has Cache-Control: private, no-cache
  lacks Set-Cookie
  sent Cookie: sid=ada
  unsent If-None-Match
origin /mine 200 private | Bob
get /home Cookie: sid=bob -> 200 Hello Bob # hit
  sent Cookie: sid=bob
get /home -> 200 Hello stranger # hit
asked /home 1
asked /mine 3

# A page that bypasses the cache is assembled, too.
origin /mine/page 200 private, no-store; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | Yours, <esi:include src="/one"/>
get /mine/page Cookie: sid=ada; If-None-Match: "x"; Surrogate-Capability: y="ESI/1.0" -> 200 Yours, 2 # detail=esi fwd=bypass
  has Cache-Control: private, no-store
  sent Surrogate-Capability: edgekeep="ESI/1.0"
  unsent If-None-Match

# The rule's browser TTL applies to an assembled page, which stays private.
origin /half 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0"; CDN-Cache-Control: max-age=90 | half <esi:include src="/one"/>
get /half -> 200 half 2
  has Cache-Control: private, max-age=30
  lacks CDN-Cache-Control

# A 304 renews the page, with or without the mark.
origin /again 200 max-age=1; ETag: "x"; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | again <esi:include src="/one"/>
get /again -> 200 again 2
wait 2.2
get /again -> 200 again 2 # fwd=stale fwd-status=304 detail=esi
  lacks ETag
wait 0.3
get /again -> 200 again 2 # detail=esi

# A page whose body cannot be decoded gives 502.
origin /coded 200 max-age=60; Content-Type: text/html; Content-Encoding: br; Surrogate-Control: content="ESI/1.0" | xyz
get /coded -> 502 # detail=coded detail=esi !stored

# At most 32 fragments.
origin /many 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | <esi:include src="/row"/><esi:include src="/row"/><esi:include src="/row"/><esi:include src="/row"/>.
origin /row 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | <esi:include src="/one"/><esi:include src="/one"/><esi:include src="/one"/><esi:include src="/one"/><esi:include src="/one"/><esi:include src="/one"/><esi:include src="/one"/><esi:include src="/one"/>-
get /many -> 200 22222222-22222222-22222222-2222-.
  lacks ETag
head /coded -> 502 # detail=esi
# The same for a body that is declared as gzip, and is not.
origin /lie 200 max-age=60; Content-Type: text/html; Content-Encoding: gzip; Surrogate-Control: content="ESI/1.0" | a<esi:include src="/one"/>
get /lie -> 502 # detail=coded detail=esi !stored
origin /lie 200 max-age=60; Content-Type: text/html; Content-Encoding: x-gzip; Surrogate-Control: content="ESI/1.0" | a
get /lie -> 502 # detail=coded detail=esi !stored
origin /lie 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | a<esi:include src="/one"/>
get /lie -> 200 a2 # miss stored
# A stale copy is served instead, and is kept.
origin /held 200 max-age=1, stale-if-error=600; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | good<esi:include src="/one"/>
get /held -> 200 good2 # miss stored
wait 2.2
origin /held 200 max-age=60; Content-Type: text/html; Content-Encoding: gzip; Surrogate-Control: content="ESI/1.0" | bad
get /held -> 200 good2 # detail=stale-if-error
origin /held 200 max-age=60; Content-Type: text/html; Content-Encoding: br; Surrogate-Control: content="ESI/1.0" | bad
get /held -> 200 good2 # detail=stale-if-error
origin /held down
get /held -> 200 good2 # detail=stale-if-error
# Character references, as templates write them, and values without quotes.
origin /refs 200 max-age=60; Content-Type: text/html; Surrogate-Control: content="ESI/1.0" | <esi:include src="/q?a=1&#038;b=2"/><esi:include src=/q?a=1&#x26;b=2 onerror=continue />
origin /q?a=1&b=2 200 max-age=60; Content-Type: text/html | q
get /refs -> 200 qq # miss detail=esi
