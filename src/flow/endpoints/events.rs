//! `GET /.edgekeep/events`: orders and their work as they happen, over a
//! WebSocket between the client and the ledger's object (docs/events.md).
//!
//! The object keeps the name of a watcher's key only. What that key may see is
//! decided for each event.

use crate::cache::config::keys::KeyRule;
use crate::cache::ledger::wire::{PastOrder, Progress, Receipt};
use crate::cache::purge::selector::EVERYTHING;
use crate::flow::isolate::state::Isolate;
use crate::flow::ledger::history::OrderEvent;
use crate::flow::ledger::ledger_store::LedgerStore;
use crate::flow::ledger::sql::Sql;
use crate::flow::purge::append::{ReceiptView, in_force_at};
use crate::flow::purge::authenticate;
use crate::flow::response::problem::Problem;
use crate::flow::response::reply::{Answer, Content};
use crate::flow::response::request_log::log_problem;
use crate::flow::runtime::host::{Host, WatchQuery, WatchReply};
use crate::http::date;
use crate::http::fields::Fields;
use crate::http::head::RequestHead;
use crate::http::json_object::print;
use crate::http::list;
use serde::Serialize;
use std::cell::Cell;

/// The subprotocol (RFC 6455 §1.9) of the messages.
pub const PROTOCOL: &str = "edgekeep.v1";

/// The start of a subprotocol that carries a token: browsers cannot send
/// `Authorization` with a WebSocket. It is never the protocol of the answer.
const TOKEN_PROTOCOL: &str = "edgekeep.token.";

/// After how many events the reading for a watcher ends. A watcher that may see
/// few of them must not make the ledger read all of 30 days at once: it
/// connects again for the next ones.
pub const REPLAYED_MAX: usize = 1000;

/// Opens the WebSocket.
pub async fn watch<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
) -> Result<Answer<H::Body>, Problem> {
    if !names(&request.fields, "upgrade").any(|name| name.eq_ignore_ascii_case("websocket")) {
        let detail = "events come over a WebSocket: connect by wss://, with Upgrade: websocket";
        return Err(
            Problem::new(426, "Upgrade required", detail).with_field("upgrade", "websocket")
        );
    }
    let mut proof = request.clone();
    let token = names(&request.fields, "sec-websocket-protocol")
        .find_map(|name| name.strip_prefix(TOKEN_PROTOCOL));
    if let Some(token) = token {
        // Behind an `Authorization` that was sent: the first one counts.
        proof.fields.add("authorization", format!("Bearer {token}"));
    }
    let sender = authenticate::authenticate(host, isolate, &proof, b"", None).await?;
    let has_protocol = request.fields.has("sec-websocket-protocol");
    let query = after(request.url.query.as_deref()).filter(|_| {
        !has_protocol
            || names(&request.fields, "sec-websocket-protocol").any(|name| name == PROTOCOL)
    });
    let Some(after) = query else {
        let detail = format!("ask for after=NUMBER or nothing, by the protocol {PROTOCOL}");
        return Err(Problem::new(400, "Question not understood", detail));
    };
    let query = WatchQuery {
        key: sender.key.rule.name.clone(),
        after,
        has_protocol,
    };
    match host.watch(&query).await {
        Ok(WatchReply::Open(socket)) => Ok(Answer {
            status: 101,
            fields: Fields::new(),
            content: Content::Body(socket),
            length: None,
        }),
        Ok(WatchReply::Full) => {
            let detail = "as many watchers as may be are connected, in all or with this key";
            Err(Problem::new(503, "Too many watchers", detail).with_field("retry-after", "60"))
        }
        Err(problem) => {
            log_problem(host, "ledger", &problem);
            let detail = "the ledger cannot be reached; connect again";
            Err(Problem::new(503, "Ledger unavailable", detail).with_field("retry-after", "5"))
        }
    }
}

/// The members of a list field.
fn names<'a>(fields: &'a Fields, name: &'static str) -> impl Iterator<Item = &'a str> {
    fields.all(name).flat_map(list::members)
}

/// The `after` of a query, or that there is none; `None` if the query is
/// something else.
fn after(query: Option<&str>) -> Option<Option<u64>> {
    match query.unwrap_or_default() {
        "" => Some(None),
        query => query.strip_prefix("after=")?.parse().ok().map(Some),
    }
}

/// Sends a new watcher what has happened after a number, and then the number up
/// to which it has everything. `send` returns whether the watcher takes more.
/// Returns whether it can go on with what happens from now on; if not, it has
/// to connect again.
pub fn replay<S: Sql>(
    ledger: &LedgerStore<S>,
    key: &KeyRule,
    after: Option<u64>,
    send: &mut dyn FnMut(&str) -> bool,
) -> Result<bool, String> {
    let last = ledger.last_event()?;
    // A larger number is from before the ledger was restored to an earlier state.
    let mut reached = after.map_or(last, |after| after.min(last));
    let mut read = 0;
    loop {
        let events = ledger.events_after(reached)?;
        let is_end = events.is_empty();
        read += events.len();
        for event in events {
            if message(&event, key).is_some_and(|text| !send(&text)) {
                return Ok(false);
            }
            reached = event.number;
        }
        if is_end || read >= REPLAYED_MAX {
            return Ok(send(&position(reached)) && is_end);
        }
    }
}

/// The message that a watcher has everything up to a number.
fn position(number: u64) -> String {
    format!("{{\"event\":{number}}}")
}

/// Sends what has happened since `published` to the keys that watch, and raises
/// `published`.
pub fn publish<S: Sql>(
    ledger: &LedgerStore<S>,
    published: &Cell<u64>,
    watchers: &[&KeyRule],
    send: &mut dyn FnMut(&KeyRule, &str),
) -> Result<(), String> {
    if watchers.is_empty() {
        published.set(ledger.last_event()?);
        return Ok(());
    }
    loop {
        let events = ledger.events_after(published.get())?;
        let Some(last) = events.last().map(|event| event.number) else {
            return Ok(());
        };
        for event in &events {
            for key in watchers {
                if let Some(text) = message(event, key) {
                    send(key, &text);
                }
            }
        }
        published.set(last);
    }
}

/// What a key sees of an event, as JSON; `None` if that is nothing.
///
/// A key sees orders as the history shows them to it: its own ones, all of them
/// with `admin`. Of other orders it sees what it may purge itself, and that
/// everything was purged, but not by whom or why.
pub fn message(event: &OrderEvent, key: &KeyRule) -> Option<String> {
    let receipt = &event.past.receipt;
    let (kind, text) = if key.admin || receipt.key.as_deref() == Some(&key.name) {
        match event.is_new {
            true => ("order", print(&ReceiptView::of(&event.past))),
            false => ("progress", print(&ProgressView::of(&event.past))),
        }
    } else {
        let view = PurgedView::of(receipt, key);
        let is_seen = event.is_new && !(view.hard.is_empty() && view.soft.is_empty());
        ("purged", is_seen.then(|| print(&view))?)
    };
    Some(format!("{{\"event\":{},\"{kind}\":{text}}}", event.number))
}

/// The work of an order, as JSON.
#[derive(Serialize)]
struct ProgressView<'a> {
    id: &'a str,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a Progress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fast_lane: Option<&'a Progress>,
}

impl<'a> ProgressView<'a> {
    fn of(past: &'a PastOrder) -> Self {
        let receipt = &past.receipt;
        Self {
            id: &receipt.id,
            sequence: receipt.sequence,
            refresh: Some(&past.refresh).filter(|_| receipt.refresh > 0),
            fast_lane: Some(&past.fast_lane).filter(|_| receipt.fast_lane > 0),
        }
    }
}

/// What a key may know of another key's order, as JSON.
#[derive(Serialize)]
struct PurgedView<'a> {
    sequence: u64,
    received_at: String,
    in_force_at: String,
    hard: Vec<&'a str>,
    soft: Vec<&'a str>,
}

impl<'a> PurgedView<'a> {
    fn of(receipt: &'a Receipt, key: &KeyRule) -> Self {
        let seen = |names: &'a [String]| {
            let names = names.iter().map(String::as_str);
            names
                .filter(|name| *name == EVERYTHING || key.permit.allows_name(name))
                .collect()
        };
        Self {
            sequence: receipt.sequence,
            received_at: date::print_rfc3339(receipt.received_ms),
            in_force_at: in_force_at(receipt),
            hard: seen(&receipt.hard),
            soft: seen(&receipt.soft),
        }
    }
}
