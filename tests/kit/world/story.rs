//! Plays stories (`tests/stories/README.md`) in the simulated world.

use super::filler::End;
use super::scene::{rules, segments};
use super::secrets;
pub use super::secrets::sign;
use super::{Bytes, World};
use crate::still::{compare, explain_now};
use edgekeep::cache::config::rules::Rules;
use edgekeep::flow::handle::serve;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::response::reply::{Answer, BodyPiece, Content};
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// 2026-11-23, 09:00. Any time except 0 would do.
const START_MS: u64 = 1_795_424_400_000;

type Slot = Rc<RefCell<Option<Answer<Bytes>>>>;

/// Requests of stories that get something else than their explanations said,
/// because the world changes while they wait: another request fills the cache,
/// or shows that the page is personal, or a purge comes.
const CHANGED_MEANWHILE: [(&str, &str); 4] = [
    ("collapse", "german"),
    ("collapse", "again"),
    ("cookies-after-wait", "b"),
    ("origin-busy", "two"),
];

/// A story while it is played.
pub struct Player {
    pub world: World,
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
    /// Requests that got something else than their explanations said.
    unexplained: Rc<RefCell<Vec<String>>>,
}

/// Plays a file. An error names the line, and what was found instead.
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
        unexplained: Rc::default(),
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
        let played = played.and_then(|()| match player.unexplained.borrow_mut().pop() {
            Some(problem) => Err(problem),
            None => Ok(()),
        });
        played.map_err(|problem| format!("{}:{}: {words}\n  {problem}", path.display(), at + 1))?;
    }
    Ok(())
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
            Err(format!("the origin received {found} requests"))
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
        let (unexplained, story) = (Rc::clone(&self.unexplained), self.name.as_str());
        if CHANGED_MEANWHILE.contains(&(story, name)) {
            self.unexplained = Rc::default();
        }
        let slot = self.send(&method, request, None)?;
        self.unexplained = unexplained;
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

    /// Sends `PATH [Name: value; …]`, with a body or without.
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
        let (mut world, isolate, filled) = (self.world.clone(), self.isolate()?, Rc::clone(&slot));
        world.reader = head.fields.get("cf-connecting-ip").map(Rc::from);
        let body = body.map(|text| Bytes::new(text, false));
        self.world.executor.settle();
        let explanation = explain_now(&world, &isolate, &head);
        let unexplained = Rc::clone(&self.unexplained);
        self.world.executor.spawn(async move {
            let answer = serve(&world, &isolate, head, body).await;
            let got = answer.fields.all("cache-status").last();
            let compared = compare(&explanation, got.unwrap_or_default(), 0);
            unexplained.borrow_mut().extend(compared.err());
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
        // As on the platform, where the length becomes a field when the
        // response is sent.
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
        let mismatch =
            |wanted: &str| Err(format!("expected {wanted}; got {answer:?}\n  log: {log}"));
        if status != answer.status.to_string() {
            return mismatch(&format!("status {status}"));
        }
        if !body.is_empty() && text != body.replace('-', if body == "-" { "" } else { "-" }) {
            return mismatch(&format!("body {body:?}"));
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
                return mismatch(&format!("{word} ({wanted})"));
            }
        }
        self.last = Some(answer);
        Ok(())
    }

    /// Replaces the variables of stories: `$host`, `$token[:KEY]`,
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

    /// `json POINTER VALUE`, `nojson POINTER`: checks the JSON of the response.
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
                    .ok_or("the origin received no request")?
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

    /// The fields that authenticate an order, or fail to.
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

fn part(bytes: &Bytes, piece: &BodyPiece) -> String {
    match piece {
        BodyPiece::Text(text) => text.clone(),
        BodyPiece::Bytes(range) => {
            bytes.text[range.first as usize..=range.last as usize].to_owned()
        }
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
