//! A request in the simulated world, and the record of its host's work.

use super::executor::Life;
use super::explained::Explained;
use super::meter::Meter;
use super::page::{Bytes, Name};
use super::setup::START_MS;
use super::waves::Kind;
use super::world::World;
use edgekeep::cache::key::cache_key::Slot;
use edgekeep::flow::response::reply::Answer;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A request, and the record of its host's work.
pub struct Exchange {
    pub method: &'static str,
    pub page: usize,
    pub site: &'static str,
    pub kind: Kind,
    pub language: Option<&'static str>,
    pub range: Option<&'static str>,
    pub control: Option<&'static str>,
    /// Whether an attacker sent it.
    pub attacks: bool,
    /// The client's IP address. Without one, it is derived from the session.
    pub address: Option<String>,
    /// The task that serves it.
    pub task: Cell<Option<usize>>,
    /// The client's session, and those that the origin has set.
    pub names: RefCell<Vec<Name>>,
    pub began_ms: u64,
    /// The stamps of the origin's responses to it.
    pub stamps: RefCell<Vec<u64>>,
    /// The stamps of 304 responses.
    pub confirmed: RefCell<Vec<u64>>,
    pub origin_failed: Cell<bool>,
    /// Whether a tier failed one of its reads.
    pub tier_failed: Cell<bool>,
    /// Whether KV was so slow that it counted as empty.
    pub tier_slow: Cell<bool>,
    /// Whether it has requested the rest of a partial response.
    pub completes: Cell<bool>,
    /// The number of its reads of the Cache API.
    pub looks: Cell<u32>,
    /// The slot of KV in which the last entry was found.
    pub found_in_kv: RefCell<Option<Slot>>,
    /// Whether the origin has executed a write.
    pub written: Cell<bool>,
    /// Whether an order was sent to the ledger.
    pub ordered: Cell<bool>,
    /// For how long a switch has stopped the clock.
    pub stopped_ms: Cell<u64>,
    /// The counter of its calls, if they are counted.
    pub meter: Option<Rc<Meter>>,
    /// The life of the request's task.
    pub life: Life,
    /// The lives of its background tasks.
    pub later: RefCell<Vec<Life>>,
    pub answered: Cell<bool>,
    pub answer: RefCell<Option<Answer<Bytes>>>,
    /// What was explained of it.
    pub explained: RefCell<Option<Explained>>,
}

impl Exchange {
    /// A request that begins now, with this method and for this host.
    pub fn new(world: &World, method: &'static str, site: &'static str) -> Self {
        Self {
            method,
            site,
            began_ms: world.executor.now_ms(),
            page: 0,
            kind: Kind::Readers,
            language: None,
            range: None,
            control: None,
            attacks: false,
            address: None,
            task: Cell::default(),
            names: RefCell::default(),
            stamps: RefCell::default(),
            confirmed: RefCell::default(),
            origin_failed: Cell::default(),
            tier_failed: Cell::default(),
            tier_slow: Cell::default(),
            completes: Cell::default(),
            looks: Cell::default(),
            found_in_kv: RefCell::default(),
            written: Cell::default(),
            ordered: Cell::default(),
            stopped_ms: Cell::default(),
            meter: None,
            life: Life::default(),
            later: RefCell::default(),
            answered: Cell::default(),
            answer: RefCell::default(),
            explained: RefCell::default(),
        }
    }
}

impl std::fmt::Display for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (language, range) = (self.language.unwrap_or("-"), self.range.unwrap_or("-"));
        let began_ms = self.began_ms.saturating_sub(START_MS);
        let (method, page) = (self.method, self.page);
        write!(
            f,
            "{method} page {page}, language {language}, range {range}, "
        )?;
        write!(f, "begun at {began_ms} ms")?;
        if self.origin_failed.get() {
            f.write_str(", the origin failed")?;
        }
        Ok(())
    }
}
