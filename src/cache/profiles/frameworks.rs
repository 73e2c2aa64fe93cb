//! The settings of the profiles as JSON (see `profile`), with the reason for
//! each. A profile does not repeat what the application itself states in its
//! responses.
//!
//! A profile sets `edge_ttl` where pages have no lifetime. It never makes a
//! response storable that is `private` or `no-store`, sets a cookie, or comes
//! with a CSRF token (`RuleSettings::edge_ttl`). Requests with a session cookie
//! pass.

macro_rules! django_defaults {
    () => {
        concat!(
            // Requests with a session pass. Django sends `Vary: Cookie` if a
            // view has read the session; for stored responses that means "no
            // session", because no cookie reaches Django then. `messages`
            // contains messages for one user. Both may have a prefix
            // (SESSION_COOKIE_NAME).
            r#""bypass_cookies":["sessionid","__Secure-sessionid","__Host-sessionid","messages"],"#,
            // If a template or view requests the token (`get_token`), Django
            // sets this cookie, even if the browser has it already: `get_token`
            // sets CSRF_COOKIE_NEEDS_UPDATE, and the middleware obeys. So the
            // head shows that the body contains a token. With
            // CSRF_USE_SESSIONS, Django sets the session cookie instead (the
            // request has none), and such a response is not stored either.
            r#""csrf_cookies":["csrftoken","__Secure-csrftoken","__Host-csrftoken"],"#,
            // The language that the user selected by `set_language`.
            r#""key_cookies":["django_language"],"#,
            // Analytics: Google, Meta, Microsoft, Matomo, HubSpot, Hotjar, Yandex,
            // Segment, Mixpanel, Amplitude, TikTok.
            r#""drop_cookies":["_ga","_ga_*","_gid","_gat*","_gac_*","_gcl_*","_dc_gtm_*","__utm*","_fbp","_fbc","_uet*","_clck","_clsk","_pk_*","mtm_*","__hs*","hubspotutk","_hj*","_ym_*","ajs_*","mp_*_mixpanel","amplitude_*","AMP_*","_ttp"]"#,
        )
    };
}

macro_rules! django_rules {
    () => {
        concat!(
            // Static files come first, because those of the admin are under
            // /static/admin/.
            //
            // ManifestStaticFilesStorage and WhiteNoise put a digest into the
            // name: a URL always has the same content.
            r#"{"path":"/static/*","hashed":true,"edge_ttl":31536000,"browser_ttl":31536000,"immutable":true,"tags":["static"]},"#,
            // Without a digest, a deployment changes the content of the URL.
            // Fresh for an hour, then refreshed in the background; browsers
            // follow the origin's lifetime.
            r#"{"path":"/static/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
            // The user names an upload. Django does not reuse a name while its
            // file exists, but may do so later: a long lifetime at the edge,
            // which a purge of `media` reaches, and an hour in browsers, which
            // no purge reaches.
            r#"{"path":"/media/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]},"#,
            // Pages with forms, or for one user. `*` matches a prefix, such as
            // the language of i18n_patterns. Django marks most of them
            // `never_cache`; with `cache = false` the client's cookies reach
            // Django as well.
            r#"{"path":"*/admin/*","cache":false},"#,
            r#"{"path":"*/accounts/*","cache":false},"#,
            r#"{"path":"*/login/*","cache":false},"#,
            r#"{"path":"*/logout/*","cache":false},"#,
            // Many URLs, each requested rarely: not worth a write to KV.
            // Parameters that are not named here are not in the key and do not
            // reach Django.
            r#"{"path":"/search*","kv":false,"query":{"allow":["q","query","search","page","per_page","page_size","limit","offset","cursor","sort","order","ordering","models","category","tag"]}},"#,
            // One URL has several representations (JSON, the browsable API),
            // even if the origin does not send `Vary: Accept`.
            r#"{"path":"/api/*","key_headers":["accept"]}"#,
        )
    };
}

/// Django 4.2 and later, with the default names of its settings.
pub const DJANGO: &str = concat!(
    r#"{"defaults":{"#,
    django_defaults!(),
    r#"},"rules":["#,
    django_rules!(),
    r#"]}"#
);

/// Wagtail 5 and later, in addition to the rules for Django.
pub const WAGTAIL: &str = concat!(
    r#"{"defaults":{"#,
    // Pages have no lifetime. Ten minutes, unless purged earlier.
    r#""edge_ttl":600,"stale_while_revalidate":60,"#,
    django_defaults!(),
    r#"},"rules":["#,
    // Short, because an edit changes search results, and no purge names them.
    r#"{"path":"/search*","edge_ttl":60,"kv":false,"query":{"allow":["q","query","search","page","type"]}},"#,
    // Documents may be in a private collection: Django must decide each request.
    r#"{"path":"/documents/*","cache":false},"#,
    r#"{"path":"/_util/*","cache":false},"#,
    r#"{"path":"/cms/*","cache":false},"#,
    r#"{"path":"/django-admin/*","cache":false},"#,
    django_rules!(),
    r#"]}"#
);

/// WordPress 6, with WooCommerce. Requests of users who have signed in, have
/// commented or have a cart pass (`session_cookies`).
pub const WORDPRESS: &str = concat!(
    r#"{"defaults":{"#,
    // Pages and feeds have no lifetime. Ten minutes, unless purged earlier: a nonce
    // in a page is valid for twelve hours.
    r#""edge_ttl":600,"stale_while_revalidate":60"#,
    r#"},"rules":["#,
    r#"{"path":"*/wp-admin/*","cache":false},"#,
    r#"{"path":"*/wp-login.php","cache":false},"#,
    r#"{"path":"*/wp-cron.php","cache":false},"#,
    r#"{"path":"*/xmlrpc.php","cache":false},"#,
    r#"{"path":"*/wp-comments-post.php","cache":false},"#,
    // WooCommerce requires that these are not cached, and sends heads that say so.
    // With `cache = false`, the first request also sets and sends its cookies.
    r#"{"path":"*/cart/*","cache":false},"#,
    r#"{"path":"*/checkout/*","cache":false},"#,
    r#"{"path":"*/my-account/*","cache":false},"#,
    // The nonce that scripts of signed-in users send.
    r#"{"path":"*/wp-json/*","edge_ttl":60,"key_headers":["x-wp-nonce"]},"#,
    // An upload keeps its name while it exists. An hour in browsers, which no purge
    // reaches.
    r#"{"path":"*/wp-content/uploads/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"strip_set_cookie":["*"],"tags":["media"]},"#,
    // Files of themes and plug-ins change under the same path; `?ver=` is in
    // the key.
    r#"{"path":"*/wp-content/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"*/wp-includes/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]}"#,
    r#"]}"#
);

/// Drupal 9 and later. It sends the lifetimes of pages for anonymous users.
/// Requests with a session pass.
pub const DRUPAL: &str = concat!(
    r#"{"rules":["#,
    r#"{"path":"*/admin/*","cache":false},"#,
    r#"{"path":"*/user/*","cache":false},"#,
    r#"{"path":"/cron/*","cache":false},"#,
    r#"{"path":"/update.php","cache":false},"#,
    // Private files: Drupal must decide each request.
    r#"{"path":"*/system/files/*","cache":false},"#,
    // Aggregated files have a digest in their names.
    r#"{"path":"/sites/*/files/css/*","edge_ttl":2592000,"tags":["static"]},"#,
    r#"{"path":"/sites/*/files/js/*","edge_ttl":2592000,"tags":["static"]},"#,
    r#"{"path":"/sites/*/files/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]},"#,
    r#"{"path":"/core/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"/modules/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"/themes/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]}"#,
    r#"]}"#
);

/// MediaWiki 1.35 and later with `$wgUseCdn`. It sends the lifetimes of pages.
/// Requests of users who have signed in or have made a change pass.
pub const MEDIAWIKI: &str = concat!(
    r#"{"defaults":{"#,
    // Mobile or desktop, if the user selected one (MobileFrontend).
    r#""key_cookies":["mf_useformat"]"#,
    r#"},"rules":["#,
    // A new version of a file has the same name: a long lifetime only at the edge,
    // which a purge reaches.
    r#"{"path":"*/images/*","edge_ttl":86400,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]},"#,
    r#"{"path":"*/resources/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"*/skins/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"*/extensions/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]}"#,
    r#"]}"#
);

/// Rails 6 and later. Requests with its session cookie pass.
pub const RAILS: &str = concat!(
    r#"{"defaults":{"#,
    // `Turbo-Frame`: turbo-rails renders a page without its layout for a frame,
    // and does not name the field in `Vary`. `X-Requested-With`: Rails selects
    // the format by it, and names it (`Vary: Accept, X-Requested-With`).
    // Scripts send one value.
    r#""key_headers":["turbo-frame","x-requested-with"]"#,
    r#"},"rules":["#,
    // Sprockets, Propshaft, Vite and Shakapacker put a digest into the names.
    r#"{"path":"/assets/*","edge_ttl":31536000,"key_headers":[],"strip_set_cookie":["*"],"tags":["static"]},"#,
    r#"{"path":"/packs/*","edge_ttl":31536000,"key_headers":[],"tags":["static"]},"#,
    r#"{"path":"/vite/*","edge_ttl":31536000,"key_headers":[],"tags":["static"]},"#,
    r#"{"path":"*/admin/*","cache":false},"#,
    r#"{"path":"/session/*","cache":false},"#,
    r#"{"path":"/passwords/*","cache":false},"#,
    r#"{"path":"*/sign_in","cache":false},"#,
    r#"{"path":"*/sign_up","cache":false},"#,
    r#"{"path":"/sidekiq/*","cache":false},"#,
    r#"{"path":"/up","cache":false}"#,
    r#"]}"#
);

/// Laravel 9 and later. Requests with its session cookie pass.
pub const LARAVEL: &str = concat!(
    r#"{"defaults":{"#,
    // Each response of the `web` middleware sets it, and its page has the token.
    r#""csrf_cookies":["XSRF-TOKEN"]"#,
    r#"},"rules":["#,
    // Vite puts a digest into the names.
    r#"{"path":"/build/*","edge_ttl":31536000,"browser_ttl":31536000,"immutable":true,"strip_set_cookie":["*"],"tags":["static"]},"#,
    r#"{"path":"/vendor/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"/storage/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]},"#,
    r#"{"path":"*/login","cache":false},"#,
    r#"{"path":"*/register","cache":false},"#,
    r#"{"path":"/forgot-password","cache":false},"#,
    r#"{"path":"/reset-password/*","cache":false},"#,
    r#"{"path":"/password/*","cache":false},"#,
    r#"{"path":"/email/*","cache":false},"#,
    r#"{"path":"/sanctum/*","cache":false},"#,
    r#"{"path":"/admin/*","cache":false},"#,
    r#"{"path":"/nova/*","cache":false},"#,
    r#"{"path":"/horizon/*","cache":false},"#,
    r#"{"path":"/telescope/*","cache":false},"#,
    r#"{"path":"/up","cache":false}"#,
    r#"]}"#
);

/// Magento 2.4 with its cache set to Varnish. It sends the lifetimes of pages,
/// and leaves the data of a single customer out of them.
pub const MAGENTO: &str = concat!(
    r#"{"defaults":{"#,
    // Every visitor has a PHP session, whose data scripts fetch. Pages depend only
    // on a customer's context (group, currency, store), and `X-Magento-Vary` is set
    // if there is one.
    r#""bypass_cookies":["X-Magento-Vary","persistent_shopping_cart","admin"]"#,
    r#"},"rules":["#,
    // The path may have a prefix for a store view.
    r#"{"path":"*/customer/*","cache":false},"#,
    r#"{"path":"*/checkout/*","cache":false},"#,
    r#"{"path":"*/admin*","cache":false},"#,
    r#"{"path":"*/catalogsearch/*","kv":false},"#,
    // Fields on which a GraphQL response depends, beside the query. Magento names
    // the last in `Vary`.
    r#"{"path":"/graphql","key_headers":["store","content-currency","x-magento-cache-id"]},"#,
    // The path contains the version of the deployment.
    r#"{"path":"/static/version*","edge_ttl":31536000,"browser_ttl":31536000,"immutable":true,"strip_set_cookie":["*"],"tags":["static"]},"#,
    r#"{"path":"/static/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"/media/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]}"#,
    r#"]}"#
);

/// Next.js 13 and later. It sends the lifetimes of pages: up to a year.
pub const NEXTJS: &str = concat!(
    r#"{"defaults":{"#,
    // With these the App Router requests a page's data instead of its HTML,
    // only the part that the client's tree lacks, or a prefetch, at the same
    // URL. Next names them in `Vary`, except the last, which matters for
    // intercepting routes.
    r#""key_headers":["rsc","next-router-state-tree","next-router-prefetch","next-router-segment-prefetch","next-url"]"#,
    r#"},"rules":["#,
    // Next marks these immutable; they have a digest in their names.
    r#"{"path":"*/_next/static/*","edge_ttl":31536000,"key_headers":[],"strip_set_cookie":["*"],"tags":["static"]},"#,
    // Optimised images, in a format that the browser accepts.
    r#"{"path":"*/_next/image","key_headers":["accept"],"query":{"allow":["url","w","q","dpl"]},"tags":["images"]},"#,
    // Auth.js.
    r#"{"path":"*/api/auth/*","cache":false}"#,
    r#"]}"#
);

/// Inertia. With these fields its client requests a page's data or a part of
/// them as JSON, at the URL of the page.
pub const INERTIA: &str = concat!(
    r#"{"defaults":{"#,
    r#""csrf_cookies":["XSRF-TOKEN"],"#,
    r#""key_headers":["x-inertia","x-inertia-version","x-inertia-partial-component","x-inertia-partial-data","x-inertia-partial-except","x-inertia-reset","x-inertia-except-once-props"]"#,
    r#"}}"#
);

/// htmx. With these fields its client requests a part of a page at the URL of
/// the page. `HX-Current-URL` and `HX-Prompt` can have any value, and are
/// dropped.
pub const HTMX: &str = concat!(
    r#"{"defaults":{"#,
    r#""key_headers":["hx-request","hx-boosted","hx-target","hx-trigger","hx-trigger-name","hx-history-restore-request"]"#,
    r#"}}"#
);
