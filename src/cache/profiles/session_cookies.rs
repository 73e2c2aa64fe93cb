//! Two lists of cookie names: cookies that mark a session, with which a request
//! passes by default; and cookies that do not, of analytics, consent and load
//! balancing, some of which have `session` in their names.
//!
//! Cookies are matched at each request, including hits. So a name is compared
//! only with the patterns of its first byte and those that begin with `*`: 25 at
//! most, and nearly all of them fail within a few bytes. The length of the list
//! does not matter.

use crate::cache::matching::glob;

/// A cookie that marks a session: the origin has state for this visitor.
#[derive(Clone, Copy, Debug)]
pub struct SessionCookie {
    /// The pattern of its name; `*` matches any run of characters. Names are
    /// case-sensitive (RFC 6265 §5.4).
    pub pattern: &'static str,
    /// The software that sets it.
    pub software: &'static str,
    /// The page of that software's documentation or source that states this.
    pub source: &'static str,
}

const fn row(pattern: &'static str, software: &'static str, source: &'static str) -> SessionCookie {
    SessionCookie {
        pattern,
        software,
        source,
    }
}

/// The default of `bypass_cookies`, sorted by first byte. Each pattern also
/// matches after one of [`PREFIXES`]. The list does not contain cookies that
/// every visitor gets and that do not mark a session, such as `XSRF-TOKEN`,
/// `xf_csrf` or `__client_uat`.
#[rustfmt::skip]
pub const SESSION_COOKIES: &[SessionCookie] = &[
    row("*-session", "Laravel 12 (<app>-session), AdonisJS, WorkOS, Ghost, KeystoneJS", "https://laravel.com/docs/12.x/session"),
    row("*PostEditRevision*", "MediaWiki, after an edit", "https://www.mediawiki.org/wiki/Manual:$wgCookiePrefix"),
    row("*Token", "MediaWiki (<wiki>Token), SimpleSAMLphp", "https://www.mediawiki.org/wiki/Manual:$wgCookiePrefix"),
    row("*UserID", "MediaWiki (<wiki>UserID)", "https://www.mediawiki.org/wiki/Manual:$wgCookiePrefix"),
    row("*UserName", "MediaWiki (<wiki>UserName)", "https://www.mediawiki.org/wiki/Manual:$wgCookiePrefix"),
    row("*_identity", "Craft CMS (<hash>_identity), Yii", "https://craftcms.com/docs/5.x/reference/config/general.html"),
    row("*_session", "Rails and Laravel (<app>_session), MediaWiki, XenForo, GitLab, Lucia, Ory", "https://guides.rubyonrails.org/configuring.html#config-session-store"),
    row("*sessionhash", "vBulletin", "https://www.vbulletin.com/docs/html/"),
    row(".ASPXAUTH", "ASP.NET forms authentication", "https://learn.microsoft.com/dotnet/api/system.web.configuration.formsauthenticationconfiguration.name"),
    row(".ASPXROLES", "ASP.NET roles", "https://learn.microsoft.com/dotnet/api/system.web.security.roles.cookiename"),
    row(".AspNet.*", "ASP.NET Identity", "https://learn.microsoft.com/aspnet/identity/overview/getting-started/introduction-to-aspnet-identity"),
    row(".AspNetCore.*", "ASP.NET Core", "https://learn.microsoft.com/aspnet/core/security/authentication/cookie"),
    row(".DOTNETNUKE", "DNN", "https://docs.dnncommunity.org/"),
    row("ASP.NET_SessionId", "ASP.NET", "https://learn.microsoft.com/dotnet/api/system.web.configuration.sessionstatesection.cookiename"),
    row("ASPSESSIONID*", "classic ASP", "https://learn.microsoft.com/iis/application-frameworks/running-classic-asp-applications-on-iis-7-and-iis-8/classic-asp-not-installed-by-default-on-iis"),
    row("AUTH_SESSION_ID*", "Keycloak", "https://www.keycloak.org/server/reverseproxy"),
    row("AWSELBAuthSessionCookie*", "AWS load balancer, authentication", "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html"),
    row("AppServiceAuthSession*", "Azure App Service authentication", "https://learn.microsoft.com/azure/app-service/overview-authentication-authorization"),
    row("BE_USER_AUTH", "Contao", "https://docs.contao.org/"),
    row("CAKEPHP", "CakePHP", "https://book.cakephp.org/5/en/development/sessions.html"),
    row("CFID", "ColdFusion", "https://helpx.adobe.com/coldfusion/developing-applications/developing-cfml-applications/using-persistent-data-and-locking/configuring-and-using-session-variables.html"),
    row("CFTOKEN", "ColdFusion", "https://helpx.adobe.com/coldfusion/developing-applications/developing-cfml-applications/using-persistent-data-and-locking/configuring-and-using-session-variables.html"),
    row("CF_AppSession", "Cloudflare Access", "https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/"),
    row("CF_Authorization", "Cloudflare Access", "https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/"),
    row("CGISESSID", "Perl CGI::Session", "https://metacpan.org/pod/CGI::Session"),
    row("CONCRETE*", "Concrete CMS", "https://documentation.concretecms.org/"),
    row("CookieAuth", "CakePHP Authentication", "https://book.cakephp.org/authentication/3/en/authenticators.html"),
    row("CraftSessionId", "Craft CMS", "https://craftcms.com/docs/5.x/reference/config/general.html#phpsessionname"),
    row("DokuWiki", "DokuWiki", "https://www.dokuwiki.org/devel:cookies"),
    row("FE_USER_AUTH", "Contao", "https://docs.contao.org/"),
    row("JSESSIONID*", "Java servlets, Jenkins", "https://jakarta.ee/specifications/servlet/6.0/jakarta-servlet-spec-6.0"),
    row("KEYCLOAK_IDENTITY*", "Keycloak", "https://www.keycloak.org/server/reverseproxy"),
    row("KEYCLOAK_SESSION*", "Keycloak", "https://www.keycloak.org/server/reverseproxy"),
    row("MMAUTHTOKEN", "Mattermost", "https://developers.mattermost.com/api-documentation/"),
    row("MOODLEID1_*", "Moodle", "https://docs.moodle.org/en/Cookies"),
    row("MoodleSession*", "Moodle", "https://docs.moodle.org/en/Cookies"),
    row("NO_CACHE", "Drupal and Pressflow, cookie cache bypass", "https://www.drupal.org/project/cookie_cache_bypass_adv"),
    row("Neos_Session", "Neos", "https://flowframework.readthedocs.io/en/stable/TheDefinitiveGuide/PartIII/SessionHandling.html"),
    row("OCSESSID", "OpenCart", "https://docs.opencart.com/"),
    row("ORA_WWV_*", "Oracle APEX", "https://docs.oracle.com/en/database/oracle/apex/"),
    row("PHPSESSID", "PHP, Symfony", "https://www.php.net/manual/session.configuration.php#ini.session.name"),
    row("PLAY_FLASH", "Play", "https://www.playframework.com/documentation/latest/SettingsSession"),
    row("PLAY_SESSION", "Play", "https://www.playframework.com/documentation/latest/SettingsSession"),
    row("PrestaShop-*", "PrestaShop", "https://devdocs.prestashop-project.org/"),
    row("REMEMBERME", "Symfony", "https://symfony.com/doc/current/security/remember_me.html"),
    row("SAP_SESSIONID_*", "SAP NetWeaver", "https://help.sap.com/"),
    row("SECSESSID", "Silverstripe", "https://docs.silverstripe.org/en/5/developer_guides/cookies_and_sessions/sessions/"),
    row("SESS*", "Drupal; Spring Session (SESSION)", "https://www.drupal.org/docs/administering-a-drupal-site"),
    row("SMFCookie*", "Simple Machines Forum", "https://wiki.simplemachines.org/smf/SMF2.1:Cookies"),
    row("SSESS*", "Drupal over TLS", "https://www.drupal.org/docs/administering-a-drupal-site"),
    row("UMB_UCONTEXT*", "Umbraco", "https://docs.umbraco.com/umbraco-cms/reference/security"),
    row("UseCDNCache", "MediaWiki, after a write", "https://www.mediawiki.org/wiki/Manual:$wgUseCdn"),
    row("UseDC", "MediaWiki, after a write", "https://www.mediawiki.org/wiki/Manual:$wgUseCdn"),
    row("X-Magento-Vary", "Magento, a customer's context", "https://developer.adobe.com/commerce/php/development/cache/page/public-content/"),
    row("_SESSION", "Yesod", "https://www.yesodweb.com/book/sessions"),
    row("_*_key", "Phoenix (_<app>_key)", "https://hexdocs.pm/plug/Plug.Session.html"),
    row("_*_remember_me", "Phoenix, phx.gen.auth", "https://hexdocs.pm/phoenix/mix_phx_gen_auth.html"),
    row("_ZopeId", "Zope", "https://zope.readthedocs.io/"),
    row("__ac", "Plone", "https://6.docs.plone.org/"),
    row("__next_preview_data", "Next.js, preview mode", "https://nextjs.org/docs/pages/guides/preview-mode"),
    row("__prerender_bypass", "Next.js, draft mode", "https://nextjs.org/docs/app/guides/draft-mode"),
    row("__session*", "Clerk, Remix, Firebase, Auth0", "https://clerk.com/docs/guides/how-clerk-works/cookies"),
    row("_identity*", "Yii", "https://www.yiiframework.com/doc/guide/2.0/en/security-authentication"),
    row("_medusa_jwt", "Medusa", "https://docs.medusajs.com/"),
    row("_oauth2_proxy*", "OAuth2 Proxy", "https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview"),
    row("_session_id", "Rails", "https://guides.rubyonrails.org/security.html#sessions"),
    row("_shibsession_*", "Shibboleth", "https://shibboleth.atlassian.net/wiki/spaces/SP3/overview"),
    row("_t", "Discourse", "https://meta.discourse.org/t/list-of-cookies-used-by-discourse/83690"),
    row("appSession*", "Auth0", "https://auth0.github.io/nextjs-auth0/"),
    row("auth_tkt", "Pyramid", "https://docs.pylonsproject.org/projects/pyramid/en/latest/api/authentication.html"),
    row("authjs.*", "Auth.js", "https://authjs.dev/reference/core#cookies"),
    row("be_typo_user", "TYPO3, editors", "https://docs.typo3.org/m/typo3/reference-coreapi/main/en-us/Configuration/Typo3ConfVars/BE.html"),
    row("beaker.session.id", "Beaker", "https://beaker.readthedocs.io/en/latest/configuration.html"),
    row("better-auth.*", "Better Auth", "https://www.better-auth.com/docs/concepts/cookies"),
    row("bbuserid", "vBulletin", "https://www.vbulletin.com/docs/html/"),
    row("ccmUserHash", "Concrete CMS", "https://documentation.concretecms.org/"),
    row("comment_author_*", "WordPress, own comments", "https://developer.wordpress.org/advanced-administration/wordpress/cookies/"),
    row("connect.sid", "Express", "https://expressjs.com/en/resources/middleware/session.html"),
    row("dancer.session", "Dancer", "https://metacpan.org/pod/Dancer2::Core::Role::SessionFactory"),
    row("directus_*_token", "Directus", "https://directus.io/docs/configuration/auth-sso"),
    row("edd_items_in_cart", "Easy Digital Downloads", "https://easydigitaldownloads.com/docs/"),
    row("express.sid", "NodeBB", "https://docs.nodebb.org/configuring/config/"),
    row("fe_typo_user", "TYPO3", "https://docs.typo3.org/m/typo3/reference-coreapi/main/en-us/Configuration/Typo3ConfVars/FE.html"),
    row("flarum_remember", "Flarum", "https://docs.flarum.org/"),
    row("ghost-members-ssr*", "Ghost", "https://docs.ghost.org/members"),
    row("gosessionid", "Beego", "https://beego.wiki/"),
    row("grails_remember_me", "Grails", "https://grails.github.io/grails-spring-security-core/"),
    row("ips4_IPSSessionFront", "Invision Community", "https://invisioncommunity.com/developers/"),
    row("ips4_login_key", "Invision Community", "https://invisioncommunity.com/developers/"),
    row("ips4_member_id", "Invision Community", "https://invisioncommunity.com/developers/"),
    row("joomla_remember_me_*", "Joomla", "https://manual.joomla.org/"),
    row("joomla_user_state", "Joomla, who has logged in", "https://manual.joomla.org/"),
    row("koa.sess*", "Koa", "https://github.com/koajs/session"),
    row("koa:sess*", "Koa, older", "https://github.com/koajs/session"),
    row("laravel_session", "Laravel", "https://laravel.com/docs/11.x/session"),
    row("mellon-*", "mod_auth_mellon", "https://github.com/latchset/mod_auth_mellon"),
    row("meteor_login_token", "Meteor", "https://docs.meteor.com/api/accounts.html"),
    row("mod_auth_openidc_session*", "mod_auth_openidc", "https://github.com/OpenIDC/mod_auth_openidc/wiki"),
    row("mojolicious", "Mojolicious", "https://docs.mojolicious.org/Mojolicious/Sessions"),
    row("mybbuser", "MyBB", "https://docs.mybb.com/"),
    row("nc_session_id", "Nextcloud", "https://docs.nextcloud.com/"),
    row("nc_token", "Nextcloud", "https://docs.nextcloud.com/"),
    row("next-auth.*", "NextAuth", "https://next-auth.js.org/configuration/options#cookies"),
    row("osCsid", "osCommerce", "https://www.oscommerce.com/"),
    row("payload-token", "Payload", "https://payloadcms.com/docs/authentication/cookies"),
    row("persistent_shopping_cart", "Magento", "https://experienceleague.adobe.com/docs/commerce-admin/start/compliance/privacy/compliance-cookie-law.html"),
    row("phpMyAdmin*", "phpMyAdmin", "https://docs.phpmyadmin.net/en/latest/privacy.html"),
    row("phpbb*_k", "phpBB", "https://www.phpbb.com/support/docs/"),
    row("phpbb*_sid", "phpBB", "https://www.phpbb.com/support/docs/"),
    row("phpbb*_u", "phpBB", "https://www.phpbb.com/support/docs/"),
    row("quarkus-credential", "Quarkus", "https://quarkus.io/guides/security-authentication-mechanisms"),
    row("rack.session", "Rack, Sinatra", "https://rubydoc.info/gems/rack-session"),
    row("remember-me", "Spring Security", "https://docs.spring.io/spring-security/reference/servlet/authentication/rememberme.html"),
    row("remember_*_59ba36addc2b2f9401580f014c7f58ea4e30989d", "Laravel, any guard (the digest is of its SessionGuard class)", "https://laravel.com/docs/12.x/authentication#remembering-users"),
    row("remember_*_token", "Devise, by scope", "https://www.rubydoc.info/gems/devise/Devise/Models/Rememberable"),
    row("remember_me*", "many: FOSUser, Sorcery, CakePHP", "https://github.com/Sorcery/sorcery/wiki"),
    row("remember_token", "Flask-Login, Clearance", "https://flask-login.readthedocs.io/en/latest/#cookie-settings"),
    row("remember_web_*", "Laravel", "https://laravel.com/docs/12.x/authentication#remembering-users"),
    row("roundcube_sess*", "Roundcube", "https://github.com/roundcube/roundcubemail/wiki/Configuration"),
    row("sails.sid", "Sails", "https://sailsjs.com/documentation/reference/configuration/sails-config-session"),
    row("sb-*-auth-token*", "Supabase", "https://supabase.com/docs/guides/auth/server-side/advanced-guide"),
    row("sb-access-token", "Supabase, older", "https://supabase.com/docs/guides/auth/server-side/advanced-guide"),
    row("sb-refresh-token", "Supabase, older", "https://supabase.com/docs/guides/auth/server-side/advanced-guide"),
    row("seraph.*", "Jira, Confluence", "https://confluence.atlassian.com/doc/cookies-in-confluence-165449.html"),
    row("session", "Flask, Starlette, cookie-session", "https://flask.palletsprojects.com/en/stable/config/#SESSION_COOKIE_NAME"),
    row("session-", "Shopware 6", "https://developer.shopware.com/docs/guides/hosting/performance/session.html"),
    row("session.sig", "cookie-session", "https://expressjs.com/en/resources/middleware/cookie-session.html"),
    row("sessionId", "Fastify", "https://github.com/fastify/session"),
    row("session_id", "Rails 8 authentication, Odoo", "https://guides.rubyonrails.org/security.html#authentication"),
    row("session_id_*", "web2py", "http://www.web2py.com/books/default/chapter/29/04/the-core"),
    row("sessionJwt", "MediaWiki 1.45", "https://www.mediawiki.org/wiki/Manual:$wgUseSessionCookieJwt"),
    row("sessionid", "Django", "https://docs.djangoproject.com/en/stable/ref/settings/#session-cookie-name"),
    row("sitecore_userticket", "Sitecore", "https://doc.sitecore.com/"),
    row("supabase-auth-token*", "Supabase, older", "https://supabase.com/docs/guides/auth/server-side/advanced-guide"),
    row("sw-cache-hash", "Shopware 6", "https://developer.shopware.com/docs/concepts/framework/http_cache.html"),
    row("sw-states", "Shopware 6", "https://developer.shopware.com/docs/concepts/framework/http_cache.html"),
    row("trac_auth", "Trac", "https://trac.edgewall.org/wiki/TracAuthentication"),
    row("user_credentials", "Authlogic", "https://rubydoc.info/gems/authlogic"),
    row("woocommerce_*", "WooCommerce", "https://developer.woocommerce.com/docs/best-practices/performance/configuring-caching-plugins/"),
    row("wordpress_logged_in_*", "WordPress", "https://developer.wordpress.org/advanced-administration/wordpress/cookies/"),
    row("wordpress_sec_*", "WordPress", "https://developer.wordpress.org/advanced-administration/wordpress/cookies/"),
    row("wp-postpass_*", "WordPress, protected posts", "https://developer.wordpress.org/advanced-administration/wordpress/cookies/"),
    row("wp-resetpass-*", "WordPress, password reset", "https://developer.wordpress.org/reference/functions/retrieve_password/"),
    row("wp_woocommerce_session_*", "WooCommerce", "https://developer.woocommerce.com/docs/best-practices/performance/configuring-caching-plugins/"),
    row("xf_user", "XenForo", "https://docs.xenforo.com/"),
    row("zenid", "Zen Cart", "https://docs.zen-cart.com/"),
];

/// The prefixes by which browsers enforce attributes of a cookie (RFC 6265bis
/// §4.1.3). Frameworks may put them before their usual names.
pub const PREFIXES: [&str; 4] = ["__Host-Http-", "__Http-", "__Host-", "__Secure-"];

/// Cookies that scripts and load balancers set for every visitor, sorted by
/// first byte. They do not mark a session, even if a pattern above matches, and
/// origins do not need them.
pub const OF_EVERY_VISITOR: &[&str] = &[
    ".AspNet.Consent", // ASP.NET Core's consent feature
    "AMCV_*",          // Adobe Analytics
    "AMP_*",           // Amplitude
    "ARRAffinity*",    // Azure
    "AWSALB*",         // AWS
    "CookieConsent*",  // Cookiebot
    "CookieLawInfo*",  // CookieYes
    "MATOMO_SESSID",   // Matomo, the form to opt out
    "OptanonAlertBoxClosed",
    "OptanonConsent", // OneTrust
    "__cf*",          // Cloudflare: __cf_bm, __cflb
    "__hs*",          // HubSpot
    "__kla_id",       // Klaviyo
    "__utm*",         // Google Analytics, old
    "_cfuvid",
    "_clck", // Microsoft Clarity
    "_clsk",
    "_dc_gtm_*",
    "_dd_s", // Datadog
    "_fbc",  // Meta
    "_fbp",
    "_ga*", // Google Analytics: _ga, _ga_*, _gat*, _gac_*
    "_gcl_*",
    "_gd_*", // 6sense: _gd_session
    "_gid",
    "_hj*",        // Hotjar: _hjSession_*, _hjSessionUser_*
    "_hp2_*",      // Heap
    "_iub_cs*",    // iubenda
    "_mkto_trk",   // Marketo
    "_parsely_*",  // Parse.ly: _parsely_session
    "_pin_unauth", // Pinterest
    "_pk_*",       // Matomo
    "_scid*",      // Snapchat
    "_shopify_*",  // Shopify analytics
    "_sp_id*",     // Snowplow
    "_sp_ses*",
    "_tt_*", // TikTok
    "_ttp",
    "_uet*",      // Microsoft Advertising
    "_vis_opt_*", // VWO
    "_vwo_*",
    "_ym_*",      // Yandex
    "ai_session", // Azure Application Insights
    "ai_user",
    "ajs_*", // Segment
    "amplitude_*",
    "analytics_session*", // Segment
    "borlabs-cookie",
    "cc_cookie",
    "cf_clearance",
    "cky-*",   // CookieYes
    "cmplz_*", // Complianz
    "cookie_consent*",
    "cookieconsent*",
    "cookielawinfo-*",
    "cookieyes*",
    "csrfToken", // CakePHP gives each visitor one
    "dtCookie*", // Dynatrace
    "euconsent*",
    "hubspotutk",
    "incap_ses_*", // Imperva
    "intercom-*",
    "kndctr_*",  // Adobe Experience Platform: kndctr_*_identity
    "last_pys*", // PixelYourSite
    "li_fat_id", // LinkedIn
    "li_gc",
    "li_sugr",
    "mp_*_mixpanel",
    "mtm_*", // Matomo
    "optimizely*",
    "ph_*_posthog",
    "pys*",            // PixelYourSite: pys_start_session, pysTrafficSource
    "rl_anonymous_id", // RudderStack
    "rl_session",
    "sbjs_*",  // Sourcebuster, in WooCommerce: sbjs_session
    "ttcsid*", // TikTok
    "viewed_cookie_policy",
    "visid_incap_*",
    "visitor_id*", // Pardot
    "wisepops*",   // wisepops_session
];

/// Whether a cookie of this name marks a session, by [`SESSION_COOKIES`] and
/// [`OF_EVERY_VISITOR`].
pub fn is_of_session(name: &str) -> bool {
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
    let bare = bare.unwrap_or(name);
    let wild = fits(&PATTERNS, b'*', bare);
    let first = bare.as_bytes().first();
    let fits = wild || first.is_some_and(|first| fits(&PATTERNS, *first, bare));
    fits && !is_of_every_visitor(bare)
}

/// Whether every visitor may have a cookie of this name, and pages do not depend
/// on it ([`OF_EVERY_VISITOR`]).
pub fn is_of_every_visitor(name: &str) -> bool {
    let first = name.as_bytes().first();
    first.is_some_and(|first| fits(OF_EVERY_VISITOR, *first, name))
}

/// Whether a cookie of this name belongs to a CSRF token: the name contains
/// `csrf` or `xsrf`. The forms of the user's pages contain the token, too.
pub fn is_csrf_cookie(name: &str) -> bool {
    let is = |word: &[u8]| word.eq_ignore_ascii_case(b"csrf") || word.eq_ignore_ascii_case(b"xsrf");
    name.as_bytes().windows(4).any(is)
}

/// Whether one of the patterns that begin with this byte matches a name. The
/// patterns must be sorted by first byte.
fn fits(patterns: &[&str], first: u8, name: &str) -> bool {
    let byte = |pattern: &&str| pattern.as_bytes().first().copied();
    let from = patterns.partition_point(|pattern| byte(pattern) < Some(first));
    let rest = patterns.iter().skip(from);
    rest.take_while(|pattern| byte(pattern) == Some(first))
        .any(|pattern| glob::matches(pattern, name))
}

/// The patterns of [`SESSION_COOKIES`] without the other columns, which are
/// documentation and so are not linked into the wasm.
static PATTERNS: [&str; SESSION_COOKIES.len()] = patterns();

const fn patterns() -> [&'static str; SESSION_COOKIES.len()] {
    let mut list = [""; SESSION_COOKIES.len()];
    let (mut rows, mut places) = (SESSION_COOKIES, list.as_mut_slice());
    while let ([row, more @ ..], [place, rest @ ..]) = (rows, places) {
        *place = row.pattern;
        (rows, places) = (more, rest);
    }
    list
}
