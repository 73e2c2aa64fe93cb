//! KV as the tier behind the Cache API: which responses are copied to it, and
//! when reads or writes are paused. `cache::store::kv_admission`,
//! `cache::store::kv_breaker` and `cache::store::kv_write_budget` decide, from
//! the isolate's [`KvState`].
//!
//! The Cache API has no such guard: it is in the same data centre, its hits are
//! the main purpose, and a timer on each would cost more than a slow read.

use super::store_placement::StorePlacement;
use crate::cache::config::limits::DAY_MS;
use crate::cache::config::rule::Kv;
use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::{ENTRY_BYTES_MAX, Entry};
use crate::cache::request::classify::Lookup;
use crate::cache::store::kv_admission;
use crate::cache::store::kv_breaker::{BODY_FAILED, LAST_READ_MS_MAX, READ_MS_MAX, WriteFault};
use crate::flow::isolate::kv_state::KvState;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::request_log::{RequestLog, log_problem};
use crate::flow::runtime::host::{Host, SlotContent, StoreObserver, StoreRequest, Tier};
use crate::flow::runtime::timeout::with_timeout;
use std::pin::Pin;
use std::rc::Rc;

/// Why KV gets no copy that the policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvRefusal {
    /// KV has refused writes recently.
    Paused,
    /// The daily write budget is spent.
    Spent,
}

impl KvRefusal {
    /// A word for logs and `Cache-Status`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Paused => "kv-writes-paused",
            Self::Spent => "kv-budget-spent",
        }
    }
}

/// The copies of a response.
pub struct Copies {
    /// The entry, the slots it is written to, and the observer.
    pub store_request: StoreRequest,
    /// Why KV is not among the slots.
    pub kv_refusal: Option<KvRefusal>,
}

/// The copies of a response. `observer` observes them, and so do the KV guards.
pub fn copies_of<H: Host>(
    cx: RequestCx<'_, H>,
    entry: Entry,
    placement: &StorePlacement,
    observer: &StoreObserver,
    log: &mut RequestLog,
) -> Copies {
    let mut copies = copies_except(cx, entry, placement, &[], log);
    copies.store_request.observer = observer.clone().and(copies.store_request.observer);
    copies
}

/// The copies of a response except those in the slots `but`, which hold another
/// response by now. Only the KV guards observe them.
pub fn copies_except<H: Host>(
    cx: RequestCx<'_, H>,
    entry: Entry,
    placement: &StorePlacement,
    but: &[(Tier, Slot)],
    log: &mut RequestLog,
) -> Copies {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    let tiers = tiers_for(lookup, &entry).into_iter();
    let places = tiers.filter_map(|tier| Some((tier, placement.slot_for(tier, lookup, &entry)?)));
    let mut places: Vec<_> = places.filter(|place| !but.contains(place)).collect();
    let mut observer = StoreObserver::default();
    let mut kv_refusal = None;
    if let Some((_, slot)) = places.iter().find(|(tier, _)| *tier == Tier::Kv) {
        let doubted = isolate.kv.doubted.borrow_mut().remove(&slot.digest);
        let proof = match (doubted || placement.seen_before, placement.written) {
            (_, true) => Proof::Write,
            (true, false) => Proof::Found,
            (false, false) => Proof::None,
        };
        let earned = is_earned(isolate, lookup, &entry, proof);
        kv_refusal = earned.then(|| refusal(host, isolate)).flatten();
        log.detail.extend(kv_refusal.map(KvRefusal::word));
        if earned && kv_refusal.is_none() {
            count_write(isolate);
            observer = write_observer(host, isolate);
        } else {
            places.retain(|(tier, _)| *tier != Tier::Kv);
        }
    }
    Copies {
        store_request: StoreRequest {
            entry,
            places,
            observer,
        },
        kv_refusal,
    }
}

/// The tiers that a response may be written to. The Cache API gets everything
/// that may be stored. KV gets pages that will be fresh for a while and that
/// have readable heads, because it stores text.
fn tiers_for(lookup: &Lookup, entry: &Entry) -> Vec<Tier> {
    let small = entry
        .length
        .is_none_or(|length| length <= KV_BODY_BYTES_MAX);
    // Errors are short-lived, and KV would return them for a minute or more.
    let page = entry.status < 400 && entry.status != 206;
    let lasts = entry.terms.lifetime > entry.initial_age;
    let may = small && page && lasts && entry.fields.are_readable();
    if lookup.rule.kv != Kv::Never && may {
        vec![Tier::CacheApi, Tier::Kv]
    } else {
        vec![Tier::CacheApi]
    }
}

/// The longest body for KV. Its values have at most 25 MiB, and the entry's
/// text needs some of that.
const KV_BODY_BYTES_MAX: u64 = 25 * 1024 * 1024 - ENTRY_BYTES_MAX as u64;

/// What the lookup shows about how often a response is fetched.
enum Proof {
    /// Nothing.
    None,
    /// It has been fetched before.
    Found,
    /// It is fetched again because of a write. That does not count for
    /// admission, or a client that writes and reads in turn would cause a KV
    /// write each time.
    Write,
}

/// Whether a response is fetched often enough to be copied to KV. Counts this
/// fetch.
fn is_earned(isolate: &Isolate, lookup: &Lookup, entry: &Entry, proof: Proof) -> bool {
    if !kv_admission::is_of_use(&lookup.rule, entry) {
        return false;
    }
    match lookup.rule.kv {
        Kv::Never => false,
        Kv::Always => true,
        Kv::Earned if matches!(proof, Proof::Write) => false,
        Kv::Earned => {
            let digest = kv_admission::digest(&lookup.key, entry);
            let known = isolate.kv.doorkeeper.borrow_mut().check_and_insert(digest);
            known || matches!(proof, Proof::Found)
        }
    }
}

/// Why KV may not be written now, if so. A spent budget is logged once a day.
fn refusal<H: Host>(host: &H, isolate: &Isolate) -> Option<KvRefusal> {
    let (kv, now_ms) = (&isolate.kv, host.now_ms());
    if kv.writes.get().are_paused(now_ms) {
        return Some(KvRefusal::Paused);
    }
    let most = isolate.rules.kv_writes_per_day?;
    if kv.budget.get().allows(most, now_ms) {
        return None;
    }
    let today = Some(now_ms / DAY_MS);
    if kv.spent_day.replace(today) != today {
        let word = KvRefusal::Spent.word();
        let problem = format!("{word}: this day has had {most} writes");
        log_problem(host, "kv", &problem);
    }
    Some(KvRefusal::Spent)
}

/// Counts a KV write, if there is a budget.
pub fn count_write(isolate: &Isolate) {
    if isolate.rules.kv_writes_per_day.is_some() {
        let mut budget = isolate.kv.budget.get();
        budget.count();
        isolate.kv.budget.set(budget);
    }
}

/// An observer that updates the KV write breaker with the result of each write.
pub fn write_observer<H: Host>(host: &H, isolate: &Rc<Isolate>) -> StoreObserver {
    let (host, isolate) = (host.clone(), Rc::clone(isolate));
    StoreObserver::new(move |tier, outcome| {
        if tier == Tier::Kv {
            record_write(&host, &isolate.kv, outcome);
        }
    })
}

fn record_write<H: Host>(host: &H, kv: &KvState, outcome: Result<(), &str>) {
    let (mut writes, now_ms) = (kv.writes.get(), host.now_ms());
    let Err(problem) = outcome else {
        writes.record_success(now_ms);
        return kv.writes.set(writes);
    };
    // Not logged: a write that began before the pause shows nothing new, and a
    // failed body has been logged already.
    let fault = WriteFault::of(problem);
    let silent = writes.are_paused(now_ms) || fault == WriteFault::Body;
    let pause_ms = writes.record_failure(fault, now_ms);
    kv.writes.set(writes);
    match pause_ms {
        Some(ms) => log_problem(
            host,
            "kv",
            &format!(
                "{} for {} s: {problem}",
                KvRefusal::Paused.word(),
                ms / 1000
            ),
        ),
        None if silent => {}
        None => log_problem(host, "kv", problem),
    }
}

/// How many slots with truncated bodies are remembered. Truncation is not
/// expected to happen.
const DOUBTED_MAX: usize = 1_000;

/// An observer for copying a body from KV to the Cache API. If the body is
/// truncated, the transfer to the client breaks, and the slot counts as empty
/// until it is written again.
pub fn body_observer(isolate: &Rc<Isolate>, slot: &Slot) -> StoreObserver {
    let (isolate, digest) = (Rc::clone(isolate), slot.digest.clone());
    StoreObserver::new(move |_, outcome| {
        if outcome.is_err_and(|problem| problem.starts_with(BODY_FAILED)) {
            let mut doubted = isolate.kv.doubted.borrow_mut();
            if doubted.len() >= DOUBTED_MAX {
                doubted.clear();
            }
            doubted.insert(digest.clone());
        }
    })
}

/// Which lookup of a request reads KV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Before the origin is requested: a slow KV counts as empty.
    First,
    /// After the origin has failed: KV gets more time, and is read even if it
    /// has been slow or failing recently.
    Last,
}

/// Reads a KV slot, unless reads are paused because KV has been slow or
/// failing.
///
/// A read that takes longer than [`READ_MS_MAX`], at the last attempt
/// [`LAST_READ_MS_MAX`], counts as missing. An error says why KV was not read.
pub async fn read_slot<H: Host>(
    cx: RequestCx<'_, H>,
    slot: &Slot,
    attempt: Attempt,
    log: &mut RequestLog,
) -> Result<SlotContent<H::Body>, String> {
    let (host, kv) = (cx.host, &cx.isolate.kv);
    if kv.doubted.borrow().contains(&slot.digest) {
        return Ok(None);
    }
    if attempt == Attempt::First && kv.reads.get().are_paused(host.now_ms()) {
        return Err("left alone for a while".to_owned());
    }
    log.reads.push(Tier::Kv.word());
    let most_ms = match attempt {
        Attempt::First => READ_MS_MAX,
        Attempt::Last => LAST_READ_MS_MAX,
    };
    let (host_then, slot) = (host.clone(), slot.clone());
    let mut read = Box::pin(async move { host_then.read_slot(Tier::Kv, &slot).await });
    let content = match with_timeout(host, most_ms, &mut read).await {
        Some(content) => content,
        None => {
            drop_later(host, read);
            Err(format!("no answer within {most_ms} ms"))
        }
    };
    if cx.observation.is_none() {
        record_read(host, kv, &content);
    }
    content
}

/// Updates the KV read breaker with the result of a read.
fn record_read<H: Host>(host: &H, kv: &KvState, content: &Result<SlotContent<H::Body>, String>) {
    let (mut reads, now_ms) = (kv.reads.get(), host.now_ms());
    let pause_ms = match content {
        Ok(_) => {
            reads.record_success(now_ms);
            None
        }
        Err(problem) => reads.record_failure(problem, now_ms),
    };
    kv.reads.set(reads);
    if let (Some(ms), Err(problem)) = (pause_ms, content) {
        let text = format!("kv-reads-paused for {} s: {problem}", ms / 1000);
        log_problem(host, "kv", &text);
    }
}

/// How long an abandoned read is kept so that its body can be dropped when it
/// arrives: an undropped stream would hold its connection. This is less than
/// the time that a refresh by the ledger has beyond the origin's.
const LINGER_MS_MAX: u64 = 20_000;

fn drop_later<H: Host>(host: &H, read: Pin<Box<impl Future + 'static>>) {
    let clock = host.clone();
    host.later(async move {
        let mut read = read;
        // Dropping the body ends its stream.
        drop(with_timeout(&clock, LINGER_MS_MAX, &mut read).await);
    });
}
