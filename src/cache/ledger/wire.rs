//! The ledger's decision about an order (its sequence number, or that it is a
//! repeat), and the types that the ledger stores and exchanges.
//! `flow::ledger::ledger_store` writes the results to the database.
//!
//! The ledger stores these structs as JSON, and isolates exchange them with it.
//! Another version of the Worker may have written them: unknown fields are
//! ignored, and fields are never renamed.

use super::sequence::Numbers;
use crate::cache::config::cascade::Carried;
use crate::http::json_object::pairs;
use crate::http::url::host_name;
use crate::json_object;
use serde::{Deserialize, Deserializer, Serialize};
use std::ops::Not;

/// An order as an isolate sends it to the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Order {
    /// The webhook's id. It is unique for one key only: two keys may use the
    /// same id. An order without an id gets one made of its sequence number. A
    /// write that invalidates has no id and leaves no receipt.
    pub id: Option<String>,
    /// Digest of the request body. A used id with another digest is refused.
    pub body_digest: String,
    /// Name of the key that authenticated the order; `None` for a write that
    /// invalidates.
    pub key: Option<String>,
    /// How the order arrived: `webhook`, or the name of a dialect.
    pub via: String,
    /// The texts of the selectors to purge hard, cascade included.
    #[serde(default)]
    pub hard: Vec<String>,
    /// The texts of the selectors to purge softly, cascade included.
    #[serde(default)]
    pub soft: Vec<String>,
    /// Which tags the cascade added, for each tag.
    #[serde(default, with = "pairs")]
    pub cascade: Carried,
    /// URLs to refresh at once.
    #[serde(default)]
    pub refresh: Vec<String>,
    /// Seconds until the order is in force everywhere.
    pub lag_seconds: u64,
    /// The last sequence number that the sender has seen: the ledger's response
    /// contains the purges after it.
    pub after: u64,
    /// The selector that the key's marks widen to when it has too many: the
    /// text of all that the key may purge (`cache::purge::wide`). `None` means
    /// everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl Order {
    /// Whether the ledger keeps a receipt. It keeps none for writes, because
    /// any client may send them.
    pub fn is_recorded(&self) -> bool {
        self.key.is_some()
    }

    /// Returns the host of a write's order if all its selectors are of that
    /// host. A write's order purges parts of a host hard, or the whole host
    /// softly. Returns `None` for any other order, whichever isolate or version
    /// sent it.
    pub fn host_of_write(&self) -> Option<&str> {
        let mut names = self.hard.iter().chain(&self.soft);
        let host = names.next().and_then(|name| host_of(name))?;
        let is_whole = |name: &String| name.strip_prefix("host:").map(host_name) == Some(host);
        let fits = names.all(|name| host_of(name) == Some(host)) && self.soft.iter().all(is_whole);
        (fits && !self.is_recorded()).then_some(host)
    }
}

/// Returns the host in a selector's text, if the selector has one. The port is
/// removed, because a purge of a host covers all its ports.
fn host_of(name: &str) -> Option<&str> {
    let (kind, place) = name.split_once(':')?;
    let host = match kind {
        "url" | "path" | "host" => place.split(['/', '?']).next(),
        // `SCHEME://HOST NAME`
        "group" => place.split_once("://")?.1.split(' ').next(),
        _ => None,
    };
    host.map(host_name)
}

/// What the sender of an order receives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Receipt {
    /// The order's id.
    pub id: String,
    /// The order's sequence number.
    pub sequence: u64,
    /// When the order was accepted, in milliseconds since 1970.
    pub received_ms: u64,
    /// The time from which no isolate that can reach the ledger serves what was
    /// purged, in milliseconds since 1970.
    pub in_force_ms: u64,
    /// See [`Order::key`].
    pub key: Option<String>,
    /// See [`Order::via`].
    pub via: String,
    /// The texts of the selectors that were purged hard.
    #[serde(default)]
    pub hard: Vec<String>,
    /// The texts of the selectors that were purged softly.
    #[serde(default)]
    pub soft: Vec<String>,
    /// See [`Order::cascade`].
    #[serde(default, with = "pairs")]
    pub cascade: Carried,
    /// How many URLs are to be refreshed.
    pub refresh: usize,
    /// How many calls of the zone's own purge API the order causes.
    pub fast_lane: usize,
}

/// The ledger's record of an accepted order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Record {
    /// See [`Order::body_digest`].
    pub body_digest: String,
    /// The receipt that its sender received.
    pub receipt: Receipt,
}

/// Progress of the work that follows an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Progress {
    /// Steps still to do.
    pub pending: u64,
    /// Steps done.
    pub done: u64,
    /// Steps that were given up.
    pub failed: u64,
    /// Error text of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A receipt and the progress of its work since then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct PastOrder {
    /// The receipt.
    pub receipt: Receipt,
    /// Calls of the zone's own purge API, in batches of up to 100 names.
    pub fast_lane: Progress,
    /// URLs refreshed.
    pub refresh: Progress,
    /// Whether the page of the history ends with this order because the next
    /// one does not fit.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub more: bool,
}

json_object!(Serialize for Order, Receipt, Record, Progress, PastOrder);

/// A query for the purges after a sequence number, and what the isolate reports
/// with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedQuery {
    /// The sequence number.
    pub after: u64,
    /// How many entries were written to KV since the last report; `None` if
    /// writes have no budget. The feed then has the day's total.
    pub kv_writes: Option<u64>,
    /// Lines of statistics (`cache::stats::row`).
    pub stats: Option<String>,
}

impl FeedQuery {
    /// A query that reports nothing.
    pub fn after(after: u64) -> Self {
        Self {
            after,
            ..Self::default()
        }
    }
}

/// A query for past orders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum HistoryQuery {
    /// The orders with this id: one for each key that has used it.
    Id(String),
    /// Orders with sequence numbers above `after`, the oldest first.
    #[serde(deserialize_with = "read_after")]
    After {
        /// The sequence number.
        after: u64,
        /// The largest number of orders to return, at most [`HISTORY_MAX`].
        limit: u64,
    },
}

/// Reads the fields of [`HistoryQuery::After`]; accepts a JSON object only.
fn read_after<'de, D: Deserializer<'de>>(from: D) -> Result<(u64, u64), D::Error> {
    #[derive(Deserialize)]
    #[serde(remote = "Self")]
    struct After {
        after: u64,
        limit: u64,
    }
    json_object!(After);
    <After as Deserialize>::deserialize(from).map(|page| (page.after, page.limit))
}

/// The largest number of receipts in one response, as far as
/// [`HISTORY_BYTES_MAX`] allows.
pub const HISTORY_MAX: u64 = 100;

/// The largest size of the records in one page of the history, in bytes: five
/// of the largest records (192 KiB each: an order, and what its tags cascade
/// to). An isolate reads and prints a page as a whole, which takes about four
/// copies of it. A record larger than this would be a page of its own.
pub const HISTORY_BYTES_MAX: u64 = 1_000_000;

/// The ledger's decision about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendDecision {
    /// The order is new. Keep the record, and raise its marks (or the floor) to
    /// the receipt's sequence number, in one transaction.
    Accept(Record),
    /// The order was accepted before. Return the same receipt.
    Repeat(Receipt),
    /// The id was used for a different order.
    Conflict,
}

/// Decides about an order at `now_ms`. `last` is the last sequence number that
/// was assigned; `earlier` is the record with the order's key and id.
pub fn decide_append(
    last: u64,
    earlier: Option<&Record>,
    order: &Order,
    now_ms: u64,
    fast_lane: usize,
) -> AppendDecision {
    match earlier {
        Some(record) if record.body_digest == order.body_digest => {
            return AppendDecision::Repeat(record.receipt.clone());
        }
        Some(_) => return AppendDecision::Conflict,
        None => {}
    }
    let sequence = last.saturating_add(1);
    let lag_ms = order.lag_seconds.saturating_mul(1000);
    let id = order.id.clone();
    let receipt = Receipt {
        id: id.unwrap_or_else(|| made_id(sequence)),
        sequence,
        received_ms: now_ms,
        in_force_ms: now_ms.saturating_add(lag_ms),
        key: order.key.clone(),
        via: order.via.clone(),
        hard: order.hard.clone(),
        soft: order.soft.clone(),
        cascade: order.cascade.clone(),
        refresh: order.refresh.len(),
        fast_lane,
    };
    AppendDecision::Accept(Record {
        body_digest: order.body_digest.clone(),
        receipt,
    })
}

/// Returns the id of an order that came without one.
fn made_id(sequence: u64) -> String {
    format!("order-{sequence}")
}

/// Returns the sequence number in an id of the form that `made_id` makes.
pub fn made_id_number(id: &str) -> Option<u64> {
    let number = id.strip_prefix("order-")?.parse().ok()?;
    (made_id(number) == id).then_some(number)
}

/// Returns the numbers to which an order raises the marks of its selectors.
pub fn numbers(sequence: u64, soft: bool) -> Numbers {
    match soft {
        true => Numbers {
            hard: 0,
            soft: sequence,
        },
        false => Numbers {
            hard: sequence,
            soft: 0,
        },
    }
}

/// The largest number of marks that the ledger holds for keys that may purge
/// everything. Above it, the oldest [`MARKS_DROPPED`] are removed and the floor
/// rises to the newest of them. What was filled before that is fetched again;
/// nothing that was purged is served. 100,000 marks are 4.6 MB for an isolate
/// that starts. With 20 other keys and all writes there are 175,000 marks: 8.1
/// MB in nine pages. For the limit in an isolate, see
/// `cache::purge::index::INDEX_MARKS_MAX`.
pub const MARKS_MAX: u64 = 100_000;

/// How many of the oldest marks are removed at once: an eighth, so that the
/// floor rises seldom.
pub const MARKS_DROPPED: u64 = MARKS_MAX / 8;

/// The largest number of marks for one scope, that is, for a key that may not
/// purge everything. An order has up to 1,000, and as many again by the cascade
/// of its tags. Above the limit, the oldest eighth widens to all that the key
/// may purge.
pub const SCOPE_MARKS_MAX: u64 = 2_500;

/// The largest number of scopes that have marks, or were widened to, at the
/// same time: those of all 20 keys, and of some earlier settings. Above it, the
/// oldest scope widens to everything. Only changed settings can cause that.
pub const SCOPES_MAX: u64 = 32;

/// The largest number of write marks for one host, that is, of distinct pages
/// that were written to. Above it, the oldest eighth widens to a soft purge of
/// the host.
pub const HOST_WRITES_MAX: u64 = 1_000;

/// The largest number of write marks for all hosts. Above it, the hosts with
/// the most marks are widened first. Each host keeps at least [`WRITES_MAX`] /
/// [`HOSTS_MAX`] = 25.
pub const WRITES_MAX: u64 = 25_000;

/// The largest number of hosts that have write marks of their own. With a
/// wildcard in the zone's DNS, clients can choose host names freely. Hosts
/// above the limit share buckets (`cache::purge::wide`). A bucket is purged
/// softly, with all its hosts together.
pub const HOSTS_MAX: u64 = 1_000;

/// Time without a write, in milliseconds, after which a host makes room for
/// another. Its bucket is then purged softly up to the host's last write, an
/// hour ago.
pub const HOST_IDLE_MS: u64 = 3_600_000;

/// The interval, in milliseconds, at which writes purge a host or a bucket
/// softly. Writes within an interval take effect at its end. So a client that
/// writes to many URLs causes at most two requests a minute for each page of
/// that host, and a write waits for this time and `max_purge_lag` at most.
pub const WIDEN_MS: u64 = 30_000;

/// How long a mark is kept, in milliseconds: 30 days. Then the floor, or what
/// else the mark widens to, rises to its number. A response that has been
/// stored for that long without revalidation is then fetched again once.
pub const MARK_MS: u64 = 30 * 86_400_000;

/// How long receipts and ids are kept, in milliseconds: 30 days.
pub const RECORD_MS: u64 = 30 * 86_400_000;
