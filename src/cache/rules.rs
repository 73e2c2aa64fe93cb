//! The rules that hold for a request: settings, checked and compiled once.

use super::cascade::Cascades;
use super::cookies::SESSION_COOKIES;
use super::dialect::Dialect;
use super::glob::Glob;
use super::permit::{self, KeyRule};
use super::settings::{FastLaneSettings, LedgerOutage, QuerySettings, RuleSettings, Settings};
use super::zone::Pace;
use crate::http::url::{self, Url};
use serde_json::Value;
use std::fmt;
use std::rc::Rc;

/// Checked settings.
#[derive(Debug)]
pub struct Rules {
    /// See [`Settings::max_purge_lag`].
    pub max_purge_lag_seconds: u64,
    /// Whether entries are served while the ledger cannot be reached (see
    /// [`Settings::on_ledger_outage`]).
    pub serve_in_ledger_outage: bool,
    /// See [`Settings::origin_timeout`].
    pub origin_timeout_seconds: u64,
    /// The keys that sign purge orders, the default one first.
    pub keys: Vec<KeyRule>,
    /// Which tags carry others.
    pub cascades: Cascades,
    origin: Option<Origin>,
    origins: Vec<(String, Origin)>,
    rules: Vec<Rc<Rule>>,
    fallback: Rc<Rule>,
    /// See [`Settings::fast_lane`].
    pub fast_lane: Pace,
}

/// Where requests of a host are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host, with a port unless it is the default.
    pub host: String,
}

/// One rule, with everything it inherits filled in.
#[derive(Clone, Debug)]
pub struct Rule {
    host: Glob,
    path: Glob,
    /// Whether requests may use the cache at all.
    pub cache: bool,
    /// See [`RuleSettings::edge_ttl`].
    pub edge_ttl: Option<u64>,
    /// See [`RuleSettings::browser_ttl`].
    pub browser_ttl: Option<u64>,
    /// See [`RuleSettings::stale_while_revalidate`].
    pub stale_while_revalidate: Option<u64>,
    /// See [`RuleSettings::stale_if_error`].
    pub stale_if_error: Option<u64>,
    /// Which query parameters are kept.
    pub query: Query,
    /// See [`RuleSettings::drop_tracking`].
    pub drop_tracking: bool,
    /// See [`RuleSettings::sort_query`].
    pub sort_query: bool,
    /// Lower-case field names.
    pub key_headers: Vec<String>,
    /// Cookie names.
    pub key_cookies: Vec<String>,
    /// Cookies that keep a request from the cache.
    pub bypass_cookies: Vec<Glob>,
    /// Lower-case field names.
    pub forward_headers: Vec<String>,
    /// `forward_headers = ["*"]`.
    pub forward_all: bool,
    /// See [`RuleSettings::no_vary_search`].
    pub no_vary_search: bool,
    /// See [`RuleSettings::invalidate_on_write`].
    pub invalidate_on_write: bool,
    /// See [`RuleSettings::request_directives`].
    pub request_directives: bool,
    /// See [`RuleSettings::heuristic_freshness`].
    pub heuristic_freshness: bool,
    /// See [`RuleSettings::purge_dialects`].
    pub purge_dialects: Vec<Dialect>,
    /// Tags added to what is stored.
    pub tags: Vec<String>,
    /// Whether answers are kept in KV too.
    pub kv: bool,
}

/// Which query parameters belong to the key.
#[derive(Clone, Debug)]
pub enum Query {
    /// All of them.
    All,
    /// Only these names.
    Allow(Vec<String>),
    /// All but these names.
    Deny(Vec<String>),
}

/// What is wrong with the settings, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError {
    /// Path of the field, such as `rules[2].edge_ttl`.
    pub path: String,
    /// What is wrong there, and what would be right.
    pub problem: String,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

/// How many rules there may be: each costs a glob match a request.
const RULES_MAX: usize = 500;
/// How many names a list may hold.
const NAMES_MAX: usize = 200;
/// The longest time a setting may name: 10 years, far from any overflow.
const SECONDS_MAX: u64 = 315_360_000;

impl Rules {
    /// Reads settings from JSON text; errors name the field's path.
    pub fn read_json(json: &str) -> Result<Self, RulesError> {
        let value: Value =
            serde_json::from_str(json).map_err(|error| wrong("EDGEKEEP", error.to_string()))?;
        tables_are_tables(&value)?;
        let settings: Settings =
            serde_path_to_error::deserialize(value).map_err(|error| RulesError {
                path: error.path().to_string(),
                problem: error.into_inner().to_string(),
            })?;
        Self::check(settings)
    }

    /// Checks settings and compiles them.
    pub fn check(settings: Settings) -> Result<Self, RulesError> {
        let max_purge_lag_seconds = within("max_purge_lag", settings.max_purge_lag, 5, 1, 60)?;
        let origin_timeout_seconds = within("origin_timeout", settings.origin_timeout, 30, 1, 300)?;
        let origin = match &settings.origin {
            Some(text) => Some(origin("origin", text)?),
            None => None,
        };
        let mut origins = Vec::new();
        for (host, text) in &settings.origins {
            let path = format!("origins.{host}");
            let name = Url::parse(&format!("http://{host}"));
            if host.contains(['/', '#', '?']) || name.is_err() {
                return Err(wrong(&path, "the name is not a host name"));
            }
            origins.push((host.to_ascii_lowercase(), self::origin(&path, text)?));
        }
        if settings.rules.len() > RULES_MAX {
            return Err(wrong("rules", format!("more than {RULES_MAX} rules")));
        }
        for (field, value) in [
            ("defaults.host", &settings.defaults.host),
            ("defaults.path", &settings.defaults.path),
        ] {
            if value.is_some() {
                return Err(wrong(field, "the defaults hold everywhere; use a rule"));
            }
        }
        let fallback = compile("defaults", &settings.defaults, &RuleSettings::default())?;
        let mut rules = Vec::new();
        for (at, rule) in settings.rules.iter().enumerate() {
            let rule = compile(&format!("rules[{at}]"), rule, &settings.defaults)?;
            rules.push(Rc::new(rule));
        }
        Ok(Self {
            max_purge_lag_seconds,
            serve_in_ledger_outage: settings.on_ledger_outage != Some(LedgerOutage::Revalidate),
            origin_timeout_seconds,
            keys: permit::check(&settings.keys)?,
            cascades: Cascades::check(&settings.cascades)?,
            origin,
            origins,
            rules,
            fallback: Rc::new(fallback),
            fast_lane: pace(&settings.fast_lane)?,
        })
    }

    /// How many rules there are, beside the defaults.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether the defaults are all there is.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule for a URL: the first that matches host name and path, else
    /// the defaults.
    pub fn rule_for(&self, url: &Url) -> Rc<Rule> {
        let fits =
            |rule: &&Rc<Rule>| rule.host.matches(url.host_name()) && rule.path.matches(&url.path);
        Rc::clone(self.rules.iter().find(fits).unwrap_or(&self.fallback))
    }

    /// Where requests of this host go; `None` in a routed zone.
    pub fn origin_of(&self, host: &str) -> Option<&Origin> {
        let name = url::host_name(host);
        let of = |host: &str| self.origins.iter().find(|(wanted, _)| wanted == host);
        of(host)
            .or_else(|| of(name))
            .map(|(_, origin)| origin)
            .or(self.origin.as_ref())
    }
}

/// serde would take a list for a table, its items in the order of our fields.
fn tables_are_tables(settings: &Value) -> Result<(), RulesError> {
    let table = |path: &str, value: &Value| match value {
        Value::Object(_) => Ok(()),
        _ => Err(wrong(path, "must be a table")),
    };
    table("EDGEKEEP", settings)?;
    if let Some(defaults) = settings.get("defaults") {
        table("defaults", defaults)?;
    }
    if let Some(fast_lane) = settings.get("fast_lane") {
        table("fast_lane", fast_lane)?;
    }
    for name in ["rules", "keys", "cascades"] {
        let list = settings.get(name).and_then(Value::as_array);
        for (at, item) in list.into_iter().flatten().enumerate() {
            table(&format!("{name}[{at}]"), item)?;
            // null is not given in TOML: it would be "anything" here.
            if let Some(may) = item.get("may").filter(|_| name == "keys") {
                table(&format!("keys[{at}].may"), may)?;
            }
        }
    }
    Ok(())
}

/// An error at a path of the settings.
pub(super) fn wrong(path: &str, problem: impl Into<String>) -> RulesError {
    RulesError {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

fn within(
    path: &str,
    value: Option<u64>,
    default: u64,
    least: u64,
    most: u64,
) -> Result<u64, RulesError> {
    let value = value.unwrap_or(default);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let problem = format!("must be from {least} to {most} seconds, not {value}");
    Err(wrong(path, problem))
}

fn pace(settings: &FastLaneSettings) -> Result<Pace, RulesError> {
    let number = |name: &str, value: Option<u64>, default: u64, most: u64| match value {
        Some(value) if !(1..=most).contains(&value) => Err(wrong(
            &format!("fast_lane.{name}"),
            format!("must be from 1 to {most}, not {value}"),
        )),
        value => Ok(value.unwrap_or(default)),
    };
    let Pace {
        requests_per_minute,
        bucket,
    } = Pace::FREE;
    // At most the Enterprise plan's.
    let rate = settings.requests_per_minute;
    Ok(Pace {
        requests_per_minute: number("requests_per_minute", rate, requests_per_minute, 3000)?,
        bucket: number("bucket", settings.bucket, bucket, 500)?,
    })
}

fn origin(path: &str, text: &str) -> Result<Origin, RulesError> {
    let url = Url::parse(text).map_err(|error| wrong(path, format!("the URL {error}")))?;
    if url.path != "/" || url.query.is_some() {
        return Err(wrong(path, "must be http(s)://host[:port] without a path"));
    }
    Ok(Origin {
        scheme: url.scheme,
        host: url.host,
    })
}

fn compile(at: &str, rule: &RuleSettings, base: &RuleSettings) -> Result<Rule, RulesError> {
    let field = |name: &str| format!("{at}.{name}");
    if rule
        .path
        .as_ref()
        .is_some_and(|p| !p.starts_with(['/', '*']))
    {
        return Err(wrong(&field("path"), "must begin with / or *"));
    }
    let seconds = |name: &str, own: Option<u64>, inherited: Option<u64>| match own.or(inherited) {
        Some(value) if value > SECONDS_MAX => Err(wrong(
            &field(name),
            format!("must be at most {SECONDS_MAX} seconds, not {value}"),
        )),
        value => Ok(value),
    };
    let names = |name: &str,
                 own: &Option<Vec<String>>,
                 inherited: &Option<Vec<String>>,
                 check: NameCheck| {
        let list = own.as_ref().or(inherited.as_ref());
        checked_names(&field(name), list.map_or(&[][..], Vec::as_slice), check)
    };
    let lower = |list: Vec<String>| -> Vec<String> {
        list.iter().map(|name| name.to_ascii_lowercase()).collect()
    };
    let forward = names(
        "forward_headers",
        &rule.forward_headers,
        &base.forward_headers,
        is_token,
    )?;
    let key_headers = names(
        "key_headers",
        &rule.key_headers,
        &base.key_headers,
        is_token,
    )?;
    if let Some(name) = key_headers.iter().find(|name| is_never_keyed(name)) {
        let problem = format!("{name} cannot be in the key: Edgekeep sets or answers it itself");
        return Err(wrong(&field("key_headers"), problem));
    }
    let session = SESSION_COOKIES.map(str::to_owned).to_vec();
    let bypass = rule
        .bypass_cookies
        .as_ref()
        .or(base.bypass_cookies.as_ref());
    let bypass = bypass.unwrap_or(&session);
    Ok(Rule {
        host: Glob::new(&rule.host.as_deref().unwrap_or("*").to_ascii_lowercase()),
        path: Glob::new(&url::canonical_path_pattern(
            rule.path.as_deref().unwrap_or("*"),
        )),
        cache: rule.cache.or(base.cache).unwrap_or(true),
        edge_ttl: seconds("edge_ttl", rule.edge_ttl, base.edge_ttl)?,
        browser_ttl: seconds("browser_ttl", rule.browser_ttl, base.browser_ttl)?,
        stale_while_revalidate: seconds(
            "stale_while_revalidate",
            rule.stale_while_revalidate,
            base.stale_while_revalidate,
        )?,
        stale_if_error: seconds("stale_if_error", rule.stale_if_error, base.stale_if_error)?,
        query: query(&field("query"), rule.query.as_ref().or(base.query.as_ref()))?,
        drop_tracking: rule.drop_tracking.or(base.drop_tracking).unwrap_or(true),
        sort_query: rule.sort_query.or(base.sort_query).unwrap_or(true),
        key_headers: lower(key_headers),
        key_cookies: names(
            "key_cookies",
            &rule.key_cookies,
            &base.key_cookies,
            is_token,
        )?,
        bypass_cookies: checked_names(&field("bypass_cookies"), bypass, is_token)?
            .iter()
            .map(|name| Glob::new(name))
            .collect(),
        forward_all: forward.iter().any(|name| name == "*"),
        forward_headers: lower(forward),
        no_vary_search: rule.no_vary_search.or(base.no_vary_search).unwrap_or(false),
        invalidate_on_write: rule
            .invalidate_on_write
            .or(base.invalidate_on_write)
            .unwrap_or(true),
        request_directives: rule
            .request_directives
            .or(base.request_directives)
            .unwrap_or(false),
        heuristic_freshness: rule
            .heuristic_freshness
            .or(base.heuristic_freshness)
            .unwrap_or(false),
        purge_dialects: rule
            .purge_dialects
            .as_ref()
            .or(base.purge_dialects.as_ref())
            .cloned()
            .unwrap_or_default(),
        tags: names("tags", &rule.tags, &base.tags, is_tag)?,
        kv: rule.kv.or(base.kv).unwrap_or(true),
    })
}

/// A test of a name, and what to say when it fails.
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

/// Field names and cookie names are tokens (RFC 9110 §5.6.2); `*` is one too.
fn is_token(name: &str) -> Result<(), &'static str> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !name.is_empty() && name.len() <= 256 && name.bytes().all(valid) {
        Ok(())
    } else {
        Err("is not a valid name")
    }
}

fn is_tag(tag: &str) -> Result<(), &'static str> {
    if super::selector::is_tag(tag) {
        Ok(())
    } else {
        Err("a tag is 1 to 1024 printable characters without spaces and commas")
    }
}

/// Fields that Edgekeep sets itself, answers itself, or that decide whether a
/// request is cached at all; as part of a key they would mislead.
fn is_never_keyed(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "*",
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
    NAMES.contains(&name.as_str()) || super::request::is_forwarding_field(&name)
}

fn query(path: &str, settings: Option<&QuerySettings>) -> Result<Query, RulesError> {
    let names = |list: &[String]| {
        if list.len() > NAMES_MAX {
            return Err(wrong(path, format!("more than {NAMES_MAX} names")));
        }
        Ok(list.iter().map(|n| url::canonical_parameter(n)).collect())
    };
    Ok(match settings {
        None | Some(QuerySettings::All(_)) => Query::All,
        Some(QuerySettings::Allow(list)) => Query::Allow(names(&list.allow)?),
        Some(QuerySettings::Deny(list)) => Query::Deny(names(&list.deny)?),
    })
}
