//! A worker with keys and all dialects in the simulated world, and requests to
//! it from one line of text.

use crate::requests;
use crate::world::{Bytes, World, secrets};
use edgekeep::cache::config::rules::Rules;
use edgekeep::flow::handle::serve;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::response::reply::{Answer, Content};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

pub const NOW_MS: u64 = 1_795_424_400_000;

/// The body of an order for one tag.
pub const ORDER: &str = r#"{"tags":["a1"]}"#;
/// The request line of the purge endpoint.
pub const PURGE: &str = "POST http://a.test/.edgekeep/purge";

/// An isolate with its settings and keys, in a world of its own.
pub struct TestWorker {
    pub world: World,
    isolate: Rc<Isolate>,
}

impl TestWorker {
    pub fn new(settings: &Value, secret: impl Fn(&str) -> Option<String>) -> Self {
        let rules = Rules::read_json(&settings.to_string()).expect("good settings");
        let keys = Keys::read(&rules, secret);
        Self {
            world: World::new(NOW_MS),
            isolate: Rc::new(Isolate::new(rules, keys)),
        }
    }

    /// A worker with the default key, the key `t-editor`, and all dialects.
    pub fn with_all_dialects() -> Self {
        let settings = json!({
            "origin": "http://origin.test",
            "keys": [{ "name": "t-editor", "secret": "STORY_T_EDITOR", "may": { "hosts": ["a.test"], "tags": ["a*"] } }],
            "rules": [
                { "host": "plain.test" },
                { "purge_dialects": ["varnish", "fastly", "cloudflare", "github"] },
            ],
        });
        Self::new(&settings, |variable| Some(secrets::of_variable(variable)))
    }

    /// Sends `METHOD URL[ | Name: value]…`, with the body after ` << `.
    pub fn send(&self, request: &str) -> Answer<Bytes> {
        let (request, body) = match request.split_once(" << ") {
            Some((request, body)) => (request, Some(body.to_owned())),
            None => (request, None),
        };
        let head = requests::head(request);
        let body = body.map(|text| Bytes::new(text, false));
        let slot: Rc<RefCell<Option<Answer<Bytes>>>> = Rc::default();
        let (world, isolate, filled) = (
            self.world.clone(),
            Rc::clone(&self.isolate),
            Rc::clone(&slot),
        );
        self.world.executor.spawn(async move {
            let answer = serve(&world, &isolate, head, body).await;
            *filled.borrow_mut() = Some(answer);
        });
        self.world.executor.run_until(|| slot.borrow().is_some());
        slot.borrow_mut().take().expect("an answer")
    }

    /// The JSON of the response, whose status must be `status`.
    #[track_caller]
    pub fn check(&self, request: &str, status: u16) -> Value {
        let answer = self.send(request);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        serde_json::from_str(&text(&answer)).unwrap_or_default()
    }
}

/// The text of a response's body.
pub fn text(answer: &Answer<Bytes>) -> String {
    match &answer.content {
        Content::Text(text) => text.clone(),
        Content::Body(bytes) => bytes.text.clone(),
        _ => String::new(),
    }
}
