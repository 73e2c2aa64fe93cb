//! The settings as they are written in `wrangler.toml` under
//! `[vars.EDGEKEEP]`. All times are in seconds.
//!
//! Fields that are not known are refused: a misspelt setting that is silently
//! ignored would be found out in production.

use super::dialect::Dialect;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A purge is in force everywhere within this time of its receipt: 1 to
    /// 60, 5 if unset.
    pub max_purge_lag: Option<u64>,
    /// What happens while the ledger cannot be reached and the index of purges
    /// is past `max_purge_lag`: `serve` on (and say so), if unset, or
    /// `revalidate` every entry with the origin.
    pub on_ledger_outage: Option<LedgerOutage>,
    /// How long the origin may take to send its response head: 1 to 300, 30
    /// if unset.
    pub origin_timeout: Option<u64>,
    /// Where requests of all hosts go that `origins` does not name; unset in
    /// a routed zone, where each request goes on to its own host.
    pub origin: Option<String>,
    /// Where requests of a host go: host name -> `http(s)://host[:port]`.
    pub origins: BTreeMap<String, String>,
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
}

/// A key that signs purge orders.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// Its name in receipts and logs.
    pub name: String,
    /// The name of the variable (a Worker's secret) that holds its secrets.
    pub secret: String,
    /// What it may purge; anything if unset.
    pub may: Option<MaySettings>,
    /// Whether it may read everybody's orders; otherwise only its own.
    #[serde(default)]
    pub admin: bool,
}

/// What a key may purge. What is not said it may not.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaySettings {
    /// Globs of host names, for URLs, prefixes and hosts.
    pub hosts: Vec<String>,
    /// Globs of tags.
    pub tags: Vec<String>,
    /// Whether `purge_everything`.
    pub everything: bool,
}

/// A tag that carries others along.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CascadeSettings {
    /// Glob of the tags that carry.
    pub tag: String,
    /// The tags that are carried.
    pub carries: Vec<String>,
}

/// `[vars.EDGEKEEP.fast_lane]`: the purge limits of the account's plan.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FastLaneSettings {
    /// Calls a minute in the long run: 1 to 3,000, 5 if unset.
    pub requests_per_minute: Option<u64>,
    /// Calls at once after a rest: 1 to 500, 25 if unset.
    pub bucket: Option<u64>,
}

/// A rule, or the defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// Glob for the host name; every host if unset. Not in `defaults`.
    pub host: Option<String>,
    /// Glob for the path; every path if unset. Not in `defaults`.
    pub path: Option<String>,
    /// `false` lets requests through whole and stores nothing.
    pub cache: Option<bool>,
    /// Freshness lifetime here, instead of what the origin says, for
    /// successful answers and redirects that may be stored at all.
    pub edge_ttl: Option<u64>,
    /// Freshness lifetime in browsers, instead of what the origin says.
    pub browser_ttl: Option<u64>,
    /// Window after expiry in which a stale answer is served while it is
    /// refreshed, where the origin names none.
    pub stale_while_revalidate: Option<u64>,
    /// Window after expiry in which a stale answer is served when the origin
    /// fails, where the origin names none.
    pub stale_if_error: Option<u64>,
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
    pub kv: Option<bool>,
}

/// `on_ledger_outage`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerOutage {
    /// What is stored is served, and the report says `old-purge-index`.
    Serve,
    /// The origin is asked first.
    Revalidate,
}

/// `query = "all"`, `{ allow = [..] }` or `{ deny = [..] }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "must be \"all\", { allow = [names] } or { deny = [names] }"
)]
pub enum QuerySettings {
    /// Every parameter.
    All(All),
    /// Only parameters of some names.
    Allow(Allow),
    /// Every parameter but those of some names.
    Deny(Deny),
}

/// The word `all`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum All {
    /// `all`
    All,
}

/// `{ allow = [..] }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Parameter names.
    pub allow: Vec<String>,
}

/// `{ deny = [..] }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// Parameter names.
    pub deny: Vec<String>,
}
