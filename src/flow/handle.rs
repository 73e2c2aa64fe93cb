//! Entry point of a request: classifies it, serves it, starts the assembly of
//! fragments (ESI) and writes the log record.

use crate::cache::config::rules::Rules;
use crate::cache::explain::report::Explanation;
use crate::cache::request::classify::{Bypass, Plan, classify};
use crate::cache::request::client_fields::DEBUG_FIELD;
use crate::cache::shadow::verdict::ShadowVerdict;
use crate::flow::esi::assemble;
use crate::flow::explain::explain_request;
use crate::flow::isolate::state::Isolate;
use crate::flow::request::serve::execute_plan;
use crate::flow::response::error_pages::overloaded;
use crate::flow::response::reply::Answer;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::Host;
use crate::flow::shadow::shadow_pass::shadow_pass;
use crate::flow::stats::record;
use crate::http::fields::Fields;
use crate::http::head::RequestHead;
use std::rc::Rc;

/// The response field with the tags of the stored response, for debugging.
const TAGS_FIELD: &str = "edgekeep-tags";

/// Serves a request and returns the response for the client.
///
/// `request` needs only the fields that a lookup reads
/// (`cache::request::read_fields`) if the host can supply the complete head
/// ([`Host::whole_head`]).
pub async fn serve<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: RequestHead,
    body: Option<H::Body>,
) -> Answer<H::Body> {
    let (plan, request) = plan(host, &isolate.rules, request);
    if !host.reserve_memory(&plan, &request, body.is_some()) {
        return overloaded();
    }
    let mut log = RequestLog {
        event: "request",
        host: request.url.host.clone(),
        method: request.method.name().to_owned(),
        path: request.url.path_and_query(),
        began_ms: host.now_ms(),
        ..RequestLog::default()
    };
    let explanation = match asks_for_debugging(isolate, &request) {
        true => Some(Box::new(
            boxed(explain_request::explain(host, isolate, &request, &plan)).await,
        )),
        false => None,
    };
    let rule = plan.rule().map(Rc::clone);
    let (mut answer, comparison) = match plan {
        Plan::Bypass(Bypass::Shadow, to_origin, rule) => {
            let passed = shadow_pass(host, isolate, &rule, &to_origin, &request, &mut log);
            let (answer, comparison) = boxed(passed).await;
            (answer, Some(comparison))
        }
        plan => {
            if let Plan::Bypass(reason, _, rule) = &plan
                && rule.shadow
            {
                log.shadow = Some(ShadowVerdict::Bypass(reason.word()));
            }
            let answer = execute_plan(host, isolate, plan, &request, body, &mut log);
            (answer.await, None)
        }
    };
    let pipe = rule
        .as_ref()
        .and_then(|rule| assemble::begin(host, rule, &mut answer, &mut log));
    answer.fields.add("cache-status", log.cache_status());
    if let Some(explanation) = explanation {
        add_explanation(&mut answer.fields, *explanation);
    }
    log.status = answer.status;
    match comparison {
        Some(Ok(comparison)) => {
            comparison.finish_later(host, isolate, answer.body_bytes(), log);
            return answer;
        }
        Some(Err(reason)) => log.set_shadow(ShadowVerdict::NotCompared(reason)),
        None => {}
    }
    log.stop(host);
    record::count(host, isolate, rule.as_ref(), &log, answer.body_bytes());
    let is_quiet = log.is_plain_hit() && !isolate.rules.log_hits;
    match pipe {
        None if is_quiet => {}
        None => log.print(host),
        Some(pipe) => assemble::assemble_later(host, isolate, request, pipe, log),
    }
    answer
}

/// Classifies a request. Unless the plan is a lookup, returns the complete head
/// with it, because the origin or our own endpoints receive all fields.
fn plan<H: Host>(host: &H, rules: &Rules, request: RequestHead) -> (Plan, RequestHead) {
    let plan = classify(rules, &request);
    if matches!(plan, Plan::Lookup(_)) {
        return (plan, request);
    }
    match host.whole_head() {
        Some(whole) => (classify(rules, &whole), whole),
        None => (plan, request),
    }
}

/// Whether a request has the token of an administrator in [`DEBUG_FIELD`]. Any
/// other value changes nothing.
fn asks_for_debugging(isolate: &Isolate, request: &RequestHead) -> bool {
    if !isolate.keys.have_debug_token() {
        return false;
    }
    let token = request.fields.get(DEBUG_FIELD);
    token.is_some_and(|token| isolate.keys.is_debug_token(token))
}

/// Adds an explanation to a response. No cache may use the response again, for
/// whatever request (RFC 9111 §4.1, `Vary: *`); `Cache-Control` stays as it is
/// for others.
fn add_explanation(fields: &mut Fields, explanation: Explanation) {
    fields.add("vary", "*");
    if let Some(tags) = explanation.tags() {
        fields.set(TAGS_FIELD, tags);
    }
    fields.set(DEBUG_FIELD, explanation.short());
}
