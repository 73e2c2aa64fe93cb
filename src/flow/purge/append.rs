//! Executes an authenticated order and returns its receipt; queries past
//! orders.
//!
//! An order is executed completely or not at all. It is not parsed before it is
//! authenticated.

use super::authenticate::{self, Sender};
use super::sync;
use crate::cache::ledger::wire::{HistoryQuery, Order, PastOrder, Progress, Receipt};
use crate::cache::purge::order::{NotOrder, ORDER_BYTES_MAX, ParsedPurge, Refusal, ResolvedPurge};
use crate::flow::isolate::state::Isolate;
use crate::flow::response::problem::{PartErrors, Problem};
use crate::flow::response::request_log::{RequestLog, log_problem};
use crate::flow::runtime::host::{BodyError, Host, LedgerReply};
use crate::flow::runtime::timeout::with_timeout;
use crate::http::date;
use crate::http::head::RequestHead;
use crate::http::json_object::{pairs, print};
use serde::Serialize;

/// The result of an order.
#[derive(Debug)]
pub enum AppendOutcome {
    /// It was executed.
    Done(Receipt),
    /// A dry run: what the order would do, and what of it is refused.
    Dry(ResolvedPurge, Vec<Refusal>),
}

/// How long the body of an order may take: 128 KiB in this time are 13 KB a
/// second. The sender is not authenticated yet, but its body already uses
/// memory.
const BODY_MS_MAX: u64 = 10_000;

/// Reads the body of an order.
pub async fn read_body<H: Host>(
    host: &H,
    request: &RequestHead,
    body: Option<H::Body>,
) -> Result<Vec<u8>, Problem> {
    let stated = request.fields.get("content-length");
    if stated
        .and_then(|n| n.parse().ok())
        .is_some_and(|n: usize| n > ORDER_BYTES_MAX)
    {
        return Err(too_large());
    }
    let Some(body) = body else {
        return Ok(Vec::new());
    };
    let Some(read) = with_timeout(host, BODY_MS_MAX, host.read(body, ORDER_BYTES_MAX)).await else {
        let detail = "the order's body did not come within 10 seconds";
        return Err(Problem::new(408, "Request timeout", detail));
    };
    read.map_err(|error| match error {
        BodyError::TooLong => too_large(),
        BodyError::Broken => Problem::new(400, "Body broke off", "send the order again"),
    })
}

fn too_large() -> Problem {
    let detail = format!("an order has at most {ORDER_BYTES_MAX} bytes; split it");
    Problem::new(413, "Order too large", detail)
}

/// Executes an order; a dry run returns what the order would do.
pub async fn execute_order<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
    body: &[u8],
    sender: Sender<'_>,
    parsed: Result<ParsedPurge, NotOrder>,
    log: &mut RequestLog,
) -> Result<AppendOutcome, Problem> {
    let mut parsed = parsed.map_err(not_order)?;
    parsed.check_size().map_err(not_order)?;
    let key = &sender.key.rule;
    if !parsed.dry_run && !parsed.refused.is_empty() {
        return Err(refused(422, "Order not understood", parsed.refused));
    }
    parsed.limit(&key.permit, &key.name);
    if !parsed.dry_run && !parsed.refused.is_empty() {
        return Err(refused(403, "Not allowed", parsed.refused));
    }
    let resolved = parsed.resolve(&isolate.rules.cascades).map_err(not_order)?;
    if parsed.dry_run {
        log.add_note(format!("dry run by {}", key.name));
        return Ok(AppendOutcome::Dry(resolved, parsed.refused));
    }
    let order = Order {
        id: sender.id,
        body_digest: authenticate::digest(request, body),
        key: Some(key.name.clone()),
        via: sender.via.to_owned(),
        hard: resolved.hard,
        soft: resolved.soft,
        cascade: resolved.cascade,
        refresh: resolved.refresh,
        lag_seconds: isolate.rules.max_purge_lag_seconds,
        after: isolate.seen(),
        scope: key.permit.scope().map(ToString::to_string),
    };
    let receipt = append_order(host, isolate, &request.url.host, &order).await?;
    log_purge(log, &receipt);
    Ok(AppendOutcome::Done(receipt))
}

/// Appends an order to the ledger. `site` is the host name of the request.
pub async fn append_order<H: Host>(
    host: &H,
    isolate: &Isolate,
    site: &str,
    order: &Order,
) -> Result<Receipt, Problem> {
    match sync::send_order(host, isolate, site, order).await {
        Ok(LedgerReply::Done(receipt, _)) => Ok(*receipt),
        Ok(LedgerReply::Conflict) => Err(Problem::new(
            409,
            "Webhook id used before",
            "another order with this webhook-id was accepted; use a new id",
        )),
        Err(problem) => {
            log_problem(host, "ledger", &problem);
            let detail = "the purge ledger cannot be reached; send the same order again";
            Err(Problem::new(503, "Ledger unavailable", detail).with_field("retry-after", "5"))
        }
    }
}

/// Queries the ledger for past orders.
pub async fn past_orders<H: Host>(
    host: &H,
    query: &HistoryQuery,
) -> Result<Vec<PastOrder>, Problem> {
    host.history(query).await.map_err(|problem| {
        log_problem(host, "ledger", &problem);
        let detail = "the purge ledger cannot be reached; ask again";
        Problem::new(503, "Ledger unavailable", detail).with_field("retry-after", "5")
    })
}

fn not_order(error: NotOrder) -> Problem {
    let detail = error.to_string();
    match error {
        NotOrder::Json(_) => Problem::new(400, "Body is not JSON", detail),
        NotOrder::Shape(_) => Problem::new(422, "Not a purge order", detail),
        NotOrder::Empty => Problem::new(422, "Empty order", detail),
        NotOrder::TooMany | NotOrder::TooMuchCarried => {
            Problem::new(422, "Too many selectors", detail)
        }
    }
}

fn refused(status: u16, title: &'static str, errors: Vec<Refusal>) -> Problem {
    let detail = "nothing was purged: see the parts under \"errors\"";
    Problem {
        errors,
        ..Problem::new(status, title, detail)
    }
}

/// How many selectors a log line names; the receipt has all.
const NOTED_MAX: usize = 20;

fn log_purge(log: &mut RequestLog, receipt: &Receipt) {
    let key = receipt.key.as_deref().unwrap_or_default();
    let mut text = format!("purge {} by {key} ({})", receipt.sequence, receipt.via);
    for (word, names) in [("hard", &receipt.hard), ("soft", &receipt.soft)] {
        let shown: Vec<&str> = names.iter().take(NOTED_MAX).map(String::as_str).collect();
        if !shown.is_empty() {
            text.push_str(&format!(", {word} {}", shown.join(" ")));
        }
        if let Some(more) = names.len().checked_sub(NOTED_MAX + 1) {
            text.push_str(&format!(" and {} more", more + 1));
        }
    }
    log.add_note(text);
}

impl AppendOutcome {
    /// The JSON response: the receipt, or the result of a dry run.
    pub fn json(&self) -> String {
        match self {
            Self::Done(receipt) => {
                // None of the order's jobs has been done yet.
                let pending = |steps: usize| Progress {
                    pending: steps as u64,
                    ..Progress::default()
                };
                let (refresh, fast_lane) = (pending(receipt.refresh), pending(receipt.fast_lane));
                print(&ReceiptView::new(receipt, &refresh, &fast_lane))
            }
            Self::Dry(resolved, refused) => print(&PurgeDryRun::of(resolved, refused)),
        }
    }
}

/// The result of a dry run, as JSON.
#[derive(Serialize)]
pub struct PurgeDryRun<'a> {
    dry_run: bool,
    hard: &'a [String],
    soft: &'a [String],
    #[serde(serialize_with = "pairs::serialize")]
    cascade: &'a [(String, Vec<String>)],
    refresh: &'a [String],
    refused: PartErrors<'a>,
}

impl<'a> PurgeDryRun<'a> {
    /// What the order would do, and what of it is refused.
    pub fn of(resolved: &'a ResolvedPurge, refused: &'a [Refusal]) -> Self {
        Self {
            dry_run: true,
            hard: &resolved.hard,
            soft: &resolved.soft,
            cascade: &resolved.cascade,
            refresh: &resolved.refresh,
            refused: PartErrors(refused),
        }
    }
}

/// The time from which an order is in force, rounded up: at this second it is.
pub fn in_force_at(receipt: &Receipt) -> String {
    date::print_rfc3339(receipt.in_force_ms.saturating_add(999))
}

/// A receipt as JSON for its sender.
#[derive(Serialize)]
pub struct ReceiptView<'a> {
    id: &'a str,
    sequence: u64,
    received_at: String,
    in_force_at: String,
    key: Option<&'a str>,
    via: &'a str,
    hard: &'a [String],
    soft: &'a [String],
    #[serde(
        serialize_with = "pairs::serialize",
        skip_serializing_if = "<[_]>::is_empty"
    )]
    cascade: &'a [(String, Vec<String>)],
    /// Present if the order refreshes URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a Progress>,
    /// Present if the order is also sent to the zone's own purge.
    #[serde(skip_serializing_if = "Option::is_none")]
    fast_lane: Option<&'a Progress>,
}

impl<'a> ReceiptView<'a> {
    /// A past order: its receipt, and the progress of its jobs.
    pub fn of(past: &'a PastOrder) -> Self {
        Self::new(&past.receipt, &past.refresh, &past.fast_lane)
    }

    fn new(receipt: &'a Receipt, refresh: &'a Progress, fast_lane: &'a Progress) -> Self {
        Self {
            id: &receipt.id,
            sequence: receipt.sequence,
            received_at: date::print_rfc3339(receipt.received_ms),
            in_force_at: in_force_at(receipt),
            key: receipt.key.as_deref(),
            via: &receipt.via,
            hard: &receipt.hard,
            soft: &receipt.soft,
            cascade: &receipt.cascade,
            refresh: Some(refresh).filter(|_| receipt.refresh > 0),
            fast_lane: Some(fast_lane).filter(|_| receipt.fast_lane > 0),
        }
    }
}
