//! The checked and compiled settings.

use super::cascade::Cascades;
use super::error::RulesError;
use super::error::within;
use super::error::wrong;
use super::inheritance::compile_all;
use super::keys::{self, KeyRule};
use super::limits::Pace;
use super::limits::{MEMORY_BYTES, MEMORY_BYTES_MAX};
use super::limits::{PAGES_MAX, SITEMAPS_MAX, URLS_MAX};
use super::protection::Protection;
use super::read_settings::read_settings;
use super::rule::{Origin, Rule};
use super::setting_sources::{RuleSources, settings_of};
use super::setting_words::LedgerOutage;
use super::settings::{FastLaneSettings, OriginSettings, RuleSettings, Settings, WarmSettings};
use crate::http::url::{self, Url};
use std::fmt;
use std::rc::Rc;

/// The checked settings, with their compiled rules.
#[derive(Debug)]
pub struct Rules {
    /// See [`Settings::max_purge_lag`].
    pub max_purge_lag_seconds: u64,
    /// Whether entries are served while the ledger cannot be reached (see
    /// [`Settings::on_ledger_outage`]).
    pub serve_in_ledger_outage: bool,
    /// See [`Settings::origin_timeout`]. A rule's own takes precedence.
    pub origin_timeout_seconds: u64,
    /// See [`Settings::origin_deadline`].
    pub origin_deadline_seconds: u64,
    /// See [`Settings::origin_body_timeout`].
    pub origin_body_timeout_seconds: Option<u64>,
    /// The limits that protect origins.
    pub protection: Protection,
    /// See [`Settings::log_hits`].
    pub log_hits: bool,
    /// See [`Settings::stats_interval`].
    pub stats_interval_seconds: u64,
    /// See [`Settings::analytics_sample`].
    pub analytics_sample: u64,
    /// See [`Settings::dashboard`].
    pub dashboard: bool,
    /// See [`Settings::memory_bytes`].
    pub memory_bytes: u64,
    /// See [`Settings::kv_writes_per_day`].
    pub kv_writes_per_day: Option<u64>,
    /// What the cron trigger fetches.
    pub warm: Warm,
    /// The keys that sign purge orders, the default one first.
    pub keys: Vec<KeyRule>,
    /// The cascades of tags.
    pub cascades: Cascades,
    /// Whether the settings are invalid, so that all requests pass (see
    /// [`Rules::passing`]).
    pub misconfigured: bool,
    origin: Option<Origin>,
    backup: Option<Origin>,
    origins: Vec<(String, Origin, Option<Origin>)>,
    /// The user's rules, each split by the rules of its profile; then the
    /// profile's rules.
    rules: Vec<Rc<Rule>>,
    fallback: Rc<Rule>,
    own_rules: usize,
    /// See [`Settings::fast_lane`].
    pub fast_lane: Pace,
    /// The JSON that the rules were read from; empty if they were not.
    /// Cloudflare allows a variable of 5 KB.
    json: SettingsText,
}

/// The text of the settings. Its debug form is empty: two texts may mean the
/// same rules.
#[derive(Default)]
struct SettingsText(String);

impl fmt::Debug for SettingsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SettingsText")
    }
}

/// What the cron trigger fetches into KV.
#[derive(Clone, Debug, Default)]
pub struct Warm {
    /// URLs of pages.
    pub urls: Vec<Url>,
    /// URLs of sitemaps.
    pub sitemaps: Vec<Url>,
    /// The largest number of pages in a run.
    pub limit: u64,
}

/// The largest number of rules. Each costs a glob match for each request.
const RULES_MAX: usize = 500;

impl Rules {
    /// Reads settings from a JSON text, checks and compiles them. Errors contain
    /// the path of the field.
    pub fn read_json(json: &str) -> Result<Self, RulesError> {
        let mut rules = Self::check(read_settings(json)?)?;
        json.clone_into(&mut rules.json.0);
        Ok(rules)
    }

    /// The settings of a rule, and where each comes from.
    pub fn settings_of(&self, rule: &Rule) -> RuleSources {
        let mut sources = settings_of(&self.json.0, rule.source);
        // It has no default of its own.
        let mut settings = sources.settings.iter_mut();
        let timeout = settings.find(|setting| setting.name == "origin_timeout");
        if let Some(timeout) = timeout.filter(|timeout| timeout.value.is_null()) {
            timeout.value = rule.origin_timeout_seconds.into();
        }
        sources
    }

    /// Checks settings and compiles them.
    pub fn check(settings: Settings) -> Result<Self, RulesError> {
        let seconds = |name: &str, value: Option<u64>, default: u64, limits: (u64, u64)| {
            within(name, value, default, limits, "seconds")
        };
        let timeout = settings.origin_timeout;
        let origin_timeout_seconds = seconds("origin_timeout", timeout, 30, (1, 300))?;
        let deadline = settings.origin_deadline;
        let body = settings.origin_body_timeout;
        let origins = settings.origins.iter();
        if settings.rules.len() > RULES_MAX {
            return Err(wrong("rules", format!("more than {RULES_MAX} rules")));
        }
        not_in_defaults(&settings.defaults)?;
        let (rules, fallback) = compile_all(&settings, origin_timeout_seconds)?;
        Ok(Self {
            max_purge_lag_seconds: seconds("max_purge_lag", settings.max_purge_lag, 5, (1, 60))?,
            serve_in_ledger_outage: settings.on_ledger_outage != Some(LedgerOutage::Revalidate),
            origin_timeout_seconds,
            origin_deadline_seconds: seconds("origin_deadline", deadline, 60, (1, 600))?,
            origin_body_timeout_seconds: match body {
                Some(_) => Some(seconds("origin_body_timeout", body, 0, (1, 3600))?),
                None => None,
            },
            protection: Protection::check(&settings.protection)?,
            log_hits: settings.log_hits != Some(false),
            stats_interval_seconds: seconds(
                "stats_interval",
                settings.stats_interval,
                60,
                (0, 3600),
            )?,
            analytics_sample: within(
                "analytics_sample",
                settings.analytics_sample,
                1,
                (1, 1_000_000),
                "requests",
            )?,
            dashboard: settings.dashboard == Some(true),
            memory_bytes: memory_bytes(settings.memory_bytes)?,
            kv_writes_per_day: settings.kv_writes_per_day,
            warm: warm(&settings.warm)?,
            keys: keys::check(&settings.keys)?,
            cascades: Cascades::check(&settings.cascades)?,
            misconfigured: false,
            origin: origin("origin", settings.origin.as_deref())?,
            backup: origin("backup_origin", settings.backup_origin.as_deref())?,
            origins: origins.map(origins_of).collect::<Result<_, _>>()?,
            rules,
            fallback,
            own_rules: settings.rules.len(),
            fast_lane: pace(&settings.fast_lane)?,
            json: SettingsText::default(),
        })
    }

    /// The number of the user's rules, without defaults and profiles.
    pub fn len(&self) -> usize {
        self.own_rules
    }

    /// Whether the user has no rules.
    pub fn is_empty(&self) -> bool {
        self.own_rules == 0
    }

    /// All compiled rules, including the one for URLs that no other matches.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().chain([&self.fallback]).map(Rc::as_ref)
    }

    /// The rule for a URL: the first that matches it, otherwise the defaults.
    pub fn rule_for(&self, url: &Url) -> Rc<Rule> {
        let fits = |rule: &&Rc<Rule>| rule.scope.holds(url);
        Rc::clone(self.rules.iter().find(fits).unwrap_or(&self.fallback))
    }

    /// The origin of a host. `None` in a routed zone: requests go to the host
    /// itself.
    pub fn origin_of(&self, host: &str) -> Option<&Origin> {
        match self.named(host) {
            Some((_, origin, _)) => Some(origin),
            None => self.origin.as_ref(),
        }
    }

    /// The backup origin of a host, for requests that its origin fails to
    /// answer.
    pub fn backup_of(&self, host: &str) -> Option<&Origin> {
        match self.named(host) {
            Some((_, _, backup)) => backup.as_ref(),
            None => self.backup.as_ref(),
        }
    }

    fn named(&self, host: &str) -> Option<&(String, Origin, Option<Origin>)> {
        let of = |host: &str| self.origins.iter().find(|(wanted, _, _)| wanted == host);
        of(host).or_else(|| of(url::host_name(host)))
    }
}

/// Checks that the defaults do not set the fields by which rules match URLs, or
/// `profile`.
fn not_in_defaults(defaults: &RuleSettings) -> Result<(), RulesError> {
    let everywhere = "the defaults hold everywhere; use a rule";
    let found = [
        ("defaults.host", defaults.host.is_some(), everywhere),
        ("defaults.path", defaults.path.is_some(), everywhere),
        ("defaults.hashed", defaults.hashed.is_some(), everywhere),
        (
            "defaults.profile",
            defaults.profile.is_some(),
            "stands at the top, beside the defaults, or in a rule",
        ),
    ]
    .into_iter()
    .find(|(_, is_set, _)| *is_set);
    match found {
        Some((path, _, problem)) => Err(wrong(path, problem)),
        None => Ok(()),
    }
}

fn warm(settings: &WarmSettings) -> Result<Warm, RulesError> {
    let read = |name: &str, list: &[String], most: usize| {
        if list.len() > most {
            return Err(wrong(name, format!("more than {most} URLs")));
        }
        let url = |(at, text): (usize, &String)| {
            let path = format!("{name}[{at}]");
            Url::parse(text).map_err(|error| wrong(&path, format!("the URL {error}")))
        };
        list.iter().enumerate().map(url).collect()
    };
    Ok(Warm {
        urls: read("warm.urls", &settings.urls, URLS_MAX)?,
        sitemaps: read("warm.sitemaps", &settings.sitemaps, SITEMAPS_MAX)?,
        limit: within(
            "warm.limit",
            settings.limit,
            1000,
            (1, PAGES_MAX as u64),
            "pages",
        )?,
    })
}

fn memory_bytes(setting: Option<u64>) -> Result<u64, RulesError> {
    match setting {
        Some(bytes) if bytes > MEMORY_BYTES_MAX => Err(wrong(
            "memory_bytes",
            format!(
                "must be at most {MEMORY_BYTES_MAX}, not {bytes}: an isolate has 128 MB for all"
            ),
        )),
        bytes => Ok(bytes.unwrap_or(MEMORY_BYTES)),
    }
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
    // The limits are those of the Enterprise plan.
    let rate = settings.requests_per_minute;
    Ok(Pace {
        requests_per_minute: number("requests_per_minute", rate, requests_per_minute, 3000)?,
        bucket: number("bucket", settings.bucket, bucket, 500)?,
    })
}

fn origins_of(
    (host, settings): &(String, OriginSettings),
) -> Result<(String, Origin, Option<Origin>), RulesError> {
    let path = format!("origins.{host}");
    let (name, port) = host.split_at(url::host_name(host).len());
    let valid = Url::parse(&format!("http://{host}")).is_ok();
    let Some(name) = url::canonical_host(name).filter(|_| valid) else {
        return Err(wrong(&path, "the name is not a host name"));
    };
    let (url, backup) = match settings {
        OriginSettings::One(url) => (read_origin(&path, url)?, None),
        OriginSettings::Two(two) => (
            read_origin(&format!("{path}.url"), &two.url)?,
            origin(&format!("{path}.backup"), Some(&two.backup))?,
        ),
    };
    Ok((name + port, url, backup))
}

fn origin(path: &str, text: Option<&str>) -> Result<Option<Origin>, RulesError> {
    text.map(|text| read_origin(path, text)).transpose()
}

fn read_origin(path: &str, text: &str) -> Result<Origin, RulesError> {
    let url = Url::parse(text).map_err(|error| wrong(path, format!("the URL {error}")))?;
    if url.path != "/" || url.query.is_some() {
        return Err(wrong(path, "must be http(s)://host[:port] without a path"));
    }
    Ok(Origin {
        scheme: url.scheme,
        host: url.host,
    })
}
