//! The entry of a request: it is classified and served, its page is made of
//! fragments if it has any, and what happened is logged.

use crate::cache::request::classify::{Plan, classify};
use crate::flow::esi::assemble;
use crate::flow::isolate::state::Isolate;
use crate::flow::request::serve::follow;
use crate::flow::response::reply::Answer;
use crate::flow::response::request_log::Report;
use crate::flow::runtime::host::Host;
use crate::http::head::RequestHead;
use std::rc::Rc;

/// Serves a request of which all fields are known.
pub async fn serve<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: RequestHead,
    body: Option<H::Body>,
) -> Answer<H::Body> {
    let plan = classify(&isolate.rules, &request);
    serve_as(host, isolate, plan, request, body).await
}

/// Serves a request as planned. For a lookup, of its fields those are enough
/// that are read (`cache::request::read_fields`).
pub async fn serve_as<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    plan: Plan,
    request: RequestHead,
    body: Option<H::Body>,
) -> Answer<H::Body> {
    let mut report = Report {
        event: "request",
        host: request.url.host.clone(),
        method: request.method.name().to_owned(),
        path: request.url.path_and_query(),
        began_ms: host.now_ms(),
        ..Report::default()
    };
    let mut answer = follow(host, isolate, plan, &request, body, &mut report).await;
    let pipe = assemble::begin(host, &isolate.rules, &request, &mut answer, &mut report);
    answer.fields.add("cache-status", report.cache_status());
    report.status = answer.status;
    // Its tier is the one word that every hit has.
    let is_plain = report.cache == "hit" && report.notes.is_empty() && report.detail.len() <= 1;
    let is_quiet = is_plain && !isolate.rules.log_hits;
    match pipe {
        None if is_quiet => {}
        None => report.log(host),
        Some(pipe) => assemble::make(host, isolate, request, pipe, report),
    }
    answer
}
