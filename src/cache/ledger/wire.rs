//! The ledger's decisions: which number an order gets, and whether it is a
//! repeat. `flow::ledger::ledger_store` keeps what they return.
//!
//! The ledger stores these structs as JSON, and isolates exchange them with it.
//! Another version may have written them: unknown fields are ignored, and fields
//! keep their names.

use super::sequence::Numbers;
use crate::cache::config::cascade::Carried;
use crate::http::json_object::pairs;
use crate::http::url::host_name;
use crate::json_object;
use serde::{Deserialize, Deserializer, Serialize};
use std::ops::Not;

/// An order as it goes to the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Order {
    /// The webhook's id, unique for its key: two keys may use the same. An
    /// order without one gets one made of its number; a write that invalidates
    /// has none and leaves no receipt.
    pub id: Option<String>,
    /// Digest of what was sent: a used id with another one is refused.
    pub body_digest: String,
    /// Name of the key that proved it; `None` for a write that invalidates.
    pub key: Option<String>,
    /// How it came: `webhook`, or the name of a dialect.
    pub via: String,
    /// What is gone, as selectors' texts, cascade included.
    #[serde(default)]
    pub hard: Vec<String>,
    /// What is stale, as selectors' texts, cascade included.
    #[serde(default)]
    pub soft: Vec<String>,
    /// Which tags carried which others along.
    #[serde(default, with = "pairs")]
    pub cascade: Carried,
    /// URLs to be fetched again at once.
    #[serde(default)]
    pub refresh: Vec<String>,
    /// Within how many seconds it is in force everywhere.
    pub lag_seconds: u64,
    /// The sender's own number: the answer tells the news after it.
    pub after: u64,
    /// What its marks widen to where the key has too many: the text of all
    /// that the key may purge (`cache::purge::wide`). `None` is everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl Order {
    /// Whether a receipt is kept: of all orders but of writes, which anybody
    /// may send.
    pub fn is_recorded(&self) -> bool {
        self.key.is_some()
    }

    /// The name of a write's host, of which all is that it names: hard, or the
    /// whole host softly. `None` for what is no such order, whoever sends it.
    pub fn host_of_write(&self) -> Option<&str> {
        let mut names = self.hard.iter().chain(&self.soft);
        let host = names.next().and_then(|name| host_of(name))?;
        let is_whole = |name: &String| name.strip_prefix("host:").map(host_name) == Some(host);
        let fits = names.all(|name| host_of(name) == Some(host)) && self.soft.iter().all(is_whole);
        (fits && !self.is_recorded()).then_some(host)
    }
}

/// The name of the host of a selector's text, if it is of one: without a port,
/// because a host is purged on all its ports.
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

/// What the sender of an order gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Receipt {
    /// The order's id.
    pub id: String,
    /// The order's number.
    pub sequence: u64,
    /// When it was accepted, in milliseconds since 1970.
    pub received_ms: u64,
    /// From when on no isolate that can reach the ledger serves what it purged.
    pub in_force_ms: u64,
    /// See [`Order::key`].
    pub key: Option<String>,
    /// See [`Order::via`].
    pub via: String,
    /// What is gone.
    #[serde(default)]
    pub hard: Vec<String>,
    /// What is stale.
    #[serde(default)]
    pub soft: Vec<String>,
    /// See [`Order::cascade`].
    #[serde(default, with = "pairs")]
    pub cascade: Carried,
    /// How many URLs are to be fetched again.
    pub refresh: usize,
    /// In how many calls it goes on to the zone's own purge.
    pub fast_lane: usize,
}

/// What the ledger remembers of an accepted order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Record {
    /// See [`Order::body_digest`].
    pub body_digest: String,
    /// What its sender got.
    pub receipt: Receipt,
}

/// What became of the work that an order leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Progress {
    /// Steps still to do.
    pub pending: u64,
    /// Steps done.
    pub done: u64,
    /// Steps given up.
    pub failed: u64,
    /// What the last failure said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A receipt, and what has happened since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct PastOrder {
    /// The receipt.
    pub receipt: Receipt,
    /// The zone's own purge call: batches of up to 100 names.
    pub fast_lane: Progress,
    /// URLs fetched again.
    pub refresh: Progress,
    /// Whether a page of the history ends with this one because the next is
    /// too large for it.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub more: bool,
}

json_object!(Serialize for Order, Receipt, Record, Progress, PastOrder);

/// A question about past orders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Question {
    /// The orders of this id: one of each key that has used it.
    Id(String),
    /// Orders with larger numbers than `after`, the oldest first.
    #[serde(deserialize_with = "read_after")]
    After {
        /// The number.
        after: u64,
        /// How many, at most [`HISTORY_MAX`].
        limit: u64,
    },
}

/// Reads the fields of [`Question::After`] from a JSON object only.
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

/// How many receipts one answer lists, as far as [`HISTORY_BYTES_MAX`] allows.
pub const HISTORY_MAX: u64 = 100;

/// How many bytes of records one page of the history holds: five of the
/// largest (192 KiB each: an order, and what its tags carry). An isolate reads
/// and prints a page as a whole, some four copies of it. A larger record than
/// this would be a page of its own.
pub const HISTORY_BYTES_MAX: u64 = 1_000_000;

/// What becomes of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is new: keep the record, and raise its marks (or the floor) to the
    /// receipt's number, in one transaction.
    Accept(Record),
    /// It came before: the same receipt again.
    Repeat(Receipt),
    /// Its id was used for another order.
    Conflict,
}

/// Decides on an order at `now_ms`. `last` is the last number given; `earlier`
/// the record under the order's key and id.
pub fn decide(
    last: u64,
    earlier: Option<&Record>,
    order: &Order,
    now_ms: u64,
    fast_lane: usize,
) -> Decision {
    match earlier {
        Some(record) if record.body_digest == order.body_digest => {
            return Decision::Repeat(record.receipt.clone());
        }
        Some(_) => return Decision::Conflict,
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
    Decision::Accept(Record {
        body_digest: order.body_digest.clone(),
        receipt,
    })
}

/// The id of an order that came without one.
fn made_id(sequence: u64) -> String {
    format!("order-{sequence}")
}

/// The number of which this id would be made.
pub fn made_id_number(id: &str) -> Option<u64> {
    let number = id.strip_prefix("order-")?.parse().ok()?;
    (made_id(number) == id).then_some(number)
}

/// The numbers to which an order raises what it names.
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

/// How many marks the ledger holds of keys that may purge everything. When
/// there are more, the oldest [`MARKS_DROPPED`] go and the floor rises to them:
/// what was filled before is fetched again, and nothing is served that should
/// not be. 100,000 marks are 4.6 MB of news for an isolate that starts. With
/// 20 other keys and all writes there are 175,000: 8.1 MB of news in nine
/// pages. What an isolate holds of them: `cache::purge::index::INDEX_MARKS_MAX`.
pub const MARKS_MAX: u64 = 100_000;

/// How many of the oldest marks go at once: an eighth, so that the floor
/// rises seldom.
pub const MARKS_DROPPED: u64 = MARKS_MAX / 8;

/// How many marks the ledger holds of one scope: of a key that may not purge
/// everything. An order has 1,000, and as many again that its tags carry. Where
/// there are more, the oldest eighth widens to all that the key may purge.
pub const SCOPE_MARKS_MAX: u64 = 2_500;

/// How many scopes have marks, or have been widened to, at the same time: those
/// of all 20 keys, and of some settings before. Beyond it, what is oldest
/// widens to everything; only changed settings bring that about.
pub const SCOPES_MAX: u64 = 32;

/// How many marks of writes the ledger holds for one host: distinct pages that
/// were written to. Where there are more, the oldest eighth widens to a soft
/// purge of the host.
pub const HOST_WRITES_MAX: u64 = 1_000;

/// How many marks of writes it holds for all hosts. Beyond it, the hosts with
/// the most give first; [`WRITES_MAX`] / [`HOSTS_MAX`] = 25 stay for each.
pub const WRITES_MAX: u64 = 25_000;

/// How many hosts have marks of writes of their own. In a zone with a wildcard
/// in its DNS a client chooses names of hosts. Those beyond it share buckets
/// (`cache::purge::wide`), which are purged softly, all hosts of one together.
pub const HOSTS_MAX: u64 = 1_000;

/// A host that nobody has written to for so long makes room for another: its
/// bucket is softly purged up to its last write, an hour ago.
pub const HOST_IDLE_MS: u64 = 3_600_000;

/// How often writes purge a host softly, or a bucket: what was written to
/// meanwhile counts at the end of it. So a client that writes to many URLs has
/// each page of that host asked for twice a minute at most, and nobody's write
/// waits longer than this, and `max_purge_lag`.
pub const WIDEN_MS: u64 = 30_000;

/// How long a mark is kept. Beyond it the floor rises to it (or what else it
/// widens to): what has been stored for so long without being looked at by the
/// origin is fetched again once.
pub const MARK_MS: u64 = 30 * 86_400_000;

/// How long receipts and ids are remembered: 30 days.
pub const RECORD_MS: u64 = 30 * 86_400_000;
