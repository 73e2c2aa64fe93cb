//! Parses the lines of a story that describe its world: settings, responses of
//! origins, and faults.

use super::story::Player;
use super::{Plan, secrets};
use edgekeep::http::fields::Fields;

/// The rules of a story, as the JSON that the worker would read.
pub fn rules(text: &str, name: &str) -> Result<String, String> {
    let mut globs: Vec<(String, toml::Table)> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("rule ")) {
        let (left, value) = line.split_once('=').ok_or("rule without =")?;
        let mut left: Vec<&str> = left.split_whitespace().collect();
        let key = left.pop().ok_or("rule without key")?;
        let glob = left.pop().unwrap_or("*").to_owned();
        let field: toml::Table = format!("{key} = {value}")
            .parse()
            .map_err(|e| format!("{line}: {e}"))?;
        match globs.iter_mut().find(|(known, _)| *known == glob) {
            Some((_, rule)) => rule.extend(field),
            None => globs.push((glob, field)),
        }
    }
    let rules: Vec<serde_json::Value> = globs
        .into_iter()
        .map(|(glob, rule)| {
            let mut rule = serde_json::to_value(rule).unwrap_or_default();
            rule["host"] = format!("{name}.test").into();
            rule["path"] = glob.into();
            rule
        })
        .collect();
    let mut settings = serde_json::json!({
        "origin": "http://origin.test", "max_purge_lag": 1, "origin_timeout": 2, "rules": rules,
        "keys": keys(text, name)?, "cascades": cascades(text)?,
        // In workerd stories share an origin; its failures in one story must
        // not affect the others.
        "protection": { "breaker_failures": 0, "retry_budget": 100 },
    });
    if text.lines().any(|line| line.starts_with("backup ")) {
        settings["backup_origin"] = "http://backup.test".into();
    }
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("setting "))
    {
        let given = serde_json::to_value(field(line)?).unwrap_or_default();
        merge(&mut settings, given);
    }
    Ok(settings.to_string())
}

/// Merges `given` into settings: tables are merged, other values replaced.
fn merge(settings: &mut serde_json::Value, given: serde_json::Value) {
    match (settings, given) {
        (serde_json::Value::Object(table), serde_json::Value::Object(given)) => {
            for (name, value) in given {
                merge(table.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
        (place, given) => *place = given,
    }
}

fn field(text: &str) -> Result<toml::Table, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// `key NAME [field = VALUE]`: the lines of one name form one key.
fn keys(text: &str, story: &str) -> Result<Vec<serde_json::Value>, String> {
    let mut keys: Vec<(String, toml::Table)> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("key ")) {
        let line = line.replace("$host", &format!("{story}.test"));
        let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match keys.iter_mut().find(|(known, _)| known == name) {
            Some((_, key)) => key.extend(field(rest)?),
            None => keys.push((name.to_owned(), field(rest)?)),
        }
    }
    let json = |(name, key)| {
        let mut json = serde_json::to_value(key).unwrap_or_default();
        let name = secrets::full_name(story, name);
        json["secret"] = secrets::variable(&name).into();
        json["name"] = name.into();
        json
    };
    Ok(keys.iter().map(|(name, key)| json((name, key))).collect())
}

/// `cascade GLOB = [TAG, …]`
fn cascades(text: &str) -> Result<Vec<serde_json::Value>, String> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("cascade "));
    let json = |line: &str| {
        let (tag, carries) = line.split_once(" = ").ok_or("cascade GLOB = [TAG]")?;
        let mut carries = field(&format!("carries = {carries}"))?;
        let carries = carries.remove("carries");
        Ok(serde_json::json!({ "tag": tag, "carries": carries }))
    };
    lines.map(json).collect()
}

pub fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.split("; ").map(str::trim).filter(|s| !s.is_empty())
}

impl Player {
    pub fn origin(&mut self, place: &str, rest: &str) -> Result<(), String> {
        let (path, mut rest) = rest.split_once(' ').ok_or("origin PATH …")?;
        let path = format!("{place}{path}");
        let mut times = 0;
        if let Some((count, plan)) = rest.strip_prefix("next=").and_then(|r| r.split_once(' ')) {
            times = count.parse().map_err(|_| "next=N")?;
            rest = plan;
        }
        let mut body = String::new();
        if let Some((head, text)) = rest.split_once('|') {
            (rest, body) = (head.trim(), text.trim().to_owned());
        }
        let (mut slow_ms, mut cut) = (0, false);
        let mut words = rest.split(' ').peekable();
        while let Some(word) = words.peek() {
            if let Some(seconds) = word.strip_prefix("slow=") {
                slow_ms = (seconds.parse::<f64>().map_err(|_| "slow=SECONDS")? * 1000.0) as u64;
            } else if *word == "cut" {
                cut = true;
            } else {
                break;
            }
            words.next();
        }
        let status = words.next().unwrap_or_default();
        let plan = match status {
            "down" => Plan::Down,
            "hang" => Plan::Hang,
            _ => {
                let mut fields = Fields::new();
                let rest: Vec<&str> = words.collect();
                for segment in segments(&rest.join(" ")) {
                    let (name, value) = segment
                        .split_once(": ")
                        .unwrap_or(("cache-control", segment));
                    fields.add(name, value);
                }
                let status = status.parse().map_err(|_| "origin PATH STATUS")?;
                Plan::Answer {
                    slow_ms,
                    cut,
                    status,
                    fields,
                    body,
                }
            }
        };
        let mut state = self.world.state.borrow_mut();
        if times == 0 {
            state.plans.insert(path, plan);
        } else {
            let next = state.next_plans.entry(path).or_default();
            next.extend(std::iter::repeat_n(plan, times));
        }
        Ok(())
    }

    pub fn fault(&mut self, part: &str, state: &str) -> Result<(), String> {
        let names = ["ledger", "kv", "cache-api"];
        let part = *names
            .iter()
            .find(|name| **name == part)
            .ok_or("unknown part")?;
        let state_of_world = &mut *self.world.state.borrow_mut();
        match (part, state.strip_prefix("slow="), state) {
            (_, _, "down") => state_of_world.down.push(part),
            (_, _, "up") => {
                let full = |name: &str| part == "kv" && name == "kv-writes";
                let of_part = |name: &str| name == part || full(name);
                state_of_world.down.retain(|name| !of_part(name));
                state_of_world.slow.remove(part);
            }
            ("kv", _, "full") => state_of_world.down.push("kv-writes"),
            ("kv", Some(seconds), _) => {
                let seconds: f64 = seconds.parse().map_err(|_| "slow=SECONDS")?;
                let milliseconds = (seconds * 1000.0) as u64;
                state_of_world.slow.insert(part, milliseconds);
            }
            _ => return Err("up, down, or for kv: full, slow=SECONDS".to_owned()),
        }
        Ok(())
    }

    /// `spoil kv|cache-api garbage|old-format|cut`: makes all entries of the
    /// tier invalid.
    pub fn spoil(&mut self, rest: &str) -> Result<(), String> {
        let (tier, how) = rest.split_once(' ').ok_or("spoil TIER HOW")?;
        let state = &mut *self.world.state.borrow_mut();
        let held = match tier {
            "kv" => &mut state.kv,
            "cache-api" => &mut state.cache_api,
            _ => return Err("no such tier".to_owned()),
        };
        if held.is_empty() {
            return Err("it has no entries".to_owned());
        }
        for (text, _, _) in held.values_mut() {
            *text = match how {
                "garbage" => "%&/( no entry".to_owned(),
                "old-format" => text.replacen(|c: char| c.is_ascii_digit(), "1", 1),
                "cut" => text[..text.len() / 2].to_owned(),
                _ => return Err("garbage, old-format or cut".to_owned()),
            };
        }
        Ok(())
    }
}
