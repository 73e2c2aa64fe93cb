//! Compiles a rule: checks its own settings, those that it inherits, and the
//! defaults, and combines them.

use super::error::{RulesError, within, wrong};
use super::rule::Source;
use super::rule::{Kv, Query, Rule};
use super::setting_words::Collapse;
use super::settings::{KvSettings, NegativeTtl, QuerySettings, RuleSettings};
use super::url_match::Scope;
use crate::cache::matching::glob::Glob;
use crate::http::url;

/// The largest number of names in a list.
const NAMES_MAX: usize = 200;
/// The longest time of a setting: 10 years, far from any overflow.
const SECONDS_MAX: u64 = 315_360_000;

/// The default of `error_statuses`: those of RFC 5861 §4, and those that
/// Cloudflare sends in a routed zone if it cannot reach the server.
const ERROR_STATUSES: [u16; 13] = [
    500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530,
];

/// The default of `negative_ttl`: the lifetime in seconds of errors that name
/// none. It is long enough to spare the origin when crawlers repeat a request,
/// and short for an author who has just created the page.
const NEGATIVE_TTL: [(u16, u64); 2] = [(404, 10), (410, 10)];

/// The default of `kv_min_ttl`. KV shows a write elsewhere after about a minute;
/// an entry with a shorter lifetime would expire before most data centres can
/// read it.
const KV_MIN_TTL: u64 = 60;

/// The settings of a rule, then those that it inherits, by precedence.
struct Reader<'a> {
    at: &'a str,
    layers: &'a [&'a RuleSettings],
}

impl Reader<'_> {
    fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.at)
    }

    fn get<T: Clone>(&self, of: fn(&RuleSettings) -> &Option<T>) -> Option<T> {
        self.layers.iter().find_map(|layer| of(layer).clone())
    }

    fn seconds(
        &self,
        field: &str,
        of: fn(&RuleSettings) -> &Option<u64>,
    ) -> Result<Option<u64>, RulesError> {
        match self.get(of) {
            Some(value) if value > SECONDS_MAX => Err(wrong(
                &self.path(field),
                format!("must be at most {SECONDS_MAX} seconds, not {value}"),
            )),
            value => Ok(value),
        }
    }

    fn number(
        &self,
        field: &str,
        of: fn(&RuleSettings) -> &Option<u64>,
        default: u64,
        (least, most): (u64, u64),
        unit: &str,
    ) -> Result<u64, RulesError> {
        within(
            &self.path(field),
            self.get(of),
            default,
            (least, most),
            unit,
        )
    }

    fn names(
        &self,
        field: &str,
        of: fn(&RuleSettings) -> &Option<Vec<String>>,
        check: NameCheck,
    ) -> Result<Vec<String>, RulesError> {
        let list = self.get(of).unwrap_or_default();
        checked_names(&self.path(field), &list, check)
    }
}

/// Compiles the rule for `scope`. The first of `layers` that sets a field
/// decides it. `origin_timeout_seconds` is the default of `origin_timeout`.
pub(crate) fn compile(
    at: &str,
    scope: Scope,
    layers: &[&RuleSettings],
    origin_timeout_seconds: u64,
) -> Result<Rule, RulesError> {
    let read = Reader { at, layers };
    let csrf_cookies = globs(&read, "csrf_cookies", |r| &r.csrf_cookies)?;
    let mut drop_cookies = globs(&read, "drop_cookies", |r| &r.drop_cookies)?;
    drop_cookies.extend_from_slice(&csrf_cookies);
    let (bypass_cookies, bypass_sessions) = bypass_cookies(&read)?;
    let forward = read.names("forward_headers", |r| &r.forward_headers, is_token)?;
    let yes = |of: fn(&RuleSettings) -> &Option<bool>, default| read.get(of).unwrap_or(default);
    let shadow = yes(|r| &r.shadow, false);
    Ok(Rule {
        scope,
        source: Source::default(),
        cache: yes(|r| &r.cache, true),
        shadow,
        edge_ttl: read.seconds("edge_ttl", |r| &r.edge_ttl)?,
        browser_ttl: read.seconds("browser_ttl", |r| &r.browser_ttl)?,
        immutable: yes(|r| &r.immutable, false),
        stale_while_revalidate: read
            .seconds("stale_while_revalidate", |r| &r.stale_while_revalidate)?,
        stale_if_error: read.seconds("stale_if_error", |r| &r.stale_if_error)?,
        error_statuses: error_statuses(&read)?,
        negative_ttl: negative_ttl(&read)?,
        ttl_jitter_percent: read.number("ttl_jitter", |r| &r.ttl_jitter, 0, (0, 50), "percent")?,
        early_refresh: yes(|r| &r.early_refresh, true),
        memory: yes(|r| &r.memory, true),
        collapse: read.get(|r| &r.collapse).unwrap_or(Collapse::DataCentre),
        origin_timeout_seconds: read.number(
            "origin_timeout",
            |r| &r.origin_timeout,
            origin_timeout_seconds,
            (1, 300),
            "seconds",
        )?,
        retries: read.number("retries", |r| &r.retries, 1, (0, 5), "times")?,
        query: query(&read)?,
        drop_tracking: yes(|r| &r.drop_tracking, true),
        sort_query: yes(|r| &r.sort_query, true),
        key_headers: key_headers(&read)?,
        key_cookies: key_cookies(&read, &csrf_cookies)?,
        bypass_cookies,
        bypass_sessions,
        drop_cookies,
        csrf_cookies,
        strip_set_cookie: globs(&read, "strip_set_cookie", |r| &r.strip_set_cookie)?,
        forward_all: forward.iter().any(|name| name == "*"),
        forward_headers: lower(&forward),
        esi: yes(|r| &r.esi, false),
        no_vary_search: yes(|r| &r.no_vary_search, false),
        invalidate_on_write: yes(|r| &r.invalidate_on_write, true),
        request_directives: yes(|r| &r.request_directives, false),
        heuristic_freshness: yes(|r| &r.heuristic_freshness, false),
        purge_dialects: read.get(|r| &r.purge_dialects).unwrap_or_default(),
        tags: read.names("tags", |r| &r.tags, is_tag)?,
        kv: match read.get(|r| &r.kv) {
            // What nobody may be served is not worth a write to KV.
            _ if shadow => Kv::Never,
            None | Some(KvSettings::Earned) => Kv::Earned,
            Some(KvSettings::Always(true)) => Kv::Always,
            Some(KvSettings::Always(false)) => Kv::Never,
        },
        kv_min_ttl: read
            .seconds("kv_min_ttl", |r| &r.kv_min_ttl)?
            .unwrap_or(KV_MIN_TTL),
    })
}

fn lower(list: &[String]) -> Vec<String> {
    list.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn key_headers(read: &Reader<'_>) -> Result<Vec<String>, RulesError> {
    let names = read.names("key_headers", |r| &r.key_headers, is_token)?;
    if let Some(name) = names.iter().find(|name| is_never_keyed(name)) {
        let problem = format!("{name} cannot be in the key: Edgekeep sets or answers it itself");
        return Err(wrong(&read.path("key_headers"), problem));
    }
    Ok(lower(&names))
}

fn key_cookies(read: &Reader<'_>, csrf: &[Glob]) -> Result<Vec<String>, RulesError> {
    let names = read.names("key_cookies", |r| &r.key_cookies, is_token)?;
    let is_csrf = |name: &&String| csrf.iter().any(|glob| glob.matches(name));
    if let Some(name) = names.iter().find(is_csrf) {
        let problem = format!("{name} cannot be in the key: it is one of csrf_cookies");
        return Err(wrong(&read.path("key_cookies"), problem));
    }
    Ok(names)
}

fn globs(
    read: &Reader<'_>,
    field: &str,
    of: fn(&RuleSettings) -> &Option<Vec<String>>,
) -> Result<Vec<Glob>, RulesError> {
    let names = read.names(field, of, is_token)?;
    Ok(names.iter().map(|name| Glob::new(name)).collect())
}

/// In a list of `bypass_cookies`, includes the whole default list. No cookie has
/// this name: `@` is not allowed in a token (RFC 9110 §5.6.2).
const DEFAULT_LIST: &str = "@default";

/// The patterns of `bypass_cookies`, and whether the default list also applies.
fn bypass_cookies(read: &Reader<'_>) -> Result<(Vec<Glob>, bool), RulesError> {
    let Some(names) = read.get(|r| &r.bypass_cookies) else {
        return Ok((Vec::new(), true));
    };
    let is_known = |name: &str| match name {
        DEFAULT_LIST => Ok(()),
        name => is_token(name),
    };
    let names = checked_names(&read.path("bypass_cookies"), &names, is_known)?;
    let own = names.iter().filter(|name| *name != DEFAULT_LIST);
    let own: Vec<Glob> = own.map(|name| Glob::new(name)).collect();
    let with_default = own.len() < names.len();
    Ok((own, with_default))
}

fn error_statuses(read: &Reader<'_>) -> Result<Vec<u16>, RulesError> {
    let path = read.path("error_statuses");
    let Some(list) = read.get(|r| &r.error_statuses) else {
        return Ok(ERROR_STATUSES.to_vec());
    };
    if list.len() > NAMES_MAX {
        return Err(wrong(&path, format!("more than {NAMES_MAX} statuses")));
    }
    let is_error = |status: &u16| matches!(status, 429 | 500..=599);
    match list.iter().position(|status| !is_error(status)) {
        Some(at) => Err(wrong(&format!("{path}[{at}]"), "must be 429 or 500 to 599")),
        None => Ok(list),
    }
}

fn negative_ttl(read: &Reader<'_>) -> Result<Vec<(u16, u64)>, RulesError> {
    let path = read.path("negative_ttl");
    let Some(NegativeTtl(table)) = read.get(|r| &r.negative_ttl) else {
        return Ok(NEGATIVE_TTL.to_vec());
    };
    if table.len() > NAMES_MAX {
        return Err(wrong(&path, format!("more than {NAMES_MAX} statuses")));
    }
    checked_lifetimes(&path, &table)
}

fn checked_lifetimes(path: &str, table: &[(String, u64)]) -> Result<Vec<(u16, u64)>, RulesError> {
    let mut list = Vec::new();
    for (status, seconds) in table {
        let at = format!("{path}.{status}");
        let status = status.parse().ok().filter(|s| (400..600).contains(s));
        let status = status.ok_or_else(|| wrong(&at, "the name must be a status, 400 to 599"))?;
        if *seconds > SECONDS_MAX {
            let problem = format!("must be at most {SECONDS_MAX} seconds, not {seconds}");
            return Err(wrong(&at, problem));
        }
        list.push((status, *seconds));
    }
    Ok(list)
}

fn query(read: &Reader<'_>) -> Result<Query, RulesError> {
    let names = |list: &[String]| {
        if list.len() > NAMES_MAX {
            let problem = format!("more than {NAMES_MAX} names");
            return Err(wrong(&read.path("query"), problem));
        }
        Ok(list.iter().map(|n| url::canonical_parameter(n)).collect())
    };
    Ok(match read.get(|r| &r.query) {
        None | Some(QuerySettings::All) => Query::All,
        Some(QuerySettings::Allow { allow }) => Query::Allow(names(&allow)?),
        Some(QuerySettings::Deny { deny }) => Query::Deny(names(&deny)?),
    })
}

/// A check of a name; the error says what is wrong with it.
type NameCheck = fn(&str) -> Result<(), &'static str>;

fn checked_names(path: &str, list: &[String], check: NameCheck) -> Result<Vec<String>, RulesError> {
    if list.len() > NAMES_MAX {
        return Err(wrong(path, format!("more than {NAMES_MAX} names")));
    }
    for (at, name) in list.iter().enumerate() {
        check(name).map_err(|problem| wrong(&format!("{path}[{at}]"), problem))?;
    }
    Ok(list.to_vec())
}

/// Checks that a name of a field or cookie is a token (RFC 9110 §5.6.2), with
/// at most 256 bytes. `*` is a token character, so patterns pass.
fn is_token(name: &str) -> Result<(), &'static str> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !name.is_empty() && name.len() <= 256 && name.bytes().all(valid) {
        Ok(())
    } else {
        Err("is not a valid name")
    }
}

fn is_tag(tag: &str) -> Result<(), &'static str> {
    if crate::cache::matching::tag::is_reserved_tag(tag) {
        Err("tags that begin with edgekeep- are reserved")
    } else if crate::cache::matching::tag::is_tag(tag) {
        Ok(())
    } else {
        Err("a tag is 1 to 1024 printable characters without spaces and commas")
    }
}

/// Whether a field must not be in a key, because Edgekeep sets it, answers it
/// itself, or decides by it whether a request may use the cache.
fn is_never_keyed(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "*",
        "edgekeep-debug",
        "cookie",
        "host",
        "connection",
        "range",
        "if-range",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "cache-control",
        "pragma",
        "authorization",
    ];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || crate::http::forwarding::is_forwarding_field(&name)
}
