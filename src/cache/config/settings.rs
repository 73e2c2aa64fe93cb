//! The settings under `[vars.EDGEKEEP]` in `wrangler.toml`: the meaning, unit,
//! range and default of each field. All times are in seconds.
//!
//! `read_settings` reads them from JSON and refuses unknown fields, because an
//! ignored misspelt setting would be noticed only in production. `Rules::check`
//! checks the ranges.
//!
//! `UPDATE_DOCS=1 cargo test --test house settings_reference` makes the tables
//! of `docs/settings.md` and `docs/rules.md` from these comments. The last
//! sentence of a field's comment is `Default: ….` or `Required.`; a comment
//! `// Title` above fields starts a new table.

use super::setting_words::{Collapse, Dialect, LedgerOutage, all_word, earned_word, not_null};
use crate::http::json_object::pairs;
use serde::Deserialize;

/// `[vars.EDGEKEEP]`
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Settings {
    /// The longest time until a purge is in force everywhere; 1 to 60 seconds.
    /// Isolates in use query the ledger about twice as often. Default: 5.
    pub max_purge_lag: Option<u64>,
    /// What to do while the ledger cannot be reached and the purge index is
    /// older than `max_purge_lag`: serve stored responses and report
    /// `old-purge-index`, or revalidate each with the origin first.
    /// Default: `"serve"`.
    pub on_ledger_outage: Option<LedgerOutage>,
    /// Time limit for the origin's response head, for each request to it,
    /// including the connection; 1 to 300 seconds. A response body of up to
    /// 14,600 bytes with a known length must also arrive in this time. A rule
    /// can set its own limit. WebSockets and requests with a body have no limit.
    /// But a request body of up to 16 KiB with a known length must arrive within
    /// 10 seconds, before the request to the origin starts. Default: 30.
    pub origin_timeout: Option<u64>,
    /// Time limit for the response head in total, including queueing, retries
    /// and the backup origin; 1 to 600 seconds. Default: 60.
    pub origin_deadline: Option<u64>,
    /// Time limit for a response body, from its head on; 1 to 3,600 seconds. A
    /// body that takes longer is cut off and not stored. Without this setting
    /// there is no limit, because slow clients make long transfers. Then only
    /// these bodies must arrive within `origin_timeout`: those of up to 14,600
    /// bytes, and those of up to 256 KiB that a stale response can replace.
    /// Default: none.
    pub origin_body_timeout: Option<u64>,
    /// The origin of all hosts that `origins` does not name. Leave it unset in
    /// a routed zone: each request then goes to its own host. Default: none.
    pub origin: Option<String>,
    /// The origin for requests that `origin` fails to answer, with the same
    /// path, query and cache key. `X-Forwarded-Host` contains the host that the
    /// client requested. Default: none.
    pub backup_origin: Option<String>,
    /// The origins of individual hosts, by host name. Default: none.
    #[serde(with = "pairs")]
    pub origins: Vec<(String, OriginSettings)>,
    /// The profile beneath your rules: `"django"`, `"wagtail"`, `"wordpress"`,
    /// `"drupal"`, `"mediawiki"`, `"rails"`, `"laravel"`, `"magento"`,
    /// `"nextjs"`, `"inertia"`, `"htmx"` or `"none"`. A rule can set its own.
    /// Default: `"none"`.
    pub profile: Option<String>,
    /// Limits that protect origins, counted by each isolate for each host and
    /// its origin.
    /// Default: the defaults of its fields.
    pub protection: ProtectionSettings,
    /// Fields that all rules inherit, and that apply where no rule matches: all
    /// fields of a rule except `host`, `path`, `hashed` and `profile`. Default:
    /// none.
    pub defaults: RuleSettings,
    /// The rules; at most 500. The first rule that matches a request applies.
    /// Default: none.
    pub rules: Vec<RuleSettings>,
    /// Keys that sign purge orders, in addition to the one in `PURGE_SECRETS`;
    /// at most 20. Default: none.
    pub keys: Vec<KeySettings>,
    /// Tags whose purge also purges other tags; at most 50. Default: none.
    pub cascades: Vec<CascadeSettings>,
    /// The rate limit for calls of the zone's own purge API. Default: the
    /// defaults of its fields.
    pub fast_lane: FastLaneSettings,
    /// How many entries all isolates together may write to KV a day (UTC).
    /// Default: no limit.
    pub kv_writes_per_day: Option<u64>,
    /// How many bytes of small responses each isolate keeps in its own memory;
    /// 0 to 64,000,000, and 0 keeps none. Default: 16,000,000.
    pub memory_bytes: Option<u64>,
    /// Whether a hit without notes gets a log line. A line is about 6 % of the
    /// cost of a hit from memory, and Cloudflare charges for logs. Default:
    /// `true`.
    pub log_hits: Option<bool>,
    /// How often an isolate reports its statistics to the ledger, in seconds; 0
    /// to 3,600, and 0 counts nothing (`docs/metrics.md`). Default: 60.
    pub stats_interval: Option<u64>,
    /// With a binding `EDGEKEEP_ANALYTICS`, one of so many requests becomes a
    /// data point (`docs/metrics.md`); 1 to 1,000,000. Default: 1.
    pub analytics_sample: Option<u64>,
    /// Whether `/.edgekeep/` is a page for people, on every host
    /// (`docs/dashboard.md`). Default: `false`.
    pub dashboard: Option<bool>,
    /// The pages that the cron trigger fetches into KV, and an order to warm
    /// that names none. Default: nothing.
    pub warm: WarmSettings,
}

/// `"https://backend.example.net"`, or `{ url = "https://backend.example.net",
/// backup = "https://spare.example.net" }`
#[derive(Clone, Debug)]
pub enum OriginSettings {
    /// One origin.
    One(String),
    /// An origin and its backup origin.
    Two(TwoOrigins),
}

/// `{ url = "https://host", backup = "https://other" }`
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct TwoOrigins {
    /// The origin, `http(s)://host[:port]`. Required.
    pub url: String,
    /// The origin for requests that it fails to answer. Required.
    pub backup: String,
}

/// `[vars.EDGEKEEP.protection]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct ProtectionSettings {
    /// The circuit breaker of a host opens after this many failures within a
    /// minute, if at least half of the requested paths and half of the clients
    /// (IP addresses) of that minute fail, and at least three of each; 0 to
    /// 1,000, where 0 disables the breaker. Default: 10.
    pub breaker_failures: Option<u64>,
    /// How long the circuit breaker stays open; 1 to 3,600 seconds. If half of
    /// the failures name another time in `Retry-After`, that time applies, at
    /// most a minute. Afterwards a few requests try the origin. Paths that still
    /// work are served all the time. Default: 10.
    pub breaker_pause: Option<u64>,
    /// How many requests of one host to its origin may be in flight; 1 to
    /// 10,000. One path may use half of these permits, and so may one client. One
    /// client on one path may use a quarter, and so may uploads (bodies of more
    /// than 16 KiB, or of unknown length); at least 1. All hosts that share an
    /// origin have twice as many permits together, but one client has no more
    /// than at one host. Default: 100.
    pub max_requests: Option<u64>,
    /// How long a request may queue for one of these permits, first come, first
    /// served; 0 to 60 seconds. The queue of a host holds 100 requests; more are
    /// refused at once. Default: 5.
    pub queue_timeout: Option<u64>,
    /// The largest number of retries, in percent of the requests to an origin,
    /// plus three at the start; 0 to 100. Default: 10.
    pub retry_budget: Option<u64>,
}

/// `[vars.EDGEKEEP.warm]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct WarmSettings {
    /// URLs of pages; at most 1,000. Default: `[]`.
    pub urls: Vec<String>,
    /// URLs of sitemaps; at most 20. Default: `[]`.
    pub sitemaps: Vec<String>,
    /// The largest number of pages that a run fetches; 1 to 10,000. Default:
    /// 1,000.
    pub limit: Option<u64>,
}

/// `[[vars.EDGEKEEP.keys]]`
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct KeySettings {
    /// The name of the key in receipts and logs: 1 to 64 characters of `a-z`,
    /// `0-9`, `-` and `_`. Required.
    pub name: String,
    /// The name of the Worker's secret that contains the secrets of the key. The
    /// name itself is not secret. Required.
    pub secret: String,
    /// What the key may purge; at most 16 KiB of patterns. If the key has more
    /// than 2,500 live selectors, the oldest widen to everything that it may
    /// purge. Default: anything.
    // `null` would mean the same as no field: anything.
    #[serde(default, deserialize_with = "not_null")]
    pub may: Option<MaySettings>,
    /// Whether the key may read the receipts of all keys, and ask what the cache
    /// holds for any URL (`docs/explain.md`). Default: `false`.
    #[serde(default)]
    pub admin: bool,
    /// Whether the key may read the statistics (`docs/metrics.md`) of the hosts
    /// that it may purge. A key with `admin` may read all. Default: `false`.
    #[serde(default)]
    pub stats: bool,
}

/// `may` of a key
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct MaySettings {
    /// Patterns of host names, for URLs, prefixes and hosts; at most 50.
    /// Default: `[]`.
    pub hosts: Vec<String>,
    /// Patterns of tags; at most 50. Default: `[]`.
    pub tags: Vec<String>,
    /// Whether the key may purge everything at once. Default: `false`.
    pub everything: bool,
}

/// `[[vars.EDGEKEEP.cascades]]`
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct CascadeSettings {
    /// Pattern of the tags whose purge purges the others. Required.
    pub tag: String,
    /// The tags that are also purged; 1 to 20. Required.
    // `Cascades::check` refuses an empty list, with the path of the field.
    #[serde(default)]
    pub carries: Vec<String>,
}

/// `[vars.EDGEKEEP.fast_lane]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct FastLaneSettings {
    /// Calls a minute on average; 1 to 3,000. Default: 5, as in Cloudflare's
    /// free plan.
    pub requests_per_minute: Option<u64>,
    /// Calls at once after a pause; 1 to 500. Default: 25.
    pub bucket: Option<u64>,
}

/// `[[vars.EDGEKEEP.rules]]` and `[vars.EDGEKEEP.defaults]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct RuleSettings {
    // Which requests
    /// Pattern of the host name. Not in `defaults`. Default: `"*"`.
    pub host: Option<String>,
    /// Pattern of the path in its normal form; begins with `/` or `*`. Not in
    /// `defaults`. Default: `"*"`.
    pub path: Option<String>,
    /// `true`: only files whose names contain a digest of 8 to 64 hexadecimal
    /// digits between dots, such as `blog.55e7cbb9ba48.css`. Not in `defaults`.
    /// Default: `false`.
    pub hashed: Option<bool>,
    /// The profile from which this rule inherits; `"none"` for none. Not in
    /// `defaults`. Default: the setting `profile`.
    pub profile: Option<String>,

    // Lifetimes
    /// `false`: requests go to the origin whole; nothing is looked up or stored.
    /// Default: `true`.
    pub cache: Option<bool>,
    /// `true`: shadow mode (`docs/going-live.md`). Requests go to the origin
    /// whole, and what the cache would have done is counted. Default: `false`.
    pub shadow: Option<bool>,
    /// Freshness lifetime at the edge instead of the origin's, for 200, 203,
    /// 204, 300, 301 and 308. It never makes a response storable that is
    /// `private` or `no-store`, sets a cookie, varies on `*` or redirects to its
    /// own URL. The lifetime of `no-cache` stays 0. A response to
    /// `Authorization` that is not `public` keeps the origin's lifetime and is
    /// never served stale. At most 315,360,000 seconds (10 years), as for all
    /// times of a rule. Default: the origin's.
    pub edge_ttl: Option<u64>,
    /// Freshness lifetime in browsers instead of the origin's: replaces
    /// `Cache-Control` and `Expires` of responses that may be stored. Default:
    /// the origin's.
    pub browser_ttl: Option<u64>,
    /// With `browser_ttl`: browsers do not revalidate, even when the user
    /// reloads the page (RFC 8246). Default: `false`.
    pub immutable: Option<bool>,
    /// Window after expiry in which a stale response is served while it is
    /// refreshed. The origin's own directive takes precedence. Only for
    /// responses that had a lifetime. Default: 0.
    pub stale_while_revalidate: Option<u64>,
    /// Window after expiry in which a stale response is served if the origin
    /// cannot be reached, times out, breaks off or answers one of
    /// `error_statuses`. The origin's own directive takes precedence; `s-maxage`
    /// takes precedence over the default. Only for responses that had a
    /// lifetime: a response that was never fresh (`max-age=0`, `Expires: 0`,
    /// `no-cache`) is not served to other clients, unless the origin itself
    /// sends `stale-if-error`. Default: 86,400.
    pub stale_if_error: Option<u64>,
    /// How long errors without a lifetime are stored, in the Cache API only;
    /// `{}` stores none. Statuses that blame the request (400, 405, 406, 408,
    /// 411 to 417, 421, 422, 425, 426, 428, 429, 431) are stored only if they are
    /// named here, at most for this time, and never in place of a page. All
    /// clients then get the error that one request caused. 401, 407, and errors
    /// to requests with `Authorization` are never stored. Default: `{ 404 = 10,
    /// 410 = 10 }`.
    pub negative_ttl: Option<NegativeTtl>,
    /// Jitter: shortens each lifetime by another share, up to this many percent,
    /// so that responses fetched together do not expire together; 0 to 50.
    /// Default: 0.
    pub ttl_jitter: Option<u64>,
    /// Refreshes frequently requested responses shortly before they expire. The
    /// probability grows with the cost of the fetch and towards expiry. Default:
    /// `true`.
    pub early_refresh: Option<bool>,
    /// Gives a response without a lifetime a tenth of the time since its
    /// `Last-Modified`, at most a day, where RFC 9111 §4.2.2 allows it.
    /// Default: `false`.
    pub heuristic_freshness: Option<bool>,
    /// Obeys the client's own `Cache-Control` (`no-cache`, `no-store`,
    /// `max-age`, `min-fresh`, `max-stale`, `only-if-cached`) and `Pragma`. Off
    /// by default, because each reload in a browser would cost the origin a
    /// request. Default: `false`.
    pub request_directives: Option<bool>,

    // Cache key
    /// The query parameters in the key. Default: `"all"`.
    pub query: Option<QuerySettings>,
    /// Drops `utm_*`, `gclid`, `fbclid`, `msclkid`, `mc_cid`, `_ga` and about 25
    /// more tracking parameters. Names in an `allow` list stay. Default:
    /// `true`.
    pub drop_tracking: Option<bool>,
    /// Sorts parameters by name; the order of equal names stays. Default:
    /// `true`.
    pub sort_query: Option<bool>,
    /// Obeys the origin's `No-Vary-Search`: URLs share an entry if they differ
    /// only in query parameters by which, according to this field, the response
    /// does not vary. A purge of a URL then covers all queries of its path.
    /// Default: `false`.
    pub no_vary_search: Option<bool>,
    /// Request fields that are in the key and reach the origin; at most 200
    /// names, as in each list of a rule. Default: `[]`.
    pub key_headers: Option<Vec<String>>,
    /// Cookies that are in the key and reach the origin. Default: `[]`.
    pub key_cookies: Option<Vec<String>>,

    // Cookies and request fields
    /// Patterns of cookie names. A request with such a cookie goes to the origin
    /// whole, also if the name follows a comma, by which the runtime joins lines.
    /// The list replaces the default, unless it contains `"@default"`. Default:
    /// the session cookies of about 90 frameworks and applications, such as
    /// Django, PHP, Rails, Laravel, Express, ASP.NET, Java, Next.js, WordPress,
    /// Drupal, Magento and MediaWiki (`src/cache/profiles/session_cookies.rs`),
    /// also with the prefixes `__Host-` and `__Secure-`.
    pub bypass_cookies: Option<Vec<String>>,
    /// Patterns of cookies that do not reach the origin if the request may use
    /// the cache, not even by `forward_headers = ["cookie"]`. Cookies of
    /// `key_cookies` stay. Default: `[]`.
    pub drop_cookies: Option<Vec<String>>,
    /// Patterns of cookies that belong to a CSRF token in the page. A response
    /// that sets one is never stored (`csrf-token`), even if
    /// `no-cache="set-cookie"` would allow the rest to be stored. They are
    /// dropped like `drop_cookies`. But for a minute after such a response,
    /// requests for its URL with such a cookie go to the origin whole.
    /// `key_cookies` must not name them. Default: `[]`.
    pub csrf_cookies: Option<Vec<String>>,
    /// Patterns of cookies that are removed from responses, so that these can be
    /// stored; `["*"]` is all of them, as for static files. Cookies of a session
    /// (`bypass_cookies` and its default) and of a CSRF token are never removed,
    /// and a response that sets one is not stored. A response that is not stored
    /// keeps its cookies. Default: `[]`.
    pub strip_set_cookie: Option<Vec<String>>,
    /// Request fields that reach the origin without being in the key. `"*"`
    /// forwards all others, too, and puts them in the key, except the fields
    /// that every browser sends (`User-Agent`, `Cookie`, `Referer`,
    /// `Cache-Control` and similar). Fields that claim another client, host,
    /// path or method are never forwarded. Default: `[]`.
    pub forward_headers: Option<Vec<String>>,

    // Origin
    /// Time limit for the origin's response head; 1 to 300 seconds. Default: the
    /// setting `origin_timeout`.
    pub origin_timeout: Option<u64>,
    /// How often a failed safe request is retried, the first time after 50 to
    /// 150 ms; 0 to 5. Default: 1.
    pub retries: Option<u64>,
    /// The statuses that count as a failure of the origin; 429 and 500 to 599
    /// are allowed. Cloudflare sends 520 and higher for an origin that it cannot
    /// reach. Default: 500, 502 to 504, 520 to 527, 530.
    pub error_statuses: Option<Vec<u16>>,
    /// Request collapsing: requests for one missing response share one request
    /// to the origin, within an isolate, within the whole data centre, or not at
    /// all. If that takes longer than a second (five seconds if a response was
    /// stored before), three more requests go to the origin, and then four more
    /// each second. An isolate waits for the others of its data centre unless
    /// all requests of the host have taken less than 20 ms in the last minute.
    /// Default: `"data-centre"`.
    pub collapse: Option<Collapse>,

    // Storage
    /// Keeps small, frequently requested responses in the isolate's own memory,
    /// too. Default: `true`.
    pub memory: Option<bool>,
    /// Whether responses are also stored in KV, where a write costs as much as
    /// ten reads. `"earned"`: at the second fetch in their data centre, if they
    /// stay fresh for `kv_min_ttl`. A fetch that only an unsafe request (POST,
    /// PUT, DELETE …) has made necessary does not count. A response that an order
    /// refreshes is stored as with `true`. Default: `"earned"`.
    pub kv: Option<KvSettings>,
    /// How long a response must stay fresh to be stored in KV by `"earned"`, in
    /// seconds. Stale windows do not count, because this limits how often each
    /// data centre writes a popular page. Default: 60.
    pub kv_min_ttl: Option<u64>,

    // Purges
    /// Tags that are added to stored responses. They must not begin with
    /// `edgekeep-`. Default: `[]`.
    pub tags: Option<Vec<String>>,
    /// A successful POST, PUT, DELETE or other unsafe request purges its
    /// target, the groups of `Cache-Group-Invalidation`, and the URLs that
    /// `Location` and `Content-Location` of a 201 name at the target's path or
    /// below. Each costs a request to the ledger, for which the response waits
    /// half a second at most. An isolate sends up to 50 of these at once and 5 a
    /// second for a host, and 200 at once and 20 a second for all hosts; more
    /// are sent together. Default: `true`.
    pub invalidate_on_write: Option<bool>,
    /// The purge calls of other caches that are accepted: `"varnish"`,
    /// `"fastly"`, `"cloudflare"`, `"github"`. Default: `[]`.
    pub purge_dialects: Option<Vec<Dialect>>,

    // Fragments
    /// Assembles pages from fragments (ESI), if the origin marks them. Set it
    /// only for pages, because responses are fetched uncompressed and never in
    /// ranges. Default: `false`.
    pub esi: Option<bool>,
}

/// `{ 404 = 10, 503 = 1 }`: status, 400 to 599, and seconds
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct NegativeTtl(#[serde(with = "pairs")] pub Vec<(String, u64)>);

/// `true`, `false` or `"earned"`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "must be true, false or \"earned\"")]
pub enum KvSettings {
    /// Always or never.
    Always(bool),
    /// At the second fetch in the data centre (`cache::store::kv_admission`).
    #[serde(deserialize_with = "earned_word")]
    Earned,
}

/// `"all"`, `{ allow = ["q", "page"] }` or `{ deny = ["ref"] }`
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "must be \"all\", { allow = [names] } or { deny = [names] }"
)]
pub enum QuerySettings {
    /// Every parameter.
    #[serde(deserialize_with = "all_word")]
    All,
    /// Only parameters of these names.
    Allow {
        /// The names.
        allow: Vec<String>,
    },
    /// Every parameter except those of these names.
    Deny {
        /// The names.
        deny: Vec<String>,
    },
}
