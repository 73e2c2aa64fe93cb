//! Purge calls in the dialects of other caches. They become the same orders;
//! the responses have the form that those caches' clients expect.

use super::routes::json_answer;
use crate::cache::config::setting_words::Dialect;
use crate::cache::key::cache_key;
use crate::cache::purge::purge_call::{Action, PurgeCall};
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::append::{self, AppendOutcome, PurgeDryRun};
use crate::flow::purge::authenticate;
use crate::flow::response::problem::Problem;
use crate::flow::response::reply::{Answer, Content};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::http::head::RequestHead;
use crate::http::json_object::print;
use serde::Serialize;
use serde_json::Map;

/// Executes a purge call and returns the response in its dialect.
pub async fn handle_call<H: Host>(
    host: &H,
    isolate: &Isolate,
    call: &PurgeCall,
    request: &RequestHead,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> Answer<H::Body> {
    log.event = "purge";
    match act(host, isolate, call, request, body, log).await {
        Ok(text) => json_answer(200, text),
        Err(problem) => {
            log.add_note(problem.summary());
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
    call: &PurgeCall,
    request: &RequestHead,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> Result<String, Problem> {
    let body = append::read_body(host, request, body).await?;
    let sender =
        authenticate::authenticate(host, isolate, request, &body, Some(call.dialect)).await?;
    match &call.action {
        Action::Zone(name) => return Ok(zones(name)),
        Action::Verify => return Ok(verified(&sender.key.rule.name)),
        _ => {}
    }
    let parsed = call.parse(&isolate.rules, &request.fields, &body);
    let tags = parsed
        .as_ref()
        .map(|parsed| parsed.tags())
        .unwrap_or_default();
    let outcome = append::execute_order(host, isolate, request, &body, sender, parsed, log).await?;
    Ok(match call.dialect {
        Dialect::Varnish | Dialect::Github => outcome.json(),
        Dialect::Fastly => fastly(call, &tags, &outcome),
        Dialect::Cloudflare => match &outcome {
            AppendOutcome::Done(receipt) => success(PurgeId { id: &receipt.id }),
            AppendOutcome::Dry(resolved, refused) => success(PurgeDryRun::of(resolved, refused)),
        },
    })
}

/// The response in Fastly's form. Fastly gives each tag's purge an id of its
/// own; here all tags of a call are one order, with one id.
fn fastly(call: &PurgeCall, tags: &[String], outcome: &AppendOutcome) -> String {
    let id = match outcome {
        AppendOutcome::Done(receipt) => receipt.id.as_str(),
        AppendOutcome::Dry(..) => "",
    };
    match &call.action {
        Action::Tags(_) => {
            let mut ids = Map::new();
            for tag in tags {
                ids.insert(tag.clone(), id.into());
            }
            print(&ids)
        }
        _ => print(&FastlyPurge { status: "ok", id }),
    }
}

/// Fastly's response to a purge that is not by tags.
#[derive(Serialize)]
struct FastlyPurge<'a> {
    status: &'static str,
    id: &'a str,
}

/// A problem in Fastly's form.
#[derive(Serialize)]
struct FastlyProblem<'a> {
    msg: &'static str,
    detail: &'a str,
}

/// Cloudflare's envelope of all responses.
#[derive(Serialize)]
struct Envelope<T> {
    success: bool,
    errors: Vec<EnvelopeError>,
    messages: [&'static str; 0],
    /// `null` if there are errors.
    result: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_info: Option<ResultInfo>,
}

/// An error in Cloudflare's envelope.
#[derive(Serialize)]
struct EnvelopeError {
    code: u16,
    message: String,
}

/// The position in Cloudflare's paged list.
#[derive(Serialize)]
struct ResultInfo {
    page: u32,
    per_page: u32,
    count: u32,
    total_count: u32,
    total_pages: u32,
}

/// Cloudflare's result of a purge.
#[derive(Serialize)]
struct PurgeId<'a> {
    id: &'a str,
}

/// A zone in Cloudflare's list of zones.
#[derive(Serialize)]
struct ZoneView<'a> {
    id: String,
    name: &'a str,
    status: &'static str,
}

/// Cloudflare's result of a token's verification.
#[derive(Serialize)]
struct TokenView {
    id: String,
    status: &'static str,
}

impl<T> Envelope<T> {
    /// A successful envelope with this result.
    fn of(result: T) -> Self {
        Self {
            success: true,
            errors: Vec::new(),
            messages: [],
            result: Some(result),
            result_info: None,
        }
    }
}

fn success(result: impl Serialize) -> String {
    print(&Envelope::of(result))
}

/// A list with one zone. Clients look up the zone's id by its name and put it
/// into the path of the next call, where Edgekeep ignores it.
fn zones(name: &str) -> String {
    let zone = ZoneView {
        id: cache_key::digest(name),
        name,
        status: "active",
    };
    print(&Envelope {
        result_info: Some(ResultInfo {
            page: 1,
            per_page: 20,
            count: 1,
            total_count: 1,
            total_pages: 1,
        }),
        ..Envelope::of([zone])
    })
}

fn verified(name: &str) -> String {
    success(TokenView {
        id: cache_key::digest(name),
        status: "active",
    })
}

/// A problem in the dialect's own form; `None` if the dialect has none.
fn problem_json(dialect: Dialect, problem: &Problem) -> Option<String> {
    let parts = problem.parts();
    match dialect {
        Dialect::Varnish | Dialect::Github => None,
        Dialect::Fastly => Some(print(&FastlyProblem {
            msg: problem.title,
            detail: &parts.join("; "),
        })),
        Dialect::Cloudflare => {
            let code = code(problem.status);
            let error = |message| EnvelopeError { code, message };
            Some(print(&Envelope::<()> {
                success: false,
                errors: parts.into_iter().map(error).collect(),
                messages: [],
                result: None,
                result_info: None,
            }))
        }
    }
}

/// Cloudflare's error code for a status, where its clients may depend on one:
/// 10000 "Authentication error", 9109 "Unauthorized to access requested
/// resource", 1012 for an invalid body. Otherwise the status itself.
fn code(status: u16) -> u16 {
    match status {
        401 => 10_000,
        403 => 9109,
        400 | 413 | 422 => 1012,
        other => other,
    }
}
