//! The real platform: entry points, and the [`Host`](crate::flow::host::Host)
//! that talks to the Cache API, KV, the origin and the ledger. wasm32 only.

mod body;
mod crypto;
mod durable;
mod glue;
mod js;
mod ledger_object;
mod origin;
mod pipe;
mod platform;
mod respond;
mod tasks;
mod tiers;
mod zone;

use crate::cache::reads::fields_read;
use crate::cache::request::{Plan, classify};
use crate::cache::rules::Rules;
use crate::flow::isolate::Isolate;
use crate::flow::keys::Keys;
use crate::flow::report::problem_line;
use crate::flow::serve::serve_as;
use crate::flow::warm;
use crate::http::json::Json;
use body::Body;
use js_sys::Promise;
use platform::Platform;
use respond::Waiting;
use std::cell::OnceCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use worker::event;

thread_local! {
    /// The isolate's state.
    static ISOLATE: OnceCell<Configured> = const { OnceCell::new() };
}

/// What the settings have come to.
#[derive(Clone)]
enum Configured {
    /// All is well.
    Well(Rc<Isolate>),
    /// They are bad, which the log is to say. Requests pass; or they do not,
    /// if it is not certain where to.
    Badly(Option<Rc<Isolate>>, String),
}

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// Answers a request, by `glue::respond` under its number: before this returns
/// if nothing has to be waited for.
#[wasm_bindgen]
pub fn begin(number: u32, head_bytes: u32, request: JsValue, env: JsValue, context: js::Context) {
    let isolate = match configured(&env) {
        Configured::Well(isolate) => Some(isolate),
        Configured::Badly(passing, problem) => {
            js::log_error(&problem);
            passing
        }
    };
    let waiting = Waiting(number);
    let Some(isolate) = isolate else {
        return respond::give(waiting, respond::misconfigured());
    };
    let Some(told) = respond::read_head(&glue::received(head_bytes)) else {
        return respond::give(waiting, respond::bad_url());
    };
    let body = told
        .has_body
        .then(|| Body::new(js::get(&request, "body").unchecked_into()));
    let mut head = told.head;
    let mut plan = classify(&isolate.rules, &head);
    // What is not looked up goes on as it came, or is ours to read.
    if told.has_more && !matches!(plan, Plan::Lookup(_)) {
        let Some(whole) = respond::read_head(&glue::whole_head(&request)) else {
            return respond::give(waiting, respond::bad_url());
        };
        head = whole.head;
        plan = classify(&isolate.rules, &head);
    }
    let platform = Platform::new(env, context);
    tasks::start(async move {
        let answer = serve_as(&platform, &isolate, plan, head, body).await;
        respond::give(waiting, answer);
    });
}

/// A run of the cron trigger that was due at `scheduled_ms`.
#[wasm_bindgen]
pub fn scheduled(scheduled_ms: f64, env: JsValue, context: js::Context) -> Promise {
    tasks::promise(async move {
        match isolate(&env) {
            Ok(isolate) => {
                // Positive, and exact for 285,000 years.
                let scheduled_ms = scheduled_ms as u64;
                let platform = Platform::new(env, context);
                warm::scheduled(&platform, &isolate, scheduled_ms).await;
            }
            Err(problem) => js::log_error(&problem),
        }
        Ok(JsValue::UNDEFINED)
    })
}

/// The isolate's state; made at its first request, cron run or alarm.
fn configured(env: &JsValue) -> Configured {
    ISOLATE.with(|cell| cell.get_or_init(|| configure(env)).clone())
}

/// The isolate's state, or what is wrong with its settings.
fn isolate(env: &JsValue) -> Result<Rc<Isolate>, String> {
    match configured(env) {
        Configured::Well(isolate) => Ok(isolate),
        Configured::Badly(_, problem) => Err(problem),
    }
}

/// Reads the settings, once an isolate. A bad one stops all caching: half a
/// configuration could show one visitor's page to another.
fn configure(env: &JsValue) -> Configured {
    let json = settings_json(env);
    let rules = match Rules::read_json(&json) {
        Ok(rules) => rules,
        Err(error) => {
            let path = &error.path;
            let problem = format!("bad setting [vars.EDGEKEEP] {path}: {}", error.problem);
            let line = Json::table([
                ("event", "problem".into()),
                ("part", "settings".into()),
                ("path", path.into()),
                ("problem", (&problem).into()),
            ]);
            let isolate = |rules| Rc::new(Isolate::new(rules, Keys::of_default("")));
            return Configured::Badly(Rules::passing(&json).map(isolate), line.to_string());
        }
    };
    // A bad secret stops purges by its key, but no page.
    let keys = Keys::read(&rules, |variable| js::get(env, variable).as_string());
    for problem in keys.problems() {
        js::log_error(&problem_line("keys", problem));
    }
    if let Some(names) = fields_read(&rules) {
        glue::read_only(&names.join("\n"));
    }
    Configured::Well(Rc::new(Isolate::new(rules, keys)))
}

/// The variable EDGEKEEP as JSON. A table in wrangler.toml arrives as an
/// object; a text that holds JSON is taken too.
fn settings_json(env: &JsValue) -> String {
    let value = js::get(env, "EDGEKEEP");
    if value.is_undefined() {
        return "{}".to_owned();
    }
    value.as_string().unwrap_or_else(|| {
        js_sys::JSON::stringify(&value)
            .ok()
            .and_then(|text| text.dyn_into::<js_sys::JsString>().ok())
            .map(String::from)
            .unwrap_or_default()
    })
}
