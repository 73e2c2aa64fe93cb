//! Reads and plays stories (`tests/stories/README.md`) in the simulated world.

use super::filler::End;
use super::secrets;
pub use super::secrets::sign;
use super::{Bytes, Plan, World};
use edgekeep::cache::rules::Rules;
use edgekeep::flow::isolate::Isolate;
use edgekeep::flow::keys::Keys;
use edgekeep::flow::reply::{Answer, Content, Piece};
use edgekeep::flow::serve::serve;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// 2026-11-23, 09:00: any time does, as long as it is not 0.
const START_MS: u64 = 1_795_424_400_000;

type Slot = Rc<RefCell<Option<Answer<Bytes>>>>;

/// A story being played.
struct Player {
    world: World,
    name: String,
    host: String,
    isolates: HashMap<String, Rc<Isolate>>,
    rules: String,
    at: String,
    running: HashMap<String, Slot>,
    last: Option<Answer<Bytes>>,
    last_receipt: Option<String>,
    orders: u32,
    sequences: HashMap<String, u64>,
}

/// Plays a file; an error names the line and what was found there.
pub fn play(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let name = path
        .file_stem()
        .and_then(|s| s.to_str())
        .ok_or("file name")?;
    let mut player = Player {
        world: World::new(START_MS),
        name: name.to_owned(),
        host: format!("{name}.test"),
        isolates: HashMap::new(),
        rules: rules(&text, name)?,
        at: "a".to_owned(),
        running: HashMap::new(),
        last: None,
        last_receipt: None,
        orders: 0,
        sequences: HashMap::new(),
    };
    for (at, line) in text.lines().enumerate() {
        let words = line.trim();
        if words.is_empty()
            || words.starts_with('#')
            || ["rule ", "key ", "cascade ", "setting "]
                .iter()
                .any(|word| words.starts_with(word))
            || words == "only native"
        {
            continue;
        }
        let played = if line.starts_with(char::is_whitespace) {
            player.check_field(words)
        } else {
            player.step(words)
        };
        played.map_err(|problem| format!("{}:{}: {words}\n  {problem}", path.display(), at + 1))?;
    }
    Ok(())
}

/// The rules of a story, as the JSON that the worker would get.
fn rules(text: &str, name: &str) -> Result<String, String> {
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
        // In workerd stories share an origin; what one sees of its failures
        // must not depend on the others.
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

/// Puts settings over others: tables are merged, all else is replaced.
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

fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.split("; ").map(str::trim).filter(|s| !s.is_empty())
}

impl Player {
    fn step(&mut self, words: &str) -> Result<(), String> {
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        match verb {
            "origin" => self.origin("", rest),
            "backup" => self.origin("backup ", rest),
            "wait" => {
                let seconds: f64 = rest.parse().map_err(|_| "wait SECONDS")?;
                self.world.executor.advance((seconds * 1000.0) as u64);
                Ok(())
            }
            "evict" => {
                self.world.state.borrow_mut().cache_api.clear();
                Ok(())
            }
            "at" => {
                self.at = rest.to_owned();
                Ok(())
            }
            "asked" => self.asked(rest),
            "start" => self.start(rest),
            "finish" => self.finish(rest),
            "purge" => self.purge(rest),
            "ledger" | "kv" | "cache-api" => self.fault(verb, rest),
            "spoil" => self.spoil(rest),
            "request" => {
                let (method, rest) = rest.split_once(' ').ok_or("request METHOD PATH")?;
                self.exchange(method, rest)
            }
            method => self.exchange(&method.to_uppercase(), rest),
        }
    }

    fn origin(&mut self, place: &str, rest: &str) -> Result<(), String> {
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

    fn fault(&mut self, part: &str, state: &str) -> Result<(), String> {
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

    /// `spoil kv|cache-api garbage|old-format|cut`: what the tier holds is an
    /// entry no longer.
    fn spoil(&mut self, rest: &str) -> Result<(), String> {
        let (tier, how) = rest.split_once(' ').ok_or("spoil TIER HOW")?;
        let state = &mut *self.world.state.borrow_mut();
        let held = match tier {
            "kv" => &mut state.kv,
            "cache-api" => &mut state.cache_api,
            _ => return Err("no such tier".to_owned()),
        };
        if held.is_empty() {
            return Err("it holds nothing".to_owned());
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

    fn asked(&self, rest: &str) -> Result<(), String> {
        self.world.executor.settle();
        let (place, rest) = match rest.strip_prefix("backup ") {
            Some(rest) => ("backup", rest),
            None => ("origin", rest),
        };
        let (path, count) = rest.split_once(' ').ok_or("asked PATH N")?;
        let wanted: usize = count.parse().map_err(|_| "asked PATH N")?;
        let found = self.requests_for(place, path);
        if found == wanted {
            Ok(())
        } else {
            Err(format!("the origin was asked {found} times"))
        }
    }

    fn requests_for(&self, place: &str, path: &str) -> usize {
        let url = format!("http://{place}.test{path}");
        self.world
            .state
            .borrow()
            .asked
            .iter()
            .filter(|r| r.url == url)
            .count()
    }

    fn exchange(&mut self, method: &str, rest: &str) -> Result<(), String> {
        let (request, expected) = rest.split_once(" -> ").ok_or("METHOD PATH -> STATUS")?;
        let (request, body) = match request.split_once(" | ") {
            Some((request, body)) => (request, Some(self.fill(body)?)),
            None => (request, None),
        };
        let request = self.fill(request)?;
        let slot = self.send(method, &request, body)?;
        self.expect(&slot, expected)
    }

    fn start(&mut self, rest: &str) -> Result<(), String> {
        let mut words = rest.splitn(3, ' ');
        let mut next = || words.next().ok_or("start NAME METHOD PATH");
        let (name, method, request) = (next()?, next()?.to_uppercase(), next()?);
        let slot = self.send(&method, request, None)?;
        self.world.executor.settle();
        self.running.insert(name.to_owned(), slot);
        Ok(())
    }

    fn finish(&mut self, rest: &str) -> Result<(), String> {
        let (name, expected) = rest.split_once(" -> ").ok_or("finish NAME -> STATUS")?;
        let slot = self.running.remove(name).ok_or("not started")?;
        self.expect(&slot, expected)
    }

    fn isolate(&mut self) -> Result<Rc<Isolate>, String> {
        if let Some(isolate) = self.isolates.get(&self.at) {
            return Ok(Rc::clone(isolate));
        }
        let rules = Rules::read_json(&self.rules).map_err(|error| error.to_string())?;
        let keys = Keys::read(&rules, |variable| Some(secrets::of_variable(variable)));
        let isolate = Rc::new(Isolate::new(rules, keys));
        self.isolates.insert(self.at.clone(), Rc::clone(&isolate));
        Ok(isolate)
    }

    /// Sends `PATH [Name: value; …]`, with a body if there is one.
    fn send(&mut self, method: &str, request: &str, body: Option<String>) -> Result<Slot, String> {
        let (path, fields) = request.split_once(' ').unwrap_or((request, ""));
        let url = format!("http://{}{path}", self.host);
        let head = RequestHead {
            method: Method::named(method),
            url: Url::parse(&url).map_err(|error| error.to_string())?,
            fields: segments(fields)
                .filter_map(|s| s.split_once(": "))
                .collect(),
        };
        let slot: Slot = Rc::default();
        let (world, isolate, filled) = (self.world.clone(), self.isolate()?, Rc::clone(&slot));
        let body = body.map(|text| Bytes::new(text, false));
        self.world.executor.spawn(async move {
            let answer = serve(&world, &isolate, head, body).await;
            *filled.borrow_mut() = Some(answer);
        });
        Ok(slot)
    }

    fn expect(&mut self, slot: &Slot, expected: &str) -> Result<(), String> {
        self.world.executor.run_until(|| slot.borrow().is_some());
        self.world.executor.settle();
        let mut answer = slot.borrow_mut().take().ok_or("no answer")?;
        if let Content::Body(Bytes {
            made: Some(made), ..
        }) = &answer.content
        {
            let ended = || made.borrow().1 != End::NotYet;
            self.world.executor.run_until(ended);
            self.world.executor.settle();
        }
        // As the platform does: the length is a field once the answer leaves.
        if let Some(length) = answer.length {
            answer.fields.set("content-length", length.to_string());
        }
        let (expected, words) = match expected.split_once("# ") {
            Some((expected, words)) => (expected.trim(), words),
            None => (expected.trim(), ""),
        };
        let (status, body) = expected.split_once(' ').unwrap_or((expected, ""));
        let text = text_of(&answer);
        let log = self
            .world
            .state
            .borrow()
            .log
            .last()
            .cloned()
            .unwrap_or_default();
        let complain =
            |wanted: &str| Err(format!("expected {wanted}; got {answer:?}\n  log: {log}"));
        if status != answer.status.to_string() {
            return complain(&format!("status {status}"));
        }
        if !body.is_empty() && text != body.replace('-', if body == "-" { "" } else { "-" }) {
            return complain(&format!("body {body:?}"));
        }
        let cache_status = answer
            .fields
            .all("cache-status")
            .last()
            .unwrap_or_default()
            .to_owned();
        for word in words.split_whitespace() {
            let (word, wanted) = match word.strip_prefix('!') {
                Some(word) => (word, false),
                None => (word, true),
            };
            if holds(&cache_status, word) != wanted {
                return complain(&format!("{word} ({wanted})"));
            }
        }
        self.last = Some(answer);
        Ok(())
    }

    /// What the story's own words stand for: `$host`, `$token[:KEY]`,
    /// `$basic[:KEY]`, `$id:ID`, `$before:ID`.
    fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            filled += before;
            let end = after.find(|c: char| !c.is_ascii_lowercase());
            let (word, more) = after.split_at(end.unwrap_or(after.len()));
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            let named = more.strip_prefix(':').filter(|_| word != "host");
            let (name, more) = named.map_or(("", more), |named| {
                named.split_at(named.find(|c| !is_name(c)).unwrap_or(named.len()))
            });
            filled += &match word {
                "host" => self.host.clone(),
                "token" => secrets::token(&secrets::full_name(&self.name, name)),
                "basic" => secrets::basic(&secrets::full_name(&self.name, name)),
                "id" => name.to_owned(),
                "before" => {
                    let sequence = self.sequences.get(name).ok_or("no such order")?;
                    (sequence - 1).to_string()
                }
                _ => {
                    filled.push('$');
                    rest = after;
                    continue;
                }
            };
            rest = more;
        }
        Ok(filled + rest)
    }

    /// `json POINTER VALUE`, `nojson POINTER`: about the answer's JSON.
    fn check_json(&self, check: &str, rest: &str) -> Result<(), String> {
        let text = self.last.as_ref().map(text_of).unwrap_or_default();
        let json: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let (pointer, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let found = json.pointer(pointer);
        let wanted = match check {
            "json" => {
                let value = self.fill(value)?;
                Some(serde_json::from_str(&value).map_err(|error| format!("{value}: {error}"))?)
            }
            _ => None,
        };
        match found == wanted.as_ref() {
            true => Ok(()),
            false => Err(format!("found {found:?}; the answer: {text}")),
        }
    }

    fn check_field(&self, words: &str) -> Result<(), String> {
        let (check, rest) = words.split_once(' ').ok_or("check NAME")?;
        if check == "json" || check == "nojson" {
            return self.check_json(check, rest);
        }
        let (name, wanted) = match rest.split_once(": ") {
            Some((name, value)) => (name, Some(value)),
            None => (rest.trim_end_matches(':'), None),
        };
        let name = name.to_ascii_lowercase();
        let found = match check {
            "has" | "lacks" => self
                .last
                .as_ref()
                .and_then(|answer| answer.fields.joined(&name)),
            _ => {
                let state = self.world.state.borrow();
                let request = state.asked.last();
                request
                    .ok_or("the origin was not asked")?
                    .fields
                    .joined(&name)
            }
        };
        let holds = match (check, wanted) {
            ("lacks" | "unsent", _) => found.is_none(),
            ("has" | "sent", Some(wanted)) => found.as_deref() == Some(wanted),
            ("has" | "sent", None) => found.is_some(),
            _ => return Err("unknown check".to_owned()),
        };
        if holds {
            Ok(())
        } else {
            Err(format!("found {found:?}"))
        }
    }

    /// `purge [id=ID] [by=KEY] [HOW] JSON -> STATUS [# same|new]`
    fn purge(&mut self, rest: &str) -> Result<(), String> {
        let (order, expected) = rest.rsplit_once(" -> ").ok_or("purge JSON -> STATUS")?;
        let start = order.find('{').unwrap_or(0);
        let (options, json) = order.split_at(start);
        let json = self.fill(json)?;
        self.orders += 1;
        let (mut id, mut key, mut how) = (None, "", "signed");
        for option in options.split_whitespace() {
            match option.split_once('=') {
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("by", value)) => key = value,
                _ => how = option,
            }
        }
        let key = secrets::full_name(&self.name, key);
        let fields = self.proof(how, &key, id.as_deref(), &json)?;
        let request = format!("/.edgekeep/purge {fields}");
        let slot = self.send("POST", &request, Some(json))?;
        let (status, word) = expected.split_once(" # ").unwrap_or((expected, ""));
        self.expect(&slot, status)?;
        let receipt = self.last.as_ref().map(text_of);
        if status.trim() == "200" {
            let same = receipt == self.last_receipt;
            match word.trim() {
                "same" if !same => return Err(format!("another receipt: {receipt:?}")),
                "new" if same => return Err(format!("the same receipt: {receipt:?}")),
                _ => {}
            }
            let json: serde_json::Value =
                serde_json::from_str(receipt.as_deref().unwrap_or_default()).unwrap_or_default();
            if let (Some(id), Some(sequence)) = (id, json["sequence"].as_u64()) {
                self.sequences.insert(id, sequence);
            }
            self.last_receipt = receipt;
        }
        Ok(())
    }

    /// The fields that prove an order, or do not.
    fn proof(&self, how: &str, key: &str, id: Option<&str>, json: &str) -> Result<String, String> {
        let named = |field: &str| id.map_or(String::new(), |id| format!("; {field}: {id}"));
        let (mut secret, mut shift) = (secrets::hmac(key), 0_i64);
        match how {
            "signed" => {}
            "forged" => secret = secrets::hmac("nobody"),
            "late" => shift = -600,
            "early" => shift = 600,
            "unsigned" => return Ok(String::new()),
            "token" => {
                let token = secrets::token(key);
                return Ok(format!(
                    "authorization: Bearer {token}{}",
                    named("webhook-id")
                ));
            }
            "hub" => {
                let signature = secrets::hub_sign(&secret, json);
                let delivery = named("x-github-delivery");
                return Ok(format!("x-hub-signature-256: {signature}{delivery}"));
            }
            "ed25519" => {}
            _ => return Err(format!("unknown option {how}")),
        }
        let own = format!("story-{}", self.orders);
        let id = id.unwrap_or(&own);
        let seconds = (self.world.executor.now_ms() / 1000).saturating_add_signed(shift);
        let signature = match how {
            "ed25519" => secrets::ed25519_sign(key, id, seconds, json),
            _ => sign(&secret, id, seconds, json),
        };
        Ok(format!(
            "webhook-id: {id}; webhook-timestamp: {seconds}; webhook-signature: {signature}"
        ))
    }
}

fn text_of(answer: &Answer<Bytes>) -> String {
    match &answer.content {
        Content::Empty => String::new(),
        Content::Text(text) => text.clone(),
        Content::Body(bytes) => match &bytes.made {
            Some(made) => String::from_utf8_lossy(&made.borrow().0).into_owned(),
            None => bytes.text.clone(),
        },
        Content::Parts(bytes, pieces) => pieces.iter().map(|piece| part(bytes, piece)).collect(),
    }
}

fn part(bytes: &Bytes, piece: &Piece) -> String {
    match piece {
        Piece::Text(text) => text.clone(),
        Piece::Bytes(range) => bytes.text[range.first as usize..=range.last as usize].to_owned(),
    }
}

/// Whether our member of a Cache-Status value has a parameter.
fn holds(cache_status: &str, word: &str) -> bool {
    let parameters: Vec<&str> = cache_status.split("; ").collect();
    match word.split_once('=') {
        Some(("detail", wanted)) => parameters
            .iter()
            .filter_map(|p| p.strip_prefix("detail="))
            .any(|detail| detail.split('/').any(|part| part == wanted)),
        None if word == "miss" => ["fwd=uri-miss", "fwd=vary-miss", "fwd=miss"]
            .iter()
            .any(|miss| parameters.contains(miss)),
        _ => parameters.contains(&word),
    }
}
