//! The ledger's decisions: which number an order gets, and whether it is a
//! repeat. The Durable Object around them only keeps what they return.

use super::purge::{Numbers, Selector};
use serde::{Deserialize, Serialize};

/// An order as it goes to the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The webhook's id; a write that invalidates has none.
    pub id: Option<String>,
    /// Digest of the webhook's body: a used id with another body is refused.
    pub body_digest: String,
    /// Stale instead of gone.
    pub soft: bool,
    /// What is purged, as text.
    pub selectors: Vec<String>,
    /// The marks of `selectors` that name less than everything.
    pub marks: Vec<String>,
    /// Whether everything is purged.
    pub everything: bool,
    /// When it came, in milliseconds since 1970.
    pub received_ms: u64,
    /// Within how many seconds it is in force everywhere.
    pub lag_seconds: u64,
    /// The sender's own number: the answer tells all news after it.
    pub after: u64,
}

impl Order {
    /// The marks and the flag that stand for these selectors.
    pub fn marks_of(selectors: &[Selector]) -> (Vec<String>, bool) {
        let marks = selectors
            .iter()
            .filter(|selector| **selector != Selector::Everything)
            .map(|selector| format!("{:016x}", selector.mark()))
            .collect();
        (marks, selectors.contains(&Selector::Everything))
    }
}

/// What the sender of an order gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The webhook's id.
    pub id: Option<String>,
    /// The order's number.
    pub sequence: u64,
    /// When it was accepted, in milliseconds since 1970.
    pub received_ms: u64,
    /// From when on no isolate serves what it purged.
    pub in_force_ms: u64,
    /// Stale instead of gone.
    pub soft: bool,
    /// What was purged.
    pub selectors: Vec<String>,
}

/// What the ledger remembers of an accepted order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// See [`Order::body_digest`].
    pub body_digest: String,
    /// What its sender got.
    pub receipt: Receipt,
}

/// What becomes of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is new: keep the record, and raise its marks (or the floor) to
    /// these numbers, in one transaction.
    Accept(Record, Numbers),
    /// It came before: the same receipt again.
    Repeat(Receipt),
    /// Its id was used for another order.
    Conflict,
}

/// Decides on an order. `last` is the last number given; `earlier` the record
/// under the order's id.
pub fn decide(last: u64, earlier: Option<&Record>, order: &Order) -> Decision {
    match earlier {
        Some(record) if record.body_digest == order.body_digest => {
            Decision::Repeat(record.receipt.clone())
        }
        Some(_) => Decision::Conflict,
        None => {
            let sequence = last.saturating_add(1);
            let lag_ms = order.lag_seconds.saturating_mul(1000);
            let numbers = if order.soft {
                Numbers {
                    hard: 0,
                    soft: sequence,
                }
            } else {
                Numbers {
                    hard: sequence,
                    soft: 0,
                }
            };
            let receipt = Receipt {
                id: order.id.clone(),
                sequence,
                received_ms: order.received_ms,
                in_force_ms: order.received_ms.saturating_add(lag_ms),
                soft: order.soft,
                selectors: order.selectors.clone(),
            };
            let body_digest = order.body_digest.clone();
            Decision::Accept(
                Record {
                    body_digest,
                    receipt,
                },
                numbers,
            )
        }
    }
}

/// How many marks the ledger holds. When there are more, the floor rises to
/// the last number and all marks go: too much is fetched again, never too
/// little. 100,000 marks are about 4 MB of news for an isolate that starts.
pub const MARKS_MAX: u64 = 100_000;
