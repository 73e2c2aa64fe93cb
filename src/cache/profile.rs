//! Profiles: settings that come with Edgekeep, for origins of a kind. A profile
//! is data, in the words of the settings themselves, and lies beneath what the
//! user says (see `layers`).

/// A profile.
#[derive(Debug)]
pub struct Profile {
    /// What the setting `profile` calls it.
    pub name: &'static str,
    /// Its `defaults` and `rules`, as JSON.
    pub json: &'static str,
}

/// All there are.
pub const PROFILES: [Profile; 2] = [
    Profile {
        name: "none",
        json: "{}",
    },
    Profile {
        name: "django",
        json: DJANGO,
    },
];

/// Django 4.2 and later, with the names that its settings have by default.
const DJANGO: &str = concat!(
    r#"{"defaults":{"#,
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
    r#"},"rules":["#,
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
    r#"]}"#
);
