//! Edgekeep's own endpoints: `POST /.edgekeep/purge` and `/.edgekeep/warm`
//! accept orders, `GET /.edgekeep/purges` lists past ones, `GET
//! /.edgekeep/explain` says what becomes of a request, `GET
//! /.edgekeep/stats` and `/.edgekeep/metrics` have the statistics, and `GET
//! /.edgekeep/events` sends events.

use super::dashboard::dashboard;
use super::events;
use super::explain;
use super::stats;
use crate::cache::key::cache_key;
use crate::cache::ledger::wire::{HISTORY_MAX, HistoryQuery, PastOrder};
use crate::cache::purge::order;
use crate::cache::stats::open_metrics;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::append::{self, ReceiptView};
use crate::flow::purge::authenticate::{self, Sender};
use crate::flow::response::problem::Problem;
use crate::flow::response::reply::{Answer, Content};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::Host;
use crate::flow::warm::fill;
use crate::http::fields::Fields;
use crate::http::head::RequestHead;
use crate::http::json_object::print;
use crate::http::url::decoded;
use serde::Serialize;
use std::rc::Rc;

/// Default of `limit`: how many orders a list has.
const LIMIT: u64 = 20;

/// Handles a request to one of these endpoints.
pub async fn admin<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: &RequestHead,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> Answer<H::Body> {
    let path = cache_key::canonical_path(&request.url).path;
    let rest = path.strip_prefix("/.edgekeep/").unwrap_or_default();
    if let Some(answer) = boxed(dashboard(host, isolate, request, rest)).await {
        log.event = "dashboard";
        return answer;
    }
    if rest == "events" {
        log.event = "events";
        let opened = match only(request, "GET", "events are watched by GET") {
            Ok(()) => boxed(events::watch(host, isolate, request)).await,
            Err(problem) => Err(problem),
        };
        return opened.unwrap_or_else(|problem| {
            log.add_note(problem.summary());
            problem.answer()
        });
    }
    log.event = "purge";
    let outcome = route(host, isolate, request, body, log).await;
    match outcome {
        Ok(text) if log.event == "metrics" => text_answer(200, open_metrics::MEDIA_TYPE, text),
        Ok(text) => json_answer(200, text),
        Err(problem) => {
            log.add_note(problem.summary());
            problem.answer()
        }
    }
}

/// The response while the settings are invalid: without them, the keys and
/// their permissions are unknown.
pub fn misconfigured<B>(log: &mut RequestLog) -> Answer<B> {
    let detail = "the cache's settings are bad (its log says where), so nothing is cached \
        and no order taken; send it again when they are mended";
    let problem = Problem::new(503, "Misconfigured", detail).with_field("retry-after", "60");
    log.add_note(problem.summary());
    problem.answer()
}

async fn route<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: &RequestHead,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> Result<String, Problem> {
    let path = cache_key::canonical_path(&request.url).path;
    match path.strip_prefix("/.edgekeep/").unwrap_or_default() {
        "purge" => {
            only(request, "POST", "orders are sent by POST")?;
            order(host, isolate, request, body, log).await
        }
        "warm" => {
            only(request, "POST", "orders are sent by POST")?;
            fill::order(host, isolate, request, body, log).await
        }
        "purges" => {
            only(request, "GET", "past orders are read by GET")?;
            list_orders(host, isolate, request).await
        }
        "explain" => {
            log.event = "explain";
            only(request, "GET", "questions are asked by GET")?;
            // It is large, and orders need none of it.
            boxed(explain::explain(host, isolate, request)).await
        }
        "stats" => {
            log.event = "stats";
            only(request, "GET", "statistics are read by GET")?;
            boxed(stats::stats(host, isolate, request)).await
        }
        "metrics" => {
            log.event = "metrics";
            only(request, "GET", "metrics are read by GET")?;
            boxed(stats::metrics(host, isolate, request)).await
        }
        rest => match rest.strip_prefix("purges/") {
            Some(id) => {
                only(request, "GET", "past orders are read by GET")?;
                get_order(host, isolate, request, id).await
            }
            None => Err(Problem::new(
                404,
                "No such address",
                format!(
                    "{path} is not an address of Edgekeep; orders go to POST /.edgekeep/purge or warm"
                ),
            )),
        },
    }
}

fn only(request: &RequestHead, method: &'static str, detail: &str) -> Result<(), Problem> {
    if request.method.name() == method {
        return Ok(());
    }
    Err(Problem::new(405, "Method not allowed", detail).with_field("allow", method))
}

async fn order<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> Result<String, Problem> {
    let body = append::read_body(host, request, body).await?;
    let sender = authenticate::authenticate(host, isolate, request, &body, None).await?;
    let parsed = order::read(&isolate.rules, &body, false);
    let outcome = append::execute_order(host, isolate, request, &body, sender, parsed, log).await?;
    Ok(outcome.json())
}

/// `GET /.edgekeep/purges/<id>`, with `?key=NAME` if several keys have used the
/// id. The sender's own order comes first, then the oldest that it may read.
async fn get_order<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
    id: &str,
) -> Result<String, Problem> {
    let sender = authenticate::authenticate(host, isolate, request, b"", None).await?;
    let wanted = key_of(request.url.query.as_deref().unwrap_or_default())?;
    let id = decoded(id).unwrap_or_default();
    let past = append::past_orders(host, &HistoryQuery::Id(id)).await?;
    let fits =
        |past: &&PastOrder| wanted.is_none_or(|key| past.receipt.key.as_deref() == Some(key));
    let readable = past.iter().filter(|past| may_read(&sender, past));
    let first = readable
        .filter(fits)
        .min_by_key(|past| (!is_own(&sender, past), past.receipt.sequence));
    first
        .map(|past| print(&ReceiptView::of(past)))
        .ok_or_else(|| {
            let detail = "this key has no order of that id, or none in the last 30 days";
            Problem::new(404, "No such order", detail)
        })
}

/// The `key` parameter of a query.
fn key_of(query: &str) -> Result<Option<&str>, Problem> {
    match query.split_once('=') {
        None if query.is_empty() => Ok(None),
        Some(("key", name)) => Ok(Some(name)),
        _ => {
            let detail = "ask for an id, and for key=NAME where several keys have used it";
            Err(Problem::new(400, "Question not understood", detail))
        }
    }
}

/// `GET /.edgekeep/purges?after=N&limit=M`
async fn list_orders<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
) -> Result<String, Problem> {
    let sender = authenticate::authenticate(host, isolate, request, b"", None).await?;
    let (after, limit) = page(request.url.query.as_deref().unwrap_or_default())?;
    let past = append::past_orders(host, &HistoryQuery::After { after, limit }).await?;
    // A full page may not be the last one. Orders that the sender may not read
    // count, too.
    let last = past.last().map(|past| past.receipt.sequence);
    let full = u64::try_from(past.len()).is_ok_and(|found| found >= limit)
        || past.last().is_some_and(|past| past.more);
    let purges = past.iter().filter(|past| may_read(&sender, past));
    Ok(print(&History {
        purges: purges.map(ReceiptView::of).collect(),
        next: last.filter(|_| full),
    }))
}

/// A page of the history, as JSON.
#[derive(Serialize)]
struct History<'a> {
    purges: Vec<ReceiptView<'a>>,
    /// The `after` of the next page, if there may be one.
    next: Option<u64>,
}

/// The `after` and `limit` parameters of a query.
fn page(query: &str) -> Result<(u64, u64), Problem> {
    let (mut after, mut limit) = (0, LIMIT);
    for parameter in query.split('&').filter(|text| !text.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.parse().ok();
        match (name, value) {
            ("after", Some(number)) => after = number,
            ("limit", Some(number)) if (1..=HISTORY_MAX).contains(&number) => limit = number,
            _ => {
                let detail = format!("ask for after=NUMBER and limit=1 to {HISTORY_MAX}");
                return Err(Problem::new(400, "Question not understood", detail));
            }
        }
    }
    Ok((after, limit))
}

fn may_read(sender: &Sender<'_>, past: &PastOrder) -> bool {
    sender.key.rule.admin || is_own(sender, past)
}

fn is_own(sender: &Sender<'_>, past: &PastOrder) -> bool {
    past.receipt.key.as_deref() == Some(&sender.key.rule.name)
}

/// A JSON response that is not stored.
pub fn json_answer<B>(status: u16, text: String) -> Answer<B> {
    text_answer(status, "application/json", text + "\n")
}

fn text_answer<B>(status: u16, media_type: &str, text: String) -> Answer<B> {
    let mut fields = Fields::new();
    fields.add("content-type", media_type);
    fields.add("cache-control", "no-store");
    Answer {
        status,
        fields,
        content: Content::Text(text),
        length: None,
    }
}
