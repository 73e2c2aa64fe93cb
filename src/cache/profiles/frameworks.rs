//! The profiles' tables (see `profile`): settings as JSON, with the reason for
//! each. What an application says of a page itself is in none of them.
//!
//! `edge_ttl` stands in a profile where pages come without a lifetime. It never
//! stores what is `private` or `no-store`, sets a cookie, or comes with a token
//! (`RuleSettings::edge_ttl`), and whoever has a session goes to the origin.

macro_rules! django_defaults {
    () => {
        concat!(
            // Who has a session passes by. So `Vary: Cookie`, which Django sends with
            // whatever has looked at the session, means "has none" for all that is
            // stored: no cookie reaches Django there. `messages` holds what one reader
            // is to be told once. Both may have a prefix (SESSION_COOKIE_NAME).
            r#""bypass_cookies":["sessionid","__Secure-sessionid","__Host-sessionid","messages"],"#,
            // Whenever a template or view asks for the token (`get_token`), Django
            // answers with this cookie, whether the browser has it or not: it sets
            // CSRF_COOKIE_NEEDS_UPDATE, and its middleware obeys. So a body with a
            // token is known by its head. With CSRF_USE_SESSIONS the session cookie is
            // set instead, as who has none gets one, and that is not stored either.
            r#""csrf_cookies":["csrftoken","__Secure-csrftoken","__Host-csrftoken"],"#,
            // The language that a reader chose by `set_language`.
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
            // First, as files of the admin lie under /static/admin/, too.
            //
            // ManifestStaticFilesStorage and WhiteNoise put a digest into the name:
            // the same address is the same file for ever.
            r#"{"path":"/static/*","hashed":true,"edge_ttl":31536000,"browser_ttl":31536000,"immutable":true,"tags":["static"]},"#,
            // Without one, a deployment changes the file in its place. An hour, then
            // it is asked about behind a reader's back; browsers do as they are told.
            r#"{"path":"/static/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
            // An upload is named by its uploader. Django gives no name twice while its
            // file is there, but may after that: so long at the edge, where a purge of
            // `media` reaches it, and an hour in browsers, where none does.
            r#"{"path":"/media/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]},"#,
            // Whose pages have forms, or are one reader's own; `*` for what may stand
            // before, such as the language of i18n_patterns. Django marks most of them
            // `never_cache`; here its cookies reach them as well.
            r#"{"path":"*/admin/*","cache":false},"#,
            r#"{"path":"*/accounts/*","cache":false},"#,
            r#"{"path":"*/login/*","cache":false},"#,
            r#"{"path":"*/logout/*","cache":false},"#,
            // Many addresses, each asked for rarely: not worth a write to KV. What is
            // not named here is neither in the key nor told to Django.
            r#"{"path":"/search*","kv":false,"query":{"allow":["q","query","search","page","per_page","page_size","limit","offset","cursor","sort","order","ordering","models","category","tag"]}},"#,
            // One address, several forms (JSON, the browsable API), also where the
            // origin forgets to say `Vary: Accept`.
            r#"{"path":"/api/*","key_headers":["accept"]}"#,
        )
    };
}

/// Django 4.2 and later, with the names that its settings have by default.
pub const DJANGO: &str = concat!(
    r#"{"defaults":{"#,
    django_defaults!(),
    r#"},"rules":["#,
    django_rules!(),
    r#"]}"#
);

/// Wagtail 5 and later, beside what holds for Django.
pub const WAGTAIL: &str = concat!(
    r#"{"defaults":{"#,
    // Pages come without a lifetime. Ten minutes, if no purge comes before.
    r#""edge_ttl":600,"stale_while_revalidate":60,"#,
    django_defaults!(),
    r#"},"rules":["#,
    // What an edit changes on pages that no purge names.
    r#"{"path":"/search*","edge_ttl":60,"kv":false,"query":{"allow":["q","query","search","page","type"]}},"#,
    // Documents may be of a private collection: Django is asked for each.
    r#"{"path":"/documents/*","cache":false},"#,
    r#"{"path":"/_util/*","cache":false},"#,
    r#"{"path":"/cms/*","cache":false},"#,
    r#"{"path":"/django-admin/*","cache":false},"#,
    django_rules!(),
    r#"]}"#
);

/// WordPress 6, with WooCommerce: whoever has signed in, has commented or has a
/// cart passes by (`session_cookies`).
pub const WORDPRESS: &str = concat!(
    r#"{"defaults":{"#,
    // Pages and feeds come without a lifetime. Ten minutes, if no purge comes
    // before: a nonce in a page is good for twelve hours.
    r#""edge_ttl":600,"stale_while_revalidate":60"#,
    r#"},"rules":["#,
    r#"{"path":"*/wp-admin/*","cache":false},"#,
    r#"{"path":"*/wp-login.php","cache":false},"#,
    r#"{"path":"*/wp-cron.php","cache":false},"#,
    r#"{"path":"*/xmlrpc.php","cache":false},"#,
    r#"{"path":"*/wp-comments-post.php","cache":false},"#,
    // WooCommerce asks for these not to be cached, and says so in their heads;
    // here they get their cookies at the first request as well.
    r#"{"path":"*/cart/*","cache":false},"#,
    r#"{"path":"*/checkout/*","cache":false},"#,
    r#"{"path":"*/my-account/*","cache":false},"#,
    // The nonce by which a signed-in reader's script asks.
    r#"{"path":"*/wp-json/*","edge_ttl":60,"key_headers":["x-wp-nonce"]},"#,
    // An upload keeps its name for its life; an hour in browsers, where no
    // purge reaches it.
    r#"{"path":"*/wp-content/uploads/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"strip_set_cookie":["*"],"tags":["media"]},"#,
    // Files of themes and plug-ins change in their place; `?ver=` is in the key.
    r#"{"path":"*/wp-content/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"*/wp-includes/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]}"#,
    r#"]}"#
);

/// Drupal 9 and later: it says itself how long a page for anonymous readers
/// holds, and whoever has a session passes by.
pub const DRUPAL: &str = concat!(
    r#"{"rules":["#,
    r#"{"path":"*/admin/*","cache":false},"#,
    r#"{"path":"*/user/*","cache":false},"#,
    r#"{"path":"/cron/*","cache":false},"#,
    r#"{"path":"/update.php","cache":false},"#,
    // Private files: Drupal is asked for each.
    r#"{"path":"*/system/files/*","cache":false},"#,
    // Aggregates carry a digest in their names.
    r#"{"path":"/sites/*/files/css/*","edge_ttl":2592000,"tags":["static"]},"#,
    r#"{"path":"/sites/*/files/js/*","edge_ttl":2592000,"tags":["static"]},"#,
    r#"{"path":"/sites/*/files/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]},"#,
    r#"{"path":"/core/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"/modules/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"/themes/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]}"#,
    r#"]}"#
);

/// MediaWiki 1.35 and later with `$wgUseCdn`: it says itself how long a page
/// holds, and whoever has signed in or has written passes by.
pub const MEDIAWIKI: &str = concat!(
    r#"{"defaults":{"#,
    // Mobile or not, where the reader chose (MobileFrontend).
    r#""key_cookies":["mf_useformat"]"#,
    r#"},"rules":["#,
    // A new version of a file has its name: so long at the edge, where a purge
    // reaches it.
    r#"{"path":"*/images/*","edge_ttl":86400,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]},"#,
    r#"{"path":"*/resources/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"*/skins/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"*/extensions/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]}"#,
    r#"]}"#
);

/// Rails 6 and later: whoever has its session cookie passes by.
pub const RAILS: &str = concat!(
    r#"{"defaults":{"#,
    // turbo-rails renders a page without its layout for a frame, and does not
    // say so in `Vary`. Rails itself asks the second for the format, which its
    // pages say (`Vary: Accept, X-Requested-With`): one value, of scripts.
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

/// Laravel 9 and later: whoever has its session cookie passes by.
pub const LARAVEL: &str = concat!(
    r#"{"defaults":{"#,
    // Each answer of the `web` middleware sets it, and its page has the token.
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

/// Magento 2.4 with its cache set to Varnish: it says itself how long a page
/// holds, and takes out of it what is one customer's.
pub const MAGENTO: &str = concat!(
    r#"{"defaults":{"#,
    // Every visitor has a PHP session, whose data scripts fetch: only a
    // customer's context (group, currency, store) makes another page, and this
    // cookie says that there is one.
    r#""bypass_cookies":["X-Magento-Vary","persistent_shopping_cart","admin"]"#,
    r#"},"rules":["#,
    // With a prefix for a store's view.
    r#"{"path":"*/customer/*","cache":false},"#,
    r#"{"path":"*/checkout/*","cache":false},"#,
    r#"{"path":"*/admin*","cache":false},"#,
    r#"{"path":"*/catalogsearch/*","kv":false},"#,
    // What GraphQL says beside the query; Magento varies on the last.
    r#"{"path":"/graphql","key_headers":["store","content-currency","x-magento-cache-id"]},"#,
    // A deployment has a version in the path.
    r#"{"path":"/static/version*","edge_ttl":31536000,"browser_ttl":31536000,"immutable":true,"strip_set_cookie":["*"],"tags":["static"]},"#,
    r#"{"path":"/static/*","edge_ttl":3600,"stale_while_revalidate":86400,"tags":["static"]},"#,
    r#"{"path":"/media/*","edge_ttl":2592000,"browser_ttl":3600,"stale_while_revalidate":86400,"tags":["media"]}"#,
    r#"]}"#
);

/// Next.js 13 and later. It says itself how long a page holds: up to a year.
pub const NEXTJS: &str = concat!(
    r#"{"defaults":{"#,
    // By these the App Router asks for a page's data instead of its HTML, for
    // what a client's tree lacks, or for less, at the same address. Next says
    // so in `Vary`, but for the last, which counts where routes intercept.
    r#""key_headers":["rsc","next-router-state-tree","next-router-prefetch","next-router-segment-prefetch","next-url"]"#,
    r#"},"rules":["#,
    // Next calls these immutable; a digest is in their names.
    r#"{"path":"*/_next/static/*","edge_ttl":31536000,"key_headers":[],"strip_set_cookie":["*"],"tags":["static"]},"#,
    // Optimised images: in a format that the browser accepts.
    r#"{"path":"*/_next/image","key_headers":["accept"],"query":{"allow":["url","w","q","dpl"]},"tags":["images"]},"#,
    // Auth.js.
    r#"{"path":"*/api/auth/*","cache":false}"#,
    r#"]}"#
);

/// Inertia: by these fields its client asks for a page's data as JSON, or for
/// a part of them, at the page's address.
pub const INERTIA: &str = concat!(
    r#"{"defaults":{"#,
    r#""csrf_cookies":["XSRF-TOKEN"],"#,
    r#""key_headers":["x-inertia","x-inertia-version","x-inertia-partial-component","x-inertia-partial-data","x-inertia-partial-except","x-inertia-reset","x-inertia-except-once-props"]"#,
    r#"}}"#
);

/// htmx: by these fields its client asks for a part of a page at the page's
/// address. `HX-Current-URL` and `HX-Prompt` have any value, and are dropped.
pub const HTMX: &str = concat!(
    r#"{"defaults":{"#,
    r#""key_headers":["hx-request","hx-boosted","hx-target","hx-trigger","hx-trigger-name","hx-history-restore-request"]"#,
    r#"}}"#
);
