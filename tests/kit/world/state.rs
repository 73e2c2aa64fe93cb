//! What all requests of a world share, and what they leave behind.

use super::filler::Bytes;
use super::plan::Plan;
use edgekeep::cache::purge::zone_purge::ZoneResponse;
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::cache::stats::data_point::DataPoint;
use edgekeep::flow::runtime::host::WatchQuery;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// A stored entry: text, body, and the time at which it expires.
pub type Held = (String, Option<Bytes>, u64);

/// The state that all requests share.
#[derive(Default)]
pub struct State {
    /// The responses of origins: by path, at the backup origin by `backup
    /// PATH`.
    pub plans: HashMap<String, Plan>,
    /// The responses before those, in turn.
    pub next_plans: HashMap<String, VecDeque<Plan>>,
    /// The requests that origins have received.
    pub asked: Vec<OriginRequest>,
    pub cache_api: BTreeMap<String, Held>,
    pub kv: BTreeMap<String, Held>,
    /// The parts that fail at once.
    pub down: Vec<&'static str>,
    pub log: Vec<String>,
    pub notes: BTreeMap<String, (String, u64)>,
    /// The next responses of the zone's purge call, in turn; after them it
    /// succeeds. `None` never arrives.
    pub zone: VecDeque<Option<Result<ZoneResponse, String>>>,
    /// The times and bodies of its calls.
    pub zone_calls: Vec<(u64, String)>,
    /// The time until its responses.
    pub zone_slow_ms: u64,
    /// The data points that were written; `None`: there is no dataset.
    pub points: Option<Vec<DataPoint>>,
    /// The error of the last failed write to KV.
    pub lost: Option<String>,
    /// The response time of slow parts, in milliseconds.
    pub slow: BTreeMap<&'static str, u64>,
    /// By how much the ledger's clock is ahead.
    pub ledger_ahead_ms: i64,
    /// The number of attempted writes to KV.
    pub kv_writes: usize,
    /// The number of queries to the ledger.
    pub ledger_queries: usize,
    /// The watchers of events.
    pub watchers: Vec<WatchQuery>,
    /// Drops work that is to run after the response.
    pub drops_later: bool,
}
