//! Shows what each profile makes of its framework's requests and answers: the
//! heads are those of its documentation or source, in the comments.

mod given;

use edgekeep::cache::answer::{Next, settle};
use edgekeep::cache::profile::PROFILES;
use edgekeep::cache::request::{Lookup, Plan, classify};
use edgekeep::cache::rules::Rules;
use edgekeep::cache::withheld::vary_of;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use given::{exchange, head};
use serde_json::json;

fn plan(profile: &str, request: &str) -> Plan {
    let settings = json!({ "profile": profile });
    let rules = Rules::read_json(&settings.to_string()).expect(profile);
    let mut parts = request.split(" | ");
    let path = parts.next().unwrap_or_default();
    let line = |line: &str| {
        let (name, value) = line.split_once(": ").expect("name: value");
        (name.to_owned(), value.to_owned())
    };
    let request = RequestHead {
        method: Method::named("GET"),
        url: Url::parse(&format!("https://www.example.com{path}")).expect(path),
        fields: parts.map(line).collect(),
    };
    classify(&rules, &request)
}

#[track_caller]
fn lookup(profile: &str, request: &str) -> Lookup {
    match plan(profile, request) {
        Plan::Lookup(lookup) => *lookup,
        other => panic!("{profile} {request}: {other:?}"),
    }
}

/// Requests that go to the origin whole.
#[track_caller]
fn whole(profile: &str, requests: &[&str]) {
    for request in requests {
        let found = plan(profile, request);
        assert!(matches!(found, Plan::Bypass(..)), "{profile} {request}");
    }
}

/// An answer to `PATH[ | Name: value]…`: `stored N` for how many seconds, or
/// why it is not; and the fields of its `Vary` that the origin does not get.
#[track_caller]
fn check(profile: &str, request: &str, answer: &str, expected: &str) {
    let lookup = lookup(profile, request);
    let answer = head(answer);
    let mut found = match settle(&exchange(&lookup, None, false), Ok(&answer)) {
        Next::Store(entry) => {
            assert!(!entry.fields.has("set-cookie"), "{profile} {request}");
            format!("stored {}", entry.terms.lifetime)
        }
        Next::Forward(reason) => reason.word().to_owned(),
        other => panic!("{profile} {request}: {other:?}"),
    };
    for name in vary_of(&lookup.rule, &answer.fields) {
        found = format!("{found} dropped:{name}");
    }
    assert_eq!(found, expected, "{profile} {request}");
}

/// Whether two requests are for one entry.
#[track_caller]
fn same(profile: &str, one: &str, other: &str, is_same: bool) {
    let key = |request: &str| lookup(profile, request).key.text.clone();
    assert_eq!(key(one) == key(other), is_same, "{profile}: {one}; {other}");
}

/// Whether the origin gets a request's field.
#[track_caller]
fn sent(profile: &str, request: &str, name: &str, value: Option<&str>) {
    let lookup = lookup(profile, request);
    let found = lookup.origin().fields.get(name);
    assert_eq!(found, value, "{profile} {request}");
}

#[test]
fn wordpress() {
    // wp_get_nocache_headers(); anonymous pages carry no such field at all.
    let nocache = "200 | expires: Wed, 11 Jan 1984 05:00:00 GMT \
        | cache-control: no-cache, must-revalidate, max-age=0, no-store, private";
    let page = "200 | content-type: text/html; charset=UTF-8 | vary: Accept-Encoding, Cookie";
    check("wordpress", "/2026/11/hello/", page, "stored 600");
    check("wordpress", "/2026/11/hello/", nocache, "no-store");
    check(
        "wordpress",
        "/feed/",
        "200 | last-modified: $-9000 | etag: \"1\"",
        "stored 600",
    );
    check(
        "wordpress",
        "/wp-json/wp/v2/posts",
        "200 | allow: GET",
        "stored 60",
    );
    let upload = "200 | last-modified: $-9000 | etag: \"1\"";
    check(
        "wordpress",
        "/wp-content/uploads/2026/11/a.jpg",
        upload,
        "stored 2592000",
    );
    check(
        "wordpress",
        "/blog/wp-includes/js/a.js?ver=6.1",
        upload,
        "stored 3600",
    );
    // WooCommerce's session of a visitor who has put something into the cart.
    let cart =
        "200 | set-cookie: wp_woocommerce_session_1=x | set-cookie: woocommerce_items_in_cart=1";
    check("wordpress", "/shop/", cart, "set-cookie");
    let hello = "/2026/11/hello/ | cookie: ";
    for cookie in [
        "wordpress_logged_in_1=x",
        "wp-postpass_1=x",
        "wp-resetpass-1=x",
        "comment_author_1=x",
        "wp_woocommerce_session_1=x",
        "woocommerce_items_in_cart=1",
    ] {
        whole("wordpress", &[&format!("{hello}{cookie}")]);
    }
    // Analytics, order attribution and PixelYourSite have `session` in names.
    sent(
        "wordpress",
        &format!("{hello}sbjs_session=x; pys_start_session=true"),
        "cookie",
        None,
    );
    whole(
        "wordpress",
        &[
            "/wp-admin/",
            "/wp-login.php?action=rp",
            "/cart/",
            "/de/checkout/",
            "/my-account/orders/",
        ],
    );
    // A nonce is its reader's.
    same(
        "wordpress",
        "/wp-json/a",
        "/wp-json/a | x-wp-nonce: 1",
        false,
    );
    same("wordpress", "/a/", "/a/ | x-wp-nonce: 1", true);
}

#[test]
fn drupal() {
    // FinishResponseSubscriber, with page caching for 15 minutes, and for who
    // has a session.
    let page = "200 | cache-control: max-age=900, public | etag: \"1\" | vary: Cookie \
        | x-drupal-cache: MISS | expires: Sun, 19 Nov 1978 05:00:00 GMT | last-modified: $0";
    let own = "200 | cache-control: must-revalidate, no-cache, private | vary: Cookie \
        | expires: Sun, 19 Nov 1978 05:00:00 GMT";
    check("drupal", "/node/1", page, "stored 900");
    check("drupal", "/node/1", own, "private");
    let file = "200 | etag: \"1\"";
    check(
        "drupal",
        "/sites/default/files/css/css_abc.css?delta=0",
        file,
        "stored 2592000",
    );
    check(
        "drupal",
        "/sites/default/files/2026-11/a.jpg",
        file,
        "stored 2592000",
    );
    check("drupal", "/core/misc/drupal.js?v=10.1", file, "stored 3600");
    whole(
        "drupal",
        &[
            "/admin/content",
            "/de/user/login",
            "/cron/x",
            "/system/files/a.pdf",
        ],
    );
    whole(
        "drupal",
        &[
            "/node/1 | cookie: SSESS0123=x",
            "/node/1 | cookie: SESS0123=x",
        ],
    );
    sent("drupal", "/node/1 | cookie: has_js=1", "cookie", None);
}

#[test]
fn mediawiki() {
    // OutputPage::sendCacheControl with $wgUseCdn and $wgCdnMaxAge, without it,
    // and for who has signed in.
    let page = "200 | cache-control: s-maxage=18000, must-revalidate, max-age=0 \
        | vary: Accept-Encoding, Cookie, Authorization | last-modified: $-9000";
    let without = "200 | cache-control: private, must-revalidate, max-age=0 \
        | vary: Accept-Encoding, Cookie";
    check("mediawiki", "/wiki/Main_Page", page, "stored 18000");
    check("mediawiki", "/wiki/Main_Page", without, "private");
    check(
        "mediawiki",
        "/w/images/a/ab/Boat.png",
        "200 | etag: \"1\"",
        "stored 86400",
    );
    let login = "200 | cache-control: private, must-revalidate, max-age=0 \
        | set-cookie: mw_session=x; HttpOnly";
    check(
        "mediawiki",
        "/w/index.php?title=Special:UserLogin",
        login,
        "private",
    );
    for cookie in [
        "mw_session",
        "mwUserID",
        "mwUserName",
        "mwToken",
        "UseCDNCache",
        "mwPostEditRevision7",
    ] {
        whole(
            "mediawiki",
            &[&format!("/wiki/Main_Page | cookie: {cookie}=1")],
        );
    }
    let mobile = "/wiki/A | cookie: mf_useformat=true; mwuser-sessionId=1";
    sent("mediawiki", mobile, "cookie", Some("mf_useformat=true"));
    same("mediawiki", "/wiki/A", mobile, false);
}

#[test]
fn rails() {
    // The default of ActionDispatch, of `expires_in 5.minutes, public: true`,
    // and of Active Storage.
    let page = "200 | cache-control: max-age=0, private, must-revalidate | etag: W/\"1\"";
    check("rails", "/articles", page, "private");
    let public = "200 | cache-control: max-age=300, public | etag: W/\"1\" | vary: Accept";
    check("rails", "/articles", public, "stored 300");
    let with_token =
        "200 | cache-control: max-age=300, public | set-cookie: _shop_session=x; HttpOnly";
    check("rails", "/articles", with_token, "set-cookie");
    check(
        "rails",
        "/assets/application-0123abcd.css",
        "200",
        "stored 31536000",
    );
    same("rails", "/articles", "/articles | turbo-frame: list", false);
    sent(
        "rails",
        "/articles | turbo-frame: list",
        "turbo-frame",
        Some("list"),
    );
    same(
        "rails",
        "/assets/a.css",
        "/assets/a.css | turbo-frame: list",
        true,
    );
    for cookie in [
        "_shop_session",
        "shop_session",
        "session_id",
        "remember_user_token",
        "_session_id",
    ] {
        whole("rails", &[&format!("/articles | cookie: {cookie}=1")]);
    }
    whole(
        "rails",
        &[
            "/users/sign_in",
            "/admin/x",
            "/session/new",
            "/passwords/new",
            "/up",
        ],
    );
}

#[test]
fn laravel() {
    // Symfony's default for a response without a lifetime, with the cookies of
    // the `web` middleware; and its `cache.headers:public;max_age=300;etag`.
    let web = "200 | cache-control: no-cache, private | set-cookie: XSRF-TOKEN=x; path=/ \
        | set-cookie: laravel-session=y; httponly";
    check("laravel", "/posts", web, "csrf-token");
    check(
        "laravel",
        "/posts",
        "200 | cache-control: no-cache, private",
        "private",
    );
    let public = "200 | cache-control: max-age=300, public | etag: \"1\"";
    check("laravel", "/posts", public, "stored 300");
    let both = "200 | cache-control: max-age=300, public | set-cookie: XSRF-TOKEN=x";
    check("laravel", "/posts", both, "csrf-token");
    check(
        "laravel",
        "/build/assets/app-4ed993c7.js",
        "200",
        "stored 31536000",
    );
    check(
        "laravel",
        "/storage/a.jpg",
        "200 | etag: \"1\"",
        "stored 2592000",
    );
    for cookie in [
        "laravel_session",
        "laravel-session",
        "my_shop_session",
        "remember_web_59ba",
    ] {
        whole("laravel", &[&format!("/posts | cookie: {cookie}=1")]);
    }
    sent("laravel", "/posts | cookie: XSRF-TOKEN=x", "cookie", None);
    whole(
        "laravel",
        &[
            "/login",
            "/admin/login",
            "/reset-password/x",
            "/sanctum/csrf-cookie",
        ],
    );
}

#[test]
fn magento() {
    // Magento\Framework\App\PageCache, with the cache set to Varnish; and a
    // page that is never cached.
    let page = "200 | cache-control: max-age=86400, public, s-maxage=86400 | pragma: cache \
        | x-magento-tags: cat_p_1,cat_p";
    let own =
        "200 | cache-control: max-age=0, must-revalidate, no-cache, no-store | pragma: no-cache";
    check("magento", "/boat.html", page, "stored 86400");
    check("magento", "/boat.html", own, "no-store");
    // Its PHP session comes with both, and is never taken away; the origin may
    // say that it is not for all.
    let session = format!("{page} | set-cookie: PHPSESSID=x");
    check("magento", "/boat.html", &session, "set-cookie");
    let apart = session.replace("public, ", "public, no-cache=\"set-cookie\", ");
    check("magento", "/boat.html", &apart, "stored 86400");
    check(
        "magento",
        "/static/version1700000000/frontend/a.css",
        "200",
        "stored 31536000",
    );
    check(
        "magento",
        "/media/catalog/product/a.jpg",
        "200 | etag: \"1\"",
        "stored 2592000",
    );
    sent(
        "magento",
        "/boat.html | cookie: PHPSESSID=x; form_key=y",
        "cookie",
        None,
    );
    whole(
        "magento",
        &[
            "/boat.html | cookie: PHPSESSID=x; X-Magento-Vary=abc",
            "/checkout/cart/",
            "/de/customer/account/",
            "/customer/section/load/",
            "/admin_1x2y/dashboard",
        ],
    );
    let query = "/graphql?query={a}";
    let german = format!("{query} | store: de");
    same("magento", query, &german, false);
    let graphql = "200 | cache-control: max-age=86400, public, s-maxage=86400 \
        | vary: Store, Content-Currency, X-Magento-Cache-Id";
    check("magento", query, graphql, "stored 86400");
}

#[test]
fn nextjs() {
    // The guide "Using a CDN with Next.js": a static page, one with
    // `revalidate = 60`, and a dynamic one.
    let vary = "vary: rsc, next-router-state-tree, next-router-prefetch, \
        next-router-segment-prefetch, Accept-Encoding";
    let page = format!("200 | cache-control: s-maxage=31536000 | etag: \"1\" | {vary}");
    check("nextjs", "/about", &page, "stored 31536000");
    let revalidated =
        format!("200 | cache-control: s-maxage=60, stale-while-revalidate=31535940 | {vary}");
    check("nextjs", "/blog", &revalidated, "stored 60");
    let dynamic = format!(
        "200 | cache-control: private, no-cache, no-store, max-age=0, must-revalidate | {vary}"
    );
    check("nextjs", "/cart", &dynamic, "no-store");
    // Where routes intercept, on the page from which a reader comes as well.
    let intercepted = format!("{page}, Next-Url");
    check("nextjs", "/photo/1", &intercepted, "stored 31536000");
    let file = "200 | cache-control: public, max-age=31536000, immutable";
    check(
        "nextjs",
        "/_next/static/chunks/0123.js",
        file,
        "stored 31536000",
    );
    let image = "200 | cache-control: public, max-age=60, must-revalidate | vary: Accept";
    check(
        "nextjs",
        "/_next/image?url=%2Fa.png&w=640&q=75",
        image,
        "stored 60",
    );
    // What the router asks for is not the HTML.
    for field in [
        "rsc: 1",
        "next-router-state-tree: %5B%22%22%5D",
        "next-router-prefetch: 1",
        "next-router-segment-prefetch: /_tree",
        "next-url: /blog",
    ] {
        let request = format!("/about | {field}");
        same("nextjs", "/about", &request, false);
        let (name, value) = field.split_once(": ").expect("a field");
        sent("nextjs", &request, name, Some(value));
        same("none", "/about", &request, true);
    }
    check(
        "none",
        "/about",
        &page,
        "stored 31536000 dropped:next-router-prefetch dropped:next-router-segment-prefetch dropped:next-router-state-tree dropped:rsc",
    );
    whole(
        "nextjs",
        &[
            "/about | cookie: __prerender_bypass=x",
            "/about | cookie: __prerender_bypass=x; __next_preview_data=y",
            "/about | cookie: __Secure-authjs.session-token=x",
            "/api/auth/session",
        ],
    );
}

#[test]
fn inertia() {
    // The protocol's page: a first visit is HTML, the next ones JSON.
    let page =
        "200 | cache-control: max-age=60, public | vary: X-Inertia | content-type: text/html";
    check("inertia", "/events", page, "stored 60");
    check("none", "/events", page, "stored 60 dropped:x-inertia");
    for field in [
        "x-inertia: true",
        "x-inertia-version: 6b16b94d",
        "x-inertia-partial-component: Events",
        "x-inertia-partial-data: events",
        "x-inertia-partial-except: user",
        "x-inertia-reset: results",
        "x-inertia-except-once-props: plans",
    ] {
        same("inertia", "/events", &format!("/events | {field}"), false);
    }
    // The assets have changed: 409, and the address to load whole.
    check(
        "inertia",
        "/events | x-inertia: true",
        "409 | x-inertia-location: /events",
        "no-freshness",
    );
    let token = "200 | cache-control: max-age=60, public | set-cookie: XSRF-TOKEN=x";
    check("inertia", "/events", token, "csrf-token");
}

#[test]
fn htmx() {
    let page = "200 | cache-control: max-age=60 | vary: HX-Request";
    check("htmx", "/list", page, "stored 60");
    check("none", "/list", page, "stored 60 dropped:hx-request");
    for field in [
        "hx-request: true",
        "hx-boosted: true",
        "hx-target: list",
        "hx-trigger: more",
        "hx-trigger-name: q",
        "hx-history-restore-request: true",
    ] {
        same("htmx", "/list", &format!("/list | {field}"), false);
    }
    for field in ["hx-current-url: https://www.example.com/", "hx-prompt: me"] {
        let request = format!("/list | {field}");
        same("htmx", "/list", &request, true);
        let (name, _) = field.split_once(": ").expect("a field");
        sent("htmx", &request, name, None);
    }
}

#[test]
fn wagtail() {
    // A page, one with a form, and one with a view restriction: its form for the
    // password carries a token.
    let page = "200 | content-type: text/html | x-frame-options: SAMEORIGIN";
    check("wagtail", "/blog/a/", page, "stored 600");
    let form = "200 | vary: Cookie | set-cookie: csrftoken=x; Path=/";
    check("wagtail", "/contact/", form, "csrf-token");
    check(
        "wagtail",
        "/blog/a/",
        "200 | cache-control: private",
        "private",
    );
    check("wagtail", "/search/?query=boat&x=1", page, "stored 60");
    same(
        "wagtail",
        "/search/?query=boat",
        "/search/?query=boat&x=1",
        true,
    );
    check(
        "wagtail",
        "/static/a.55e7cbb9ba48.css",
        "200",
        "stored 31536000",
    );
    check("wagtail", "/media/images/a.jpg", "200", "stored 2592000");
    whole(
        "wagtail",
        &[
            "/admin/pages/",
            "/django-admin/",
            "/cms/",
            "/documents/1/a.pdf",
            "/_util/authenticate_with_password/1/2/",
            "/blog/a/ | cookie: sessionid=x",
        ],
    );
}

/// Each profile but Django's, which has a test of its own, is shown here, has
/// its page of docs, and no other has.
#[test]
fn each_has_its_page() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/frameworks");
    let mut pages: Vec<String> = std::fs::read_dir(folder)
        .expect(folder)
        .filter_map(|file| {
            let name = file.expect("a file").file_name().into_string().ok()?;
            Some(name.strip_suffix(".md")?.to_owned())
        })
        .filter(|name| name != "README")
        .collect();
    pages.sort();
    let mut names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    names.retain(|name| *name != "none");
    names.sort_unstable();
    assert_eq!(pages, names);
    for name in names {
        let path = format!("{folder}/{name}.md");
        let text = std::fs::read_to_string(&path).expect(&path);
        assert!(text.lines().count() <= 80, "{path}");
        assert!(text.contains(&format!("profile = \"{name}\"")), "{path}");
        for word in ["X-Forwarded-Host", "safe", "purge", "bypass"] {
            let found = text.to_lowercase().contains(&word.to_lowercase());
            assert!(found, "{path} says nothing of {word}");
        }
    }
}
