//! The settings as they are written in `wrangler.toml` under
//! `[vars.EDGEKEEP]`. All times are in seconds.
//!
//! Fields that are not known are refused: a misspelt setting that is silently
//! ignored would be found out in production.

use super::dialect::Dialect;

/// The whole table.
#[derive(Debug, Default)]
pub struct Settings {
    /// A purge is in force everywhere within this time of its receipt: 1 to
    /// 60, 5 if unset.
    pub max_purge_lag: Option<u64>,
    /// What happens while the ledger cannot be reached and the index of purges
    /// is past `max_purge_lag`: `serve` on (and say so), if unset, or
    /// `revalidate` every entry with the origin.
    pub on_ledger_outage: Option<LedgerOutage>,
    /// How long the origin may take to send its response head, each time it is
    /// asked: 1 to 300, 30 if unset. A rule may have its own.
    pub origin_timeout: Option<u64>,
    /// What a request may wait for a response head in all, however often
    /// origins are asked: 1 to 600, 60 if unset.
    pub origin_deadline: Option<u64>,
    /// How long a body may take once its head is there: 1 to 3,600, without
    /// end if unset.
    pub origin_body_timeout: Option<u64>,
    /// Where requests of all hosts go that `origins` does not name; unset in
    /// a routed zone, where each request goes on to its own host.
    pub origin: Option<String>,
    /// Where requests go that the origin of all hosts fails to answer.
    pub backup_origin: Option<String>,
    /// Where requests of a host go: host name -> `http(s)://host[:port]`, or
    /// that and a backup.
    pub origins: Vec<(String, OriginSettings)>,
    /// The rules that lie beneath these: a name of
    /// [`PROFILES`](super::profile::PROFILES).
    pub profile: Option<String>,
    /// What keeps origins from being asked too much.
    pub protection: ProtectionSettings,
    /// What rules inherit, and what holds where no rule matches.
    pub defaults: RuleSettings,
    /// The first rule whose `host` and `path` match a request decides.
    pub rules: Vec<RuleSettings>,
    /// Keys that sign purge orders, beside the one in `PURGE_SECRETS`.
    pub keys: Vec<KeySettings>,
    /// Tags that carry others along when they are purged.
    pub cascades: Vec<CascadeSettings>,
    /// How fast the zone's own purge call may be used.
    pub fast_lane: FastLaneSettings,
    /// How many entries may be written to KV a day (UTC), by all isolates
    /// together; without end if unset.
    pub kv_writes_per_day: Option<u64>,
    /// How many bytes of small answers each isolate keeps in its own memory: 0
    /// to 64,000,000, 16,000,000 if unset; 0 is none.
    pub memory_bytes: Option<u64>,
    /// Whether a hit that nothing is to be said of has a line in the log;
    /// `true` if unset.
    pub log_hits: Option<bool>,
    /// What the cron trigger fetches into KV.
    pub warm: WarmSettings,
}

/// `"https://host"`, or `{ url = "https://host", backup = "https://other" }`.
#[derive(Clone, Debug)]
pub enum OriginSettings {
    /// One origin.
    One(String),
    /// One, and another for when it fails.
    Two(TwoOrigins),
}

/// `{ url = "https://host", backup = "https://other" }`
#[derive(Clone, Debug, Default)]
pub struct TwoOrigins {
    /// Where requests go.
    pub url: String,
    /// Where they go if that fails.
    pub backup: String,
}

/// `[vars.EDGEKEEP.protection]`: counted by each isolate for each origin.
#[derive(Clone, Debug, Default)]
pub struct ProtectionSettings {
    /// After how many failures in a row the origin is left alone: 1 to 1,000,
    /// 10 if unset; 0 for never.
    pub breaker_failures: Option<u64>,
    /// For how many seconds, if the origin names no time itself: 1 to 3,600,
    /// 10 if unset.
    pub breaker_pause: Option<u64>,
    /// How many requests to it may be under way: 1 to 10,000, 100 if unset.
    pub max_requests: Option<u64>,
    /// How many seconds a request waits for its turn: 0 to 60, 5 if unset.
    pub queue_timeout: Option<u64>,
    /// How many percent of the requests may be repeated: 0 to 100, 10 if
    /// unset.
    pub retry_budget: Option<u64>,
}

/// `[vars.EDGEKEEP.warm]`
#[derive(Clone, Debug, Default)]
pub struct WarmSettings {
    /// Pages: at most 1,000.
    pub urls: Vec<String>,
    /// Sitemaps that name pages: at most 20.
    pub sitemaps: Vec<String>,
    /// How many pages at most, each time: 1 to 10,000, 1,000 if unset.
    pub limit: Option<u64>,
}

/// A key that signs purge orders.
#[derive(Debug, Default)]
pub struct KeySettings {
    /// Its name in receipts and logs.
    pub name: String,
    /// The name of the variable (a Worker's secret) that holds its secrets.
    pub secret: String,
    /// What it may purge; anything if unset.
    pub may: Option<MaySettings>,
    /// Whether it may read everybody's orders; otherwise only its own.
    pub admin: bool,
}

/// What a key may purge. What is not said it may not.
#[derive(Debug, Default)]
pub struct MaySettings {
    /// Globs of host names, for URLs, prefixes and hosts.
    pub hosts: Vec<String>,
    /// Globs of tags.
    pub tags: Vec<String>,
    /// Whether `purge_everything`.
    pub everything: bool,
}

/// A tag that carries others along.
#[derive(Debug, Default)]
pub struct CascadeSettings {
    /// Glob of the tags that carry.
    pub tag: String,
    /// The tags that are carried.
    pub carries: Vec<String>,
}

/// `[vars.EDGEKEEP.fast_lane]`: the purge limits of the account's plan.
#[derive(Clone, Debug, Default)]
pub struct FastLaneSettings {
    /// Calls a minute in the long run: 1 to 3,000, 5 if unset.
    pub requests_per_minute: Option<u64>,
    /// Calls at once after a rest: 1 to 500, 25 if unset.
    pub bucket: Option<u64>,
}

/// A rule, or the defaults.
#[derive(Clone, Debug, Default)]
pub struct RuleSettings {
    /// Glob for the host name; every host if unset. Not in `defaults`.
    pub host: Option<String>,
    /// Glob for the path; every path if unset. Not in `defaults`.
    pub path: Option<String>,
    /// Whether only files are meant whose names carry a digest of their bytes,
    /// such as `blog.55e7cbb9ba48.css`. Not in `defaults`.
    pub hashed: Option<bool>,
    /// See [`Settings::profile`], for the URLs of this rule. Not in `defaults`.
    pub profile: Option<String>,
    /// `false` lets requests through whole and stores nothing.
    pub cache: Option<bool>,
    /// Freshness lifetime here, instead of what the origin says, for
    /// successful answers and redirects that may be stored at all.
    pub edge_ttl: Option<u64>,
    /// Freshness lifetime in browsers, instead of what the origin says.
    pub browser_ttl: Option<u64>,
    /// Whether `browser_ttl` tells browsers not even to ask when a page is
    /// reloaded (RFC 8246).
    pub immutable: Option<bool>,
    /// Window after expiry in which a stale answer is served while it is
    /// refreshed, where the origin names none.
    pub stale_while_revalidate: Option<u64>,
    /// Window after expiry in which a stale answer is served when the origin
    /// fails, where the origin names none.
    pub stale_if_error: Option<u64>,
    /// The statuses by which an origin fails: 429 and 500 to 599.
    pub error_statuses: Option<Vec<u16>>,
    /// How long an error is kept that says nothing of its lifetime: status ->
    /// seconds, 0 for not at all.
    pub negative_ttl: Option<Vec<(String, u64)>>,
    /// By how many percent at most lifetimes are shortened, each by its own
    /// share: 0 to 50.
    pub ttl_jitter: Option<u64>,
    /// Whether what is asked for often is refreshed shortly before it expires.
    pub early_refresh: Option<bool>,
    /// Whether small answers that are asked for often are also kept in the
    /// isolate's own memory; `true` if unset.
    pub memory: Option<bool>,
    /// Whose requests for one answer share one question to the origin.
    pub collapse: Option<Collapse>,
    /// See [`Settings::origin_timeout`].
    pub origin_timeout: Option<u64>,
    /// How often a safe request is repeated that failed: 0 to 5.
    pub retries: Option<u64>,
    /// Which query parameters belong to the key.
    pub query: Option<QuerySettings>,
    /// Whether the built-in list of tracking parameters is dropped.
    pub drop_tracking: Option<bool>,
    /// Whether parameters are sorted by name.
    pub sort_query: Option<bool>,
    /// Request fields that belong to the key (and reach the origin).
    pub key_headers: Option<Vec<String>>,
    /// Cookies that belong to the key (and reach the origin).
    pub key_cookies: Option<Vec<String>>,
    /// Globs of cookie names; a request with such a cookie is not cached.
    pub bypass_cookies: Option<Vec<String>>,
    /// Globs of cookies that never reach the origin where the cache may be
    /// used, not even where `forward_headers` lets `Cookie` through.
    pub drop_cookies: Option<Vec<String>>,
    /// Globs of cookies that hold a secret against forged requests (CSRF): an
    /// answer that sets one is never stored, and none is in the key or reaches
    /// the origin where the cache may be used.
    pub csrf_cookies: Option<Vec<String>>,
    /// Whether marked pages are made of fragments (see `cache::esi`).
    pub esi: Option<bool>,
    /// Request fields that reach the origin without being in the key; `["*"]`
    /// for all.
    pub forward_headers: Option<Vec<String>>,
    /// Whether the client's own `Cache-Control` is heeded.
    pub request_directives: Option<bool>,
    /// Whether an answer that says nothing of its lifetime gets one by its
    /// `Last-Modified`.
    pub heuristic_freshness: Option<bool>,
    /// Whether the origin's `No-Vary-Search` is heeded.
    pub no_vary_search: Option<bool>,
    /// Whether a successful write (POST, PUT, DELETE, …) invalidates what is
    /// stored of its target.
    pub invalidate_on_write: Option<bool>,
    /// Other caches' purge calls that are taken here.
    pub purge_dialects: Option<Vec<Dialect>>,
    /// Tags added to what is stored.
    pub tags: Option<Vec<String>>,
    /// Whether answers are kept in KV too.
    pub kv: Option<KvSettings>,
    /// The least time, in seconds, for which an answer must be of use so that
    /// it can earn its place in KV.
    pub kv_min_ttl: Option<u64>,
}

/// `collapse`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collapse {
    /// Nobody's: each asks for itself.
    Off,
    /// Those of an isolate.
    Isolate,
    /// Those of an isolate, and those of other isolates of its data centre as
    /// far as a note in the Cache API tells them.
    DataCentre,
}

/// `kv = true`, `false` or `"earned"`.
#[derive(Clone, Copy, Debug)]
pub enum KvSettings {
    /// Always or never.
    Always(bool),
    /// When it is worth its price.
    Earned,
}

/// `on_ledger_outage`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerOutage {
    /// What is stored is served, and the report says `old-purge-index`.
    Serve,
    /// The origin is asked first.
    Revalidate,
}

/// `query = "all"`, `{ allow = [..] }` or `{ deny = [..] }`.
#[derive(Clone, Debug)]
pub enum QuerySettings {
    /// Every parameter.
    All,
    /// Only parameters of these names.
    Allow(Vec<String>),
    /// Every parameter but those of these names.
    Deny(Vec<String>),
}
