//! Purge calls in the words of other caches: the same orders, and answers in
//! the form that their clients know.

use super::admin::json_answer;
use super::host::Host;
use super::isolate::Isolate;
use super::problem::Problem;
use super::proof;
use super::purge::{self, Outcome};
use super::reply::{Answer, Content};
use super::report::Report;
use crate::cache::dialect::{Action, Call, Dialect};
use crate::cache::key;
use crate::http::head::RequestHead;
use crate::http::json::Json;
use crate::http::sort::sort_texts;

/// Answers a call.
pub async fn answer<H: Host>(
    host: &H,
    isolate: &Isolate,
    call: &Call,
    request: &RequestHead,
    body: Option<H::Body>,
    report: &mut Report,
) -> Answer<H::Body> {
    report.event = "purge";
    match act(host, isolate, call, request, body, report).await {
        Ok(text) => json_answer(200, text),
        Err(problem) => {
            report.note(problem.note());
            let mut answer = problem.answer();
            if let Some(text) = problem_json(call.dialect, &problem) {
                answer.fields.set("content-type", "application/json");
                answer.content = Content::Text(text + "\n");
            }
            answer
        }
    }
}

async fn act<H: Host>(
    host: &H,
    isolate: &Isolate,
    call: &Call,
    request: &RequestHead,
    body: Option<H::Body>,
    report: &mut Report,
) -> Result<String, Problem> {
    let body = purge::read_body(host, request, body).await?;
    let sender = proof::prove(host, isolate, request, &body, Some(call.dialect)).await?;
    match &call.action {
        Action::Zone(name) => return Ok(zones(name)),
        Action::Verify => return Ok(verified(&sender.key.rule.name)),
        _ => {}
    }
    let draft = call.draft(&isolate.rules, &request.fields, &body);
    let tags = draft.as_ref().map(|draft| draft.tags()).unwrap_or_default();
    let outcome = purge::take(host, isolate, request, &body, sender, draft, report).await?;
    Ok(match call.dialect {
        Dialect::Varnish | Dialect::Github => outcome.json(),
        Dialect::Fastly => fastly(call, &tags, &outcome),
        Dialect::Cloudflare => cloudflare(&match &outcome {
            Outcome::Done(receipt) => format!("{{\"id\":{}}}", quoted(&receipt.id)),
            Outcome::Dry(..) => outcome.json(),
        }),
    })
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

/// Fastly names each tag's purge; here all of a call are one.
fn fastly(call: &Call, tags: &[String], outcome: &Outcome) -> String {
    let id = match outcome {
        Outcome::Done(receipt) => quoted(&receipt.id),
        Outcome::Dry(..) => quoted(""),
    };
    match &call.action {
        Action::Tags(_) => {
            let mut ids: Vec<String> = tags.iter().map(|tag| quoted(tag)).collect();
            sort_texts(&mut ids);
            let ids: Vec<String> = ids.iter().map(|tag| format!("{tag}:{id}")).collect();
            format!("{{{}}}", ids.join(","))
        }
        _ => format!("{{\"status\":\"ok\",\"id\":{id}}}"),
    }
}

/// Cloudflare's envelope.
fn cloudflare(result: &str) -> String {
    format!("{{\"success\":true,\"errors\":[],\"messages\":[],\"result\":{result}}}")
}

/// The list of zones with one: clients look for its id by its name, and put it
/// into the next call's path, where it does not matter.
fn zones(name: &str) -> String {
    let (id, name) = (key::digest(name), quoted(name));
    let counts = "\"page\":1,\"per_page\":20,\"count\":1,\"total_count\":1,\"total_pages\":1";
    let zones = format!("[{{\"id\":\"{id}\",\"name\":{name},\"status\":\"active\"}}]");
    cloudflare(&format!("{zones},\"result_info\":{{{counts}}}"))
}

fn verified(name: &str) -> String {
    let id = key::digest(name);
    cloudflare(&format!("{{\"id\":\"{id}\",\"status\":\"active\"}}"))
}

/// A problem in a dialect's own form; `None` where it has none.
fn problem_json(dialect: Dialect, problem: &Problem) -> Option<String> {
    let parts = problem.parts();
    match dialect {
        Dialect::Varnish | Dialect::Github => None,
        Dialect::Fastly => {
            let (title, parts) = (quoted(problem.title), quoted(&parts.join("; ")));
            Some(format!("{{\"msg\":{title},\"detail\":{parts}}}"))
        }
        Dialect::Cloudflare => {
            let code = code(problem.status);
            let error = |part: &String| format!("{{\"code\":{code},\"message\":{}}}", quoted(part));
            let errors: Vec<String> = parts.iter().map(error).collect();
            let errors = errors.join(",");
            Some(format!(
                "{{\"success\":false,\"errors\":[{errors}],\"messages\":[],\"result\":null}}"
            ))
        }
    }
}

/// Cloudflare's numbers, where there is one that its clients may know: 10000
/// "Authentication error", 9109 "Unauthorized to access requested resource",
/// 1012 for a body that is no order.
fn code(status: u16) -> u16 {
    match status {
        401 => 10_000,
        403 => 9109,
        400 | 413 | 422 => 1012,
        other => other,
    }
}
