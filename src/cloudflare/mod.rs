//! The Cloudflare Workers platform: the Worker's entry points, and the
//! [`Host`](crate::flow::runtime::host::Host) that calls the Cache API, KV, the
//! origin and the ledger. wasm32 only.
//!
//! It uses the `worker` crate. [`js`] holds what is written by hand beside it,
//! and why.

mod analytics;
mod background;
mod body;
mod crypto;
mod guard;
mod js;
mod ledger;
mod origin;
mod outgoing;
mod pipe;
mod platform;
mod respond;
mod settings;
mod store;
mod tiers;
mod timeout;
mod zone;

use crate::flow::handle::serve;
use crate::flow::response::error_pages::overloaded;
use crate::flow::response::reply::Answer;
use crate::flow::warm::fill;
use body::Body;
use guard::GuardError;
use js::glue;
use platform::Platform;
use settings::Configured;
use std::panic;
use wasm_bindgen::JsCast;
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event};

#[event(start)]
fn start() {
    // `worker` sets a hook of its own, before or after this: both run.
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        previous(info);
        console_error_panic_hook::hook(info);
    }));
}

/// A client's request.
#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    // `request.clone()` would copy the body; this copies the handle.
    let work = answer(Clone::clone(&request), env, context);
    let answer = guard::until_disconnect(Clone::clone(&request), work).await;
    let answer = answer.unwrap_or_else(|ended| match ended {
        GuardError::Dropped => respond::client_gone(),
        GuardError::NoMemory => {
            platform::log_refusal();
            overloaded()
        }
    });
    Ok(respond::response(answer, &request)?)
}

async fn answer(request: web_sys::Request, env: Env, context: Context) -> Answer<Body> {
    let isolate = match settings::configured(&env) {
        Configured::Valid(isolate) => isolate,
        Configured::Invalid(passing, problem) => {
            glue::log_error(&problem);
            match passing {
                Some(isolate) => isolate,
                None => return respond::misconfigured(),
            }
        }
    };
    let Some(sent) = respond::read_head(&glue::head(&request)) else {
        return respond::bad_url();
    };
    let body = match sent.has_body {
        true => request.body(),
        false => None,
    };
    let length = sent.head.fields.get("content-length");
    let length = length.and_then(|length| length.trim().parse().ok());
    let body = body.map(|body| Body::sent(body.unchecked_into(), length));
    let platform = Platform::of_request(env, context, request, sent.has_more);
    serve(&platform, &isolate, sent.head, body).await
}

/// A run of the cron trigger.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, context: ScheduleContext) {
    // Positive, and exact for 285,000 years.
    let scheduled_ms = event.schedule() as u64;
    let run = async move {
        match settings::isolate(&env) {
            Ok(isolate) => {
                let platform = Platform::of_cron(env, context);
                fill::scheduled(&platform, &isolate, scheduled_ms).await;
            }
            Err(problem) => glue::log_error(&problem),
        }
    };
    // The run is dropped at its bound: nothing awaits its output.
    let _ = guard::until_expiry(run).await;
}
