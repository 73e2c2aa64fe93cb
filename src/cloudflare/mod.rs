//! The real platform: entry points, and the [`Host`](crate::flow::host::Host)
//! that talks to the Cache API, KV, the origin and the ledger. wasm32 only.

mod body;
mod crypto;
mod js;
mod ledger_object;
mod origin;
mod platform;
mod respond;
mod tiers;
mod zone;

use crate::cache::rules::Rules;
use crate::flow::isolate::Isolate;
use crate::flow::keys::Keys;
use crate::flow::serve::serve;
use crate::flow::warm;
use platform::Platform;
use std::cell::OnceCell;
use std::rc::Rc;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Context, Env, ScheduleContext, ScheduledEvent, console_error, event, web_sys};

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

#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    let isolate = match configured(&env) {
        Configured::Well(isolate) => Some(isolate),
        Configured::Badly(passing, problem) => {
            console_error!("{problem}");
            passing
        }
    };
    let Some(isolate) = isolate else {
        return respond::misconfigured().map_err(failed);
    };
    let platform = Platform::new(env, context);
    let Some((head, body)) = respond::read_request(&request) else {
        return respond::bad_url().map_err(failed);
    };
    let answer = serve(&platform, &isolate, head, body).await;
    respond::response(answer).map_err(failed)
}

/// A cron trigger.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, context: ScheduleContext) {
    match isolate(&env) {
        Ok(isolate) => {
            // Positive, and exact for 285,000 years.
            let scheduled_ms = event.schedule() as u64;
            let platform = Platform::of_cron(env, context);
            warm::scheduled(&platform, &isolate, scheduled_ms).await;
        }
        Err(problem) => console_error!("{problem}"),
    }
}

/// The isolate's state; made at its first request, cron run or alarm.
fn configured(env: &Env) -> Configured {
    ISOLATE.with(|cell| cell.get_or_init(|| configure(env)).clone())
}

/// The isolate's state, or what is wrong with its settings.
fn isolate(env: &Env) -> Result<Rc<Isolate>, String> {
    match configured(env) {
        Configured::Well(isolate) => Ok(isolate),
        Configured::Badly(_, problem) => Err(problem),
    }
}

fn failed(error: JsValue) -> worker::Error {
    worker::Error::RustError(js::message(&error))
}

/// Reads the settings, once an isolate. A bad one stops all caching: half a
/// configuration could show one visitor's page to another.
fn configure(env: &Env) -> Configured {
    let json = settings_json(env);
    let rules = match Rules::read_json(&json) {
        Ok(rules) => rules,
        Err(error) => {
            let path = &error.path;
            let problem = format!("bad setting [vars.EDGEKEEP] {path}: {}", error.problem);
            let line = serde_json::json!({ "event": "problem", "part": "settings", "path": path, "problem": problem });
            let isolate = |rules| Rc::new(Isolate::new(rules, Keys::of_default("")));
            return Configured::Badly(Rules::passing(&json).map(isolate), line.to_string());
        }
    };
    // A bad secret stops purges by its key, but no page.
    let keys = Keys::read(&rules, |variable| js::get(env, variable).as_string());
    for problem in keys.problems() {
        let line = serde_json::json!({ "event": "problem", "part": "keys", "problem": problem });
        console_error!("{line}");
    }
    Configured::Well(Rc::new(Isolate::new(rules, keys)))
}

/// The variable EDGEKEEP as JSON. A table in wrangler.toml arrives as an
/// object; a text that holds JSON is taken too.
fn settings_json(env: &Env) -> String {
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
