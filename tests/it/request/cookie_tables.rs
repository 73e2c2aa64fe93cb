//! Tests which cookies mark a session if the settings name none: those that
//! frameworks and applications document, and not those of analytics, consent and
//! load balancing.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::profiles::session_cookies::{OF_EVERY_VISITOR, SESSION_COOKIES};
use edgekeep::cache::request::classify::{Bypass, Plan, classify};
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn plan(settings: &Value, cookies: &str) -> Plan {
    let rules = Rules::read_json(&settings.to_string()).expect("good settings");
    let request = RequestHead {
        method: Method::named("GET"),
        url: Url::parse("http://www.example.com/a").expect("a URL"),
        fields: [("cookie", cookies)].into_iter().collect(),
    };
    classify(&rules, &request)
}

#[track_caller]
fn check_with(settings: &Value, name: &str, passes: bool) {
    // Before and after other cookies; and after a comma, by which the runtime
    // joins lines.
    for cookies in [
        format!("{name}=x"),
        format!("_ga=GA1.2.3; {name}=x; theme=dark"),
        format!("theme=dark, {name}=x"),
    ] {
        let found = plan(settings, &cookies);
        let bypasses = matches!(found, Plan::Bypass(Bypass::Cookie, _, _));
        assert_eq!(bypasses, passes, "{cookies}");
    }
}

#[track_caller]
fn check(names: &[&str], passes: bool) {
    for name in names {
        check_with(&json!({}), name, passes);
    }
}

#[test]
fn session_cookies_of_frameworks_cause_a_pass() {
    check(
        &[
            "sessionid",
            "PHPSESSID",
            "JSESSIONID",
            "JSESSIONIDSSO",
            "JSESSIONID.3f2a",
            "ASP.NET_SessionId",
            "ASPSESSIONIDQQBADRCA",
            ".ASPXAUTH",
            ".AspNet.ApplicationCookie",
            ".AspNet.ExternalCookie",
            ".AspNetCore.Cookies",
            ".AspNetCore.CookiesC1",
            ".AspNetCore.Identity.Application",
            ".AspNetCore.Session",
            ".AspNetCore.Antiforgery.w5W7x28NAIs",
            "connect.sid",
            "session",
            "session.sig",
            "koa.sess",
            "koa.sess.sig",
            "koa:sess",
            "sails.sid",
            "sessionId",
            "adonis-session",
            "laravel_session",
            "my_shop_session",
            "my-shop-session",
            "laravel-session",
            "remember_web_59ba36addc2b2f9401580f014c7f58ea4e30989d",
            "remember_admin_59ba36addc2b2f9401580f014c7f58ea4e30989d",
            "_session_id",
            "_myapp_session",
            "myapp_session",
            "session_id",
            "remember_user_token",
            "remember_admin_token",
            "remember_token",
            "remember_me",
            "remember_me_token",
            "user_credentials",
            "rack.session",
            "REMEMBERME",
            "CAKEPHP",
            "CookieAuth",
            "ci_session",
            "_identity",
            "_identity-frontend",
            "SESSION",
            "remember-me",
            "grails_remember_me",
            "PLAY_SESSION",
            "PLAY_FLASH",
            "_my_app_key",
            "_my_app_web_user_remember_me",
            "beaker.session.id",
            "mojolicious",
            "CGISESSID",
            "_SESSION",
            "auth_tkt",
            "CFID",
            "CFTOKEN",
        ],
        true,
    );
}

#[test]
fn session_cookies_of_sign_in_services_cause_a_pass() {
    check(
        &[
            "next-auth.session-token",
            "next-auth.session-token.0",
            "authjs.session-token",
            "authjs.session-token.1",
            "better-auth.session_token",
            "sb-abcdefghijklmnop-auth-token",
            "sb-abcdefghijklmnop-auth-token.0",
            "sb-127-auth-token-code-verifier",
            "supabase-auth-token",
            "sb-access-token",
            "__session",
            "__session_5f3kVYbk",
            "appSession",
            "appSession.0",
            "wos-session",
            "auth_session",
            "ory_kratos_session",
            "KEYCLOAK_SESSION",
            "KEYCLOAK_IDENTITY_LEGACY",
            "AUTH_SESSION_ID",
            "_oauth2_proxy",
            "_oauth2_proxy_0",
            "CF_Authorization",
            "AWSELBAuthSessionCookie-0",
            "AppServiceAuthSession",
            "_shibsession_64656661756c74",
            "mellon-cookie",
            "mod_auth_openidc_session",
            "mod_auth_openidc_session_0",
            "SimpleSAMLAuthToken",
        ],
        true,
    );
}

#[test]
fn session_cookies_of_applications_cause_a_pass() {
    check(
        &[
            "wordpress_logged_in_0123abcd",
            "wordpress_sec_0123abcd",
            "wp-postpass_0123abcd",
            "wp-resetpass-0123abcd",
            "comment_author_0123abcd",
            "comment_author_email_0123abcd",
            "woocommerce_items_in_cart",
            "woocommerce_cart_hash",
            "wp_woocommerce_session_0123abcd",
            "edd_items_in_cart",
            "SESS0123abcd",
            "SSESS0123abcd",
            "NO_CACHE",
            "__prerender_bypass",
            "__next_preview_data",
            "mw_session",
            "my_wiki_session",
            "my_wikiUserID",
            "my_wikiUserName",
            "my_wikiToken",
            "UseCDNCache",
            "UseDC",
            "my_wikiPostEditRevision42",
            "sessionJwt",
            "_t",
            "_forum_session",
            "phpbb3_abcde_sid",
            "phpbb3_abcde_u",
            "phpbb3_abcde_k",
            "xf_session",
            "xf_user",
            "bb_sessionhash",
            "bbsessionhash",
            "flarum_session",
            "flarum_remember",
            "express.sid",
            "mybbuser",
            "SMFCookie11",
            "ips4_IPSSessionFront",
            "ips4_member_id",
            "fe_typo_user",
            "be_typo_user",
            "joomla_user_state",
            "joomla_remember_me_abc",
            "CraftSessionId",
            "1031b8c41dfff97a311a7ac99863bdc5_identity",
            "Neos_Session",
            "X-Magento-Vary",
            "persistent_shopping_cart",
            "session-",
            "sw-states",
            "sw-cache-hash",
            "PrestaShop-a30a9934ef476d11b6cc3c983616e364",
            "OCSESSID",
            "MoodleSession",
            "MoodleSessionprod",
            "MOODLEID1_",
            "DokuWiki",
            "ghost-members-ssr",
            "ghost-admin-api-session",
            "__ac",
            "payload-token",
            "directus_session_token",
            "_gitlab_session",
            "seraph.confluence",
            "grafana_session",
            "roundcube_sessid",
            "MMAUTHTOKEN",
        ],
        true,
    );
}

#[test]
fn session_cookies_match_after_cookie_name_prefixes() {
    for name in [
        "sessionid",
        "laravel_session",
        "my-shop-session",
        "PHPSESSID",
        "next-auth.session-token",
        "authjs.session-token",
        "remember_token",
        "session",
        "my_wikiToken",
    ] {
        for prefix in ["__Host-", "__Secure-", "__Http-", "__Host-Http-"] {
            check(&[&format!("{prefix}{name}")], true);
        }
        // Names are case-sensitive, and other prefixes do not count.
        for prefix in ["__host-", "__Hos-", "x__Host-"] {
            // Patterns that begin with a star match any prefix.
            let is_open = name.contains("_session") || name.ends_with("Token");
            let is_open = is_open || format!("{prefix}{name}").ends_with("-session");
            check(&[&format!("{prefix}{name}")], is_open);
        }
    }
    check(&["__Host-_ga", "__Secure-ai_session"], false);
}

#[test]
fn cookies_of_every_visitor_cause_no_pass() {
    check(
        &[
            // Analytics, some of them with `session` in their names.
            "_ga",
            "_ga_0123ABCD",
            "_gid",
            "_gat_gtag_UA_1",
            "_gcl_au",
            "_dc_gtm_UA-1",
            "_fbp",
            "_fbc",
            "_hjSession_123456",
            "_hjSessionUser_123456",
            "_hjAbsoluteSessionInProgress",
            "_hjIncludedInSessionSample_1",
            "_clck",
            "_clsk",
            "_pk_ses.1.1fff",
            "_pk_id.1.1fff",
            "MATOMO_SESSID",
            "mtm_consent",
            "pys_session_limit",
            "pys_start_session",
            "pysTrafficSource",
            "pys_landing_page",
            "last_pysTrafficSource",
            "ai_session",
            "ai_user",
            "sbjs_session",
            "sbjs_current",
            "_parsely_session",
            "_gd_session",
            "rl_session",
            "wisepops_session",
            "kndctr_ABC_AdobeOrg_identity",
            "analytics_session_id",
            "_sp_ses.1fff",
            "_hp2_ses_props.1",
            "_dd_s",
            "_vwo_uuid_v2",
            "_vis_opt_s",
            "ajs_anonymous_id",
            "ajs_user_id",
            "mp_0123_mixpanel",
            "optimizelySession",
            "optimizelyEndUserId",
            "amplitude_id_0123",
            "amplitude_session",
            "AMP_0123",
            "AMP_MKTG_0123",
            "hubspotutk",
            "__hstc",
            "__hssc",
            "_shopify_s",
            "_shopify_y",
            "intercom-session-abcd",
            "intercom-id-abcd",
            "ph_phc_abc_posthog",
            "_uetsid",
            "_ttp",
            "__kla_id",
            "visitor_id123",
            // Consent.
            "CookieConsent",
            "OptanonConsent",
            "cookieyes-consent",
            "cmplz_statistics",
            "borlabs-cookie",
            "euconsent-v2",
            "viewed_cookie_policy",
            "wordpress_test_cookie",
            ".AspNet.Consent",
            // CSRF tokens, which every visitor has.
            "csrftoken",
            "csrfToken",
            "XSRF-TOKEN",
            "xf_csrf",
            // Balancers and firewalls.
            "__cf_bm",
            "cf_clearance",
            "_cfuvid",
            "AWSALB",
            "AWSALBCORS",
            "ARRAffinity",
            "incap_ses_123_456",
            // Names that resemble those of the list.
            "sessions",
            "phpsessid",
            "Sessionid",
            "my_session_x",
            "usertoken",
            "remember",
            "_tx",
            "theme",
            "lang",
            "",
        ],
        false,
    );
}

#[test]
fn bypass_cookies_replaces_or_extends_the_default_list() {
    let own = json!({ "defaults": { "bypass_cookies": ["mine_*"] } });
    let both = json!({ "defaults": { "bypass_cookies": ["mine_*", "@default"] } });
    let none = json!({ "defaults": { "bypass_cookies": [] } });
    let same = json!({ "defaults": { "bypass_cookies": ["@default"] } });
    for (name, by_own, by_default) in [
        ("mine_a", true, false),
        ("sessionid", false, true),
        ("x_session", false, true),
        ("@default", false, false),
        ("ai_session", false, false),
    ] {
        check_with(&own, name, by_own);
        check_with(&both, name, by_own || by_default);
        check_with(&none, name, false);
        check_with(&same, name, by_default);
    }
    for (name, path) in [("@defaults", "[1]"), ("@", "[1]"), ("a@default", "[1]")] {
        let settings = json!({ "defaults": { "bypass_cookies": ["a", name] } });
        let error = Rules::read_json(&settings.to_string()).expect_err(name);
        assert_eq!(error.path, format!("defaults.bypass_cookies{path}"));
    }
    // `@default` has its meaning only in `bypass_cookies`.
    let settings = json!({ "defaults": { "drop_cookies": ["@default"] } });
    Rules::read_json(&settings.to_string()).expect_err("not a cookie name");
}

#[test]
fn session_cookie_table_is_sorted_unique_and_sourced() {
    let first = |text: &str| text.as_bytes().first().copied();
    let patterns: Vec<&str> = SESSION_COOKIES.iter().map(|row| row.pattern).collect();
    for list in [&patterns[..], OF_EVERY_VISITOR] {
        assert!(
            list.is_sorted_by_key(|pattern| first(pattern)),
            "not sorted by first byte"
        );
        for (at, pattern) in list.iter().enumerate() {
            assert!(!list[..at].contains(pattern), "{pattern} is a duplicate");
        }
    }
    for row in SESSION_COOKIES {
        assert!(!row.software.is_empty(), "{row:?}");
        assert!(row.source.starts_with("http"), "{row:?}");
        assert!(
            row.pattern.bytes().all(|b| (33..127).contains(&b)),
            "{row:?}"
        );
        assert!(row.pattern.trim_matches('*').len() > 1, "{row:?}");
    }
}

/// Matching a browser's cookies with the default list takes less than five times
/// as long as with a short list of patterns. The same holds for the longest
/// `Cookie` field that the platform accepts.
#[test]
#[allow(clippy::disallowed_methods, reason = "a measurement, native only")]
fn default_list_costs_under_five_times_a_short_list() {
    let short = json!({ "defaults": { "bypass_cookies": [
        "sessionid", "PHPSESSID", "JSESSIONID", "ASP.NET_SessionId", ".AspNetCore.*",
        "connect.sid", "laravel_session", "_session_id", "_*_session", "rack.session",
        "session", "next-auth.*", "__Secure-next-auth.*", "authjs.*", "__Secure-authjs.*",
        "wordpress_logged_in_*", "wordpress_sec_*", "wp-postpass_*", "comment_author_*",
        "woocommerce_*", "SESS*", "SSESS*",
    ] } });
    let typical: Vec<String> = (0..20).map(|n| format!("_some_name_{n}={n}")).collect();
    for (cookies, times) in [
        (typical.join("; "), 300),
        ("_".repeat(120_000), 9),
        ("_sessio".repeat(17_000), 9),
        ("a=,".repeat(40_000), 3),
        ("_=;".repeat(40_000), 3),
    ] {
        let measure = |settings: &Value| {
            let rules = Rules::read_json(&settings.to_string()).expect("settings");
            let request = RequestHead {
                method: Method::named("GET"),
                url: Url::parse("http://www.example.com/a").expect("a URL"),
                fields: [("cookie", cookies.as_str())].into_iter().collect(),
            };
            move || {
                let began = Instant::now();
                assert!(matches!(classify(&rules, &request), Plan::Lookup(_)));
                began.elapsed()
            }
        };
        let (short, default) = (measure(&short), measure(&json!({})));
        // Alternating runs, and the minimum of each: other tests disturb both
        // equally. A busy computer may need more runs; the minimum can only
        // fall.
        let (mut by_short, mut by_default) = (Duration::MAX, Duration::MAX);
        for turn in 0..10 * times {
            by_short = by_short.min(short());
            by_default = by_default.min(default());
            if turn >= times && by_default < by_short * 5 {
                break;
            }
        }
        println!("{} bytes: {by_short:?}, {by_default:?}", cookies.len());
        assert!(by_default < by_short * 5, "{} bytes", cookies.len());
    }
}
