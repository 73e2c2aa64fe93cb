//! How the settings are read from JSON.

use super::dialect::Dialect;
use super::settings::{
    CascadeSettings, Collapse, FastLaneSettings, KeySettings, KvSettings, LedgerOutage,
    MaySettings, OriginSettings, ProtectionSettings, QuerySettings, RuleSettings, Settings,
    TwoOrigins, WarmSettings,
};
use crate::http::from_json::{FromJson, Members, Wrong, word};
use crate::http::json::Json;
use crate::read_from_table;

read_from_table!(all Settings {
    max_purge_lag,
    on_ledger_outage,
    origin_timeout,
    origin_deadline,
    origin_body_timeout,
    origin,
    backup_origin,
    origins,
    profile,
    protection,
    defaults,
    rules,
    keys,
    cascades,
    fast_lane,
    kv_writes_per_day,
    memory_bytes,
    log_hits,
    warm
});

read_from_table!(only TwoOrigins {
    url,
    backup
});

read_from_table!(all ProtectionSettings {
    breaker_failures,
    breaker_pause,
    max_requests,
    queue_timeout,
    retry_budget
});

read_from_table!(all WarmSettings {
    urls,
    sitemaps,
    limit
});

read_from_table!(only MaySettings {
    hosts,
    tags,
    everything
});

read_from_table!(only CascadeSettings {
    tag,
    carries
});

read_from_table!(all FastLaneSettings {
    requests_per_minute,
    bucket
});

read_from_table!(all RuleSettings {
    host,
    path,
    hashed,
    profile,
    cache,
    edge_ttl,
    browser_ttl,
    immutable,
    stale_while_revalidate,
    stale_if_error,
    error_statuses,
    negative_ttl,
    ttl_jitter,
    early_refresh,
    memory,
    collapse,
    origin_timeout,
    retries,
    query,
    drop_tracking,
    sort_query,
    key_headers,
    key_cookies,
    bypass_cookies,
    drop_cookies,
    csrf_cookies,
    esi,
    forward_headers,
    request_directives,
    heuristic_freshness,
    no_vary_search,
    invalidate_on_write,
    purge_dialects,
    tags,
    kv,
    kv_min_ttl
});

impl FromJson for KeySettings {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        let mut members = Members::only(json, &["name", "secret", "may", "admin"]);
        let mut key = Self::default();
        members.fill("name", &mut key.name);
        members.fill("secret", &mut key.secret);
        members.fill("admin", &mut key.admin);
        // null is not given in TOML: it would be "anything" here.
        if members.find("may").is_some() {
            let mut may = MaySettings::default();
            members.fill("may", &mut may);
            key.may = Some(may);
        }
        members.end(key)
    }
}

impl FromJson for OriginSettings {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        match json {
            Json::Text(url) => Ok(Self::One(url.clone())),
            Json::Table(_) => TwoOrigins::from_json(json).map(Self::Two),
            _ => Err(Wrong::new(
                "must be \"http(s)://host[:port]\" or { url = \"…\", backup = \"…\" }",
            )),
        }
    }
}

impl FromJson for KvSettings {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        match json {
            Json::Bool(always) => Ok(Self::Always(*always)),
            Json::Text(text) if text == "earned" => Ok(Self::Earned),
            _ => Err(Wrong::new("must be true, false or \"earned\"")),
        }
    }
}

impl FromJson for QuerySettings {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("must be \"all\", { allow = [names] } or { deny = [names] }");
        // One problem for all that may be wrong with it: which of the three
        // was meant is not known.
        match json {
            Json::Text(text) if text == "all" => Ok(Self::All),
            Json::Table(members) => match members.as_slice() {
                [(name, list)] if name == "allow" => {
                    let names = Vec::from_json(list).map_err(|_| wrong())?;
                    Ok(Self::Allow(names))
                }
                [(name, list)] if name == "deny" => {
                    let names = Vec::from_json(list).map_err(|_| wrong())?;
                    Ok(Self::Deny(names))
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl FromJson for Collapse {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        Ok(match word(json, &["off", "isolate", "data-centre"])? {
            0 => Self::Off,
            1 => Self::Isolate,
            _ => Self::DataCentre,
        })
    }
}

impl FromJson for LedgerOutage {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        Ok(match word(json, &["serve", "revalidate"])? {
            0 => Self::Serve,
            _ => Self::Revalidate,
        })
    }
}

impl FromJson for Dialect {
    fn from_json(json: &Json) -> Result<Self, Wrong> {
        Ok(
            match word(json, &["varnish", "fastly", "cloudflare", "github"])? {
                0 => Self::Varnish,
                1 => Self::Fastly,
                2 => Self::Cloudflare,
                _ => Self::Github,
            },
        )
    }
}
