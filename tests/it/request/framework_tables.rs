//! Tests each profile with requests and responses of its framework. The heads are
//! those of its documentation or source, which the comments name. (The profiles
//! of whole applications are in `site_tables.rs`.)

use edgekeep::cache::profiles::profile::PROFILES;
use testkit::frameworks::{check, same, sent, whole};

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
    // ActionDispatch selects the format of a page by both, and names them:
    // `Vary: Accept, X-Requested-With`.
    let ajax = "/articles | x-requested-with: XMLHttpRequest";
    same("rails", "/articles", ajax, false);
    sent("rails", ajax, "x-requested-with", Some("XMLHttpRequest"));
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
    // For intercepting routes, the response also depends on the previous page.
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
    // The router requests data, not the HTML.
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
    // The page of the protocol: the first visit gets HTML, the next ones JSON.
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
    // The assets have changed: 409, and the URL to load as a whole page.
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

/// Each profile is tested here and has a page in the docs, and there are no other
/// pages. Django's profile has a test of its own.
#[test]
fn each_profile_has_a_docs_page() {
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
            assert!(found, "{path} does not mention {word}");
        }
    }
}
