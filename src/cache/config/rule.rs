//! A compiled rule: the settings for the URLs that it matches.

use super::setting_words::{Collapse, Dialect};
use super::url_match::Scope;
use crate::cache::matching::glob::Glob;
use crate::cache::profiles::profile::Profile;
use crate::cache::profiles::session_cookies;

/// A rule, including everything that it inherits.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The URLs that it matches.
    pub scope: Scope,
    /// Where it comes from.
    pub source: Source,
    /// Whether requests may use the cache at all.
    pub cache: bool,
    /// See [`RuleSettings::shadow`](super::settings::RuleSettings::shadow).
    pub shadow: bool,
    /// See [`RuleSettings::edge_ttl`](super::settings::RuleSettings::edge_ttl).
    pub edge_ttl: Option<u64>,
    /// See [`RuleSettings::browser_ttl`](super::settings::RuleSettings::browser_ttl).
    pub browser_ttl: Option<u64>,
    /// See [`RuleSettings::immutable`](super::settings::RuleSettings::immutable).
    pub immutable: bool,
    /// See [`RuleSettings::stale_while_revalidate`](super::settings::RuleSettings::stale_while_revalidate).
    pub stale_while_revalidate: Option<u64>,
    /// See [`RuleSettings::stale_if_error`](super::settings::RuleSettings::stale_if_error).
    pub stale_if_error: Option<u64>,
    /// The statuses that count as a failure of the origin.
    pub error_statuses: Vec<u16>,
    /// Lifetimes of errors that name none, as (status, seconds).
    pub negative_ttl: Vec<(u16, u64)>,
    /// See [`RuleSettings::ttl_jitter`](super::settings::RuleSettings::ttl_jitter).
    pub ttl_jitter_percent: u64,
    /// See [`RuleSettings::memory`](super::settings::RuleSettings::memory).
    pub memory: bool,
    /// See [`RuleSettings::early_refresh`](super::settings::RuleSettings::early_refresh).
    pub early_refresh: bool,
    /// See [`RuleSettings::collapse`](super::settings::RuleSettings::collapse).
    pub collapse: Collapse,
    /// See [`RuleSettings::origin_timeout`](super::settings::RuleSettings::origin_timeout).
    pub origin_timeout_seconds: u64,
    /// See [`RuleSettings::retries`](super::settings::RuleSettings::retries).
    pub retries: u64,
    /// The query parameters in the key.
    pub query: Query,
    /// See [`RuleSettings::drop_tracking`](super::settings::RuleSettings::drop_tracking).
    pub drop_tracking: bool,
    /// See [`RuleSettings::sort_query`](super::settings::RuleSettings::sort_query).
    pub sort_query: bool,
    /// Lower-case field names.
    pub key_headers: Vec<String>,
    /// Cookie names.
    pub key_cookies: Vec<String>,
    /// Patterns of cookies with which a request passes, as the settings list
    /// them.
    pub bypass_cookies: Vec<Glob>,
    /// Whether a request also passes with a cookie of `session_cookies`.
    pub bypass_sessions: bool,
    /// See [`RuleSettings::drop_cookies`](super::settings::RuleSettings::drop_cookies).
    /// Includes `csrf_cookies`.
    pub drop_cookies: Vec<Glob>,
    /// See [`RuleSettings::csrf_cookies`](super::settings::RuleSettings::csrf_cookies).
    pub csrf_cookies: Vec<Glob>,
    /// See [`RuleSettings::strip_set_cookie`](super::settings::RuleSettings::strip_set_cookie).
    pub strip_set_cookie: Vec<Glob>,
    /// Lower-case field names.
    pub forward_headers: Vec<String>,
    /// `forward_headers = ["*"]`.
    pub forward_all: bool,
    /// See [`RuleSettings::esi`](super::settings::RuleSettings::esi).
    pub esi: bool,
    /// See [`RuleSettings::no_vary_search`](super::settings::RuleSettings::no_vary_search).
    pub no_vary_search: bool,
    /// See [`RuleSettings::invalidate_on_write`](super::settings::RuleSettings::invalidate_on_write).
    pub invalidate_on_write: bool,
    /// See [`RuleSettings::request_directives`](super::settings::RuleSettings::request_directives).
    pub request_directives: bool,
    /// See [`RuleSettings::heuristic_freshness`](super::settings::RuleSettings::heuristic_freshness).
    pub heuristic_freshness: bool,
    /// See [`RuleSettings::purge_dialects`](super::settings::RuleSettings::purge_dialects).
    pub purge_dialects: Vec<Dialect>,
    /// Tags that are added to stored responses.
    pub tags: Vec<String>,
    /// Whether responses are also stored in KV.
    pub kv: Kv,
    /// See [`RuleSettings::kv_min_ttl`](super::settings::RuleSettings::kv_min_ttl).
    pub kv_min_ttl: u64,
}

impl Rule {
    /// Whether a request with a cookie of this name passes.
    pub fn is_bypass_cookie(&self, name: &str) -> bool {
        (self.bypass_sessions && session_cookies::is_of_session(name))
            || self.bypass_cookies.iter().any(|glob| glob.matches(name))
    }
}

/// Whether responses are stored in KV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kv {
    /// Never. KV is not read either.
    Never,
    /// If KV admission accepts them (`cache::store::kv_admission`).
    Earned,
    /// Whenever they may be stored at all.
    Always,
}

/// The query parameters that are in the key.
#[derive(Clone, Debug)]
pub enum Query {
    /// All of them.
    All,
    /// Only these names.
    Allow(Vec<String>),
    /// All but these names.
    Deny(Vec<String>),
}

/// The parts of the settings from which a rule was compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source {
    /// The index of the user's rule; `None` if the rule is a profile's or the
    /// defaults.
    pub own: Option<usize>,
    /// The profile from which it inherits.
    pub profile: Option<&'static Profile>,
    /// The index of the profile's rule from which it inherits.
    pub beneath: Option<usize>,
}

/// An origin: the address to which requests of a host are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host, with a port unless it is the default.
    pub host: String,
}
