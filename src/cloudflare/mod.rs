//! The real platform: the Worker's entry points, and the
//! [`Host`](crate::flow::runtime::host::Host) that talks to the Cache API, KV, the
//! origin and the ledger. wasm32 only.
//!
//! It stands on the `worker` crate. What is made by hand beside that, and
//! why, is in [`js`].

mod background;
mod body;
mod crypto;
mod guard;
mod js;
mod ledger;
mod origin;
mod pipe;
mod platform;
mod respond;
mod settings;
mod store;
mod tiers;
mod timeout;
mod zone;

use crate::cache::purge::order::ORDER_BYTES_MAX;
use crate::cache::request::classify::{Plan, classify};
use crate::flow::handle::serve_as;
use crate::flow::response::reply::Answer;
use crate::flow::warm::fill;
use crate::http::head::RequestHead;
use body::Body;
use guard::{Ended, Held};
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
        Ended::Dropped => respond::client_gone(),
        Ended::NoRoom => refused(),
    });
    Ok(respond::response(answer, &request)?)
}

async fn answer(request: web_sys::Request, env: Env, context: Context) -> Answer<Body> {
    let isolate = match settings::configured(&env) {
        Configured::Well(isolate) => isolate,
        Configured::Badly(passing, problem) => {
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
    let (mut head, mut has_more) = (sent.head, sent.has_more);
    let mut plan = classify(&isolate.rules, &head);
    // The whole head goes on to the origin, or to our own endpoints.
    if has_more && !matches!(plan, Plan::Lookup(_)) {
        let Some(whole) = respond::read_head(&glue::whole_head(&request)) else {
            return respond::bad_url();
        };
        (head, has_more) = (whole.head, false);
        plan = classify(&isolate.rules, &head);
    }
    let body = match sent.has_body {
        true => request.body(),
        false => None,
    };
    let length = head.fields.get("content-length");
    let length = length.and_then(|length| length.trim().parse().ok());
    let body = body.map(|body| Body::sent(body.unchecked_into(), length));
    if !has_room(&plan, &head, body.is_some()) {
        return refused();
    }
    let platform = Platform::of_request(env, context, request, has_more);
    serve_as(&platform, &isolate, plan, head, body).await
}

/// Whether there is memory for a request that has to wait. One that is looked
/// up is asked later, if it does.
fn has_room(plan: &Plan, head: &RequestHead, has_body: bool) -> bool {
    let bytes = head.fields.bytes();
    match plan {
        Plan::Lookup(_) => {
            guard::hold_bytes(bytes);
            true
        }
        Plan::Bypass(..) => guard::admit(Held {
            bytes,
            is_order: false,
        }),
        // An order is read whole, into a buffer of the largest size.
        Plan::Admin | Plan::Purge(_) => guard::admit(Held {
            bytes: match has_body {
                true => bytes.saturating_add(ORDER_BYTES_MAX),
                false => bytes,
            },
            is_order: has_body,
        }),
    }
}

fn refused() -> Answer<Body> {
    glue::log_error("a request was refused: those that wait hold all the memory they may");
    respond::overloaded()
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
    // It is dropped at its bound: nobody waits for it.
    let _ = guard::until_expiry(run).await;
}
