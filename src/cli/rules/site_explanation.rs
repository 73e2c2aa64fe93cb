//! What a running site says about a request (`cache::explain::report`), and how
//! it is printed for people.

use crate::cache::config::setting_sources::DEFAULT;
use crate::cli::output::{self, BAD, GOOD, STRONG, WARNING, plain, styled};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;

/// The answer of `GET /.edgekeep/explain`. Another version of the Worker may
/// have written it: what is unknown is ignored, and `--json` prints all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SiteExplanation {
    url: String,
    expected: ExpectedResult,
    rule: Option<RuleSettings>,
    key: Option<Key>,
    #[serde(default)]
    vary: BTreeMap<String, Option<String>>,
    purge_index: Option<Index>,
    #[serde(default)]
    tiers: Vec<Tier>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct ExpectedResult {
    result: String,
    cache_status: String,
    reason: Option<String>,
    stale_if_error: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct RuleSettings {
    name: String,
    settings: Vec<SettingSource>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct SettingSource {
    name: String,
    value: Value,
    from: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Key {
    text: String,
    digest: String,
    changes: Vec<KeyChange>,
}

/// A change on the way from the request to its key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct KeyChange {
    part: String,
    what: String,
    from: String,
    to: Option<String>,
    by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Index {
    state: String,
    sequence: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Tier {
    tier: String,
    used: bool,
    copies: Vec<StoredCopy>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct StoredCopy {
    verdict: String,
    status: u16,
    age: u64,
    ttl: i64,
    length: Option<u64>,
    etag: Option<String>,
    last_modified: Option<String>,
    #[serde(default)]
    vary: BTreeMap<String, Option<String>>,
    #[serde(default)]
    tags: Vec<String>,
    filled_under: u64,
    purge: Option<Purge>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Purge {
    effect: String,
    sequence: Option<u64>,
    by: String,
}

impl SiteExplanation {
    /// Reads an answer. The error says what is missing.
    pub fn read(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| format!("the answer is no explanation: {error}"))
    }

    /// Prints it for people.
    pub fn print(&self) -> io::Result<()> {
        output::line(styled(STRONG, plain(&self.url)))?;
        self.expected.print()?;
        if let Some(key) = &self.key {
            key.print()?;
        }
        print_vary("  the variant is chosen by:", "    ", &self.vary)?;
        for tier in &self.tiers {
            tier.print()?;
        }
        if let Some(Index { state, sequence }) = &self.purge_index {
            let heading = styled(STRONG, "  purge index:");
            output::line(format!("{heading} {}, up to {sequence}", plain(state)))?;
        }
        for note in &self.notes {
            output::line(format!("  {} {}", styled(BAD, "note:"), plain(note)))?;
        }
        match &self.rule {
            Some(rule) => rule.print(),
            None => Ok(()),
        }
    }
}

impl ExpectedResult {
    fn print(&self) -> io::Result<()> {
        let (style, meaning) = match self.result.as_str() {
            "hit" => (GOOD, "a client would get the stored response"),
            "stale" => (
                WARNING,
                "a client would get the stored response, which is refreshed behind it",
            ),
            "revalidate" => (
                WARNING,
                "the origin would be asked whether the stored response is still good",
            ),
            "miss" => (
                WARNING,
                "the origin would be asked: no stored response can be used",
            ),
            "pass" => (WARNING, "the origin would get the request whole"),
            "own" => (GOOD, "Edgekeep answers itself"),
            _ => (BAD, "a client would get an error"),
        };
        let reason = self.reason.as_deref().map(plain);
        let reason = reason.map(|reason| format!(" ({reason})"));
        let result = styled(style, plain(&self.result));
        let reason = reason.unwrap_or_default();
        output::line(format!("  {result}: {meaning}{reason}"))?;
        match self.stale_if_error {
            Some(true) => output::line("  if the origin fails, the stored response is served")?,
            Some(false) => output::line("  if the origin fails, so does this request")?,
            None => {}
        }
        output::line(format!("  Cache-Status: {}", plain(&self.cache_status)))
    }
}

impl Key {
    fn print(&self) -> io::Result<()> {
        output::line(styled(STRONG, "  key:"))?;
        for line in self.text.lines() {
            output::line(format!("    {}", plain(line)))?;
        }
        for change in &self.changes {
            let KeyChange {
                part, what, from, ..
            } = change;
            let to = change.to.as_deref().map(|to| format!(" -> {}", plain(to)));
            let by = change.by.as_deref().map(|by| format!(" ({})", plain(by)));
            output::line(format!(
                "    {}: {} {}{}{}",
                styled(WARNING, plain(what)),
                plain(part),
                plain(from),
                to.unwrap_or_default(),
                by.unwrap_or_default()
            ))?;
        }
        output::line(format!("    digest: {}", plain(&self.digest)))
    }
}

impl Tier {
    fn print(&self) -> io::Result<()> {
        let heading = styled(STRONG, format!("  {}:", plain(&self.tier)));
        if !self.used {
            return output::line(format!("{heading} not used by this rule"));
        }
        if self.copies.is_empty() {
            return output::line(format!("{heading} no copy"));
        }
        output::line(heading)?;
        self.copies.iter().try_for_each(StoredCopy::print)
    }
}

impl StoredCopy {
    fn print(&self) -> io::Result<()> {
        let style = match self.verdict.as_str() {
            "fresh" | "early-refresh" => GOOD,
            "purged" | "other-key" | "unauthorized" => BAD,
            _ => WARNING,
        };
        let verdict = styled(style, plain(&self.verdict));
        let length = self.length.map(|bytes| format!(", {bytes} bytes"));
        output::line(format!(
            "    {verdict}: status {}, age {} s, ttl {} s{}, filled under {}",
            self.status,
            self.age,
            self.ttl,
            length.unwrap_or_default(),
            self.filled_under
        ))?;
        if let Some(purge) = &self.purge {
            let sequence = purge.sequence.map(|sequence| format!(" {sequence}"));
            output::line(format!(
                "      {} purge{}: {}",
                plain(&purge.effect),
                sequence.unwrap_or_default(),
                plain(&purge.by)
            ))?;
        }
        let validators = [("etag", &self.etag), ("last-modified", &self.last_modified)];
        for (name, value) in validators {
            if let Some(value) = value {
                output::line(format!("      {name}: {}", plain(value)))?;
            }
        }
        if !self.tags.is_empty() {
            output::line(format!("      tags: {}", plain(&self.tags.join(", "))))?;
        }
        print_vary("      chosen by:", "        ", &self.vary)
    }
}

impl RuleSettings {
    /// Prints the settings that a table sets.
    fn print(&self) -> io::Result<()> {
        let heading = styled(STRONG, "rule:");
        output::line(format!("  {heading} {}", plain(&self.name)))?;
        let written = |setting: &&SettingSource| setting.from != DEFAULT;
        for setting in self.settings.iter().filter(written) {
            let SettingSource { name, value, from } = setting;
            output::line(format!("    {} = {value}  ({})", plain(name), plain(from)))?;
        }
        output::line("    all else: the defaults of docs/rules.md")
    }
}

fn print_vary(
    heading: &str,
    indent: &str,
    vary: &BTreeMap<String, Option<String>>,
) -> io::Result<()> {
    if vary.is_empty() {
        return Ok(());
    }
    output::line(styled(STRONG, heading))?;
    for (name, value) in vary {
        let value = value.as_deref().unwrap_or("(absent)");
        output::line(format!("{indent}{}: {}", plain(name), plain(value)))?;
    }
    Ok(())
}
