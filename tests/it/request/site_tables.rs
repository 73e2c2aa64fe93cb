//! Tests the profiles of whole applications with their requests and responses.
//! The heads are those of their documentation or source, which the comments
//! name.

use testkit::frameworks::{check, same, sent, whole};

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
    // A nonce belongs to one user.
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
    // FinishResponseSubscriber, with page caching for 15 minutes, and for users
    // with a session.
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
    // and for signed-in users.
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
fn magento() {
    // Magento\Framework\App\PageCache, with the cache set to Varnish; and a
    // page that is never cached.
    let page = "200 | cache-control: max-age=86400, public, s-maxage=86400 | pragma: cache \
        | x-magento-tags: cat_p_1,cat_p";
    let own =
        "200 | cache-control: max-age=0, must-revalidate, no-cache, no-store | pragma: no-cache";
    check("magento", "/boat.html", page, "stored 86400");
    check("magento", "/boat.html", own, "no-store");
    // Its PHP session comes with both, and is never removed. The origin may
    // state that it is not for all.
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
fn wagtail() {
    // A page, one with a form, and one with a view restriction, whose password
    // form contains a token.
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
