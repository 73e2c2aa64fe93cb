//! KV behind the Cache API: which copies it gets, and when it is left alone.
//! The decisions are those of `cache::store::kv_admission`, `cache::store::kv_breaker` and
//! `cache::store::kv_write_budget`, on what the isolate knows ([`KvState`]).
//!
//! The Cache API has no such guard: it is in the same building, its hits are
//! what everything is about, and a timer on each would cost more than a slow
//! one ever will.

use super::store_placement::StorePlacement;
use crate::cache::config::limits::DAY_MS;
use crate::cache::config::rule::Kv;
use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::{ENTRY_BYTES_MAX, Entry};
use crate::cache::request::classify::Lookup;
use crate::cache::store::kv_admission;
use crate::cache::store::kv_breaker::{BODY_FAILED, LAST_READ_MS_MAX, READ_MS_MAX, WriteFault};
use crate::flow::isolate::kv_state::KvState;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::request_log::{Report, log_problem};
use crate::flow::runtime::host::{Host, StoreObserver, StoreRequest, Tier};
use crate::flow::runtime::timeout::with_timeout;
use std::pin::Pin;
use std::rc::Rc;

/// Copies are not written, because KV refuses them.
pub const PAUSED: &str = "kv-writes-paused";
/// Copies are not written, because the day had its share.
pub const SPENT: &str = "kv-budget-spent";

/// The copies of an answer: where they go, and who wants to know if they have
/// come there.
pub fn copies_of<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    entry: Entry,
    taken: &StorePlacement,
    report: &mut Report,
) -> StoreRequest {
    let mut keep = copies_but(host, isolate, lookup, entry, taken, &[], report);
    keep.landed = report.landed.clone().and(keep.landed);
    keep
}

/// The same, but for the places that others have taken, and of no interest to
/// those who wait for the answer.
pub fn copies_but<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    entry: Entry,
    taken: &StorePlacement,
    but: &[(Tier, Slot)],
    report: &mut Report,
) -> StoreRequest {
    let tiers = tiers_for(lookup, &entry).into_iter();
    let places = tiers.filter_map(|tier| Some((tier, taken.slot_for(tier, lookup, &entry)?)));
    let mut places: Vec<_> = places.filter(|place| !but.contains(place)).collect();
    let mut landed = StoreObserver::default();
    if let Some((_, slot)) = places.iter().find(|(tier, _)| *tier == Tier::Kv) {
        let doubted = isolate.kv.doubted.borrow_mut().remove(&slot.digest);
        let proof = match (doubted || taken.seen_before, taken.written) {
            (_, true) => Proof::Write,
            (true, false) => Proof::Found,
            (false, false) => Proof::None,
        };
        if admits(host, isolate, lookup, &entry, proof, report) {
            landed = watch(host, isolate);
        } else {
            places.retain(|(tier, _)| *tier != Tier::Kv);
        }
    }
    StoreRequest {
        entry,
        places,
        landed,
    }
}

/// KV may have pages that will be fresh for a while and need not be checked
/// each time, if their heads can be read: it holds texts. The Cache API gets
/// everything that may be stored.
fn tiers_for(lookup: &Lookup, entry: &Entry) -> Vec<Tier> {
    let small = entry
        .length
        .is_none_or(|length| length <= KV_BODY_BYTES_MAX);
    // An error is soon gone, and KV would show it for a minute and more.
    let page = entry.status < 400 && entry.status != 206;
    let lasts = entry.terms.lifetime > entry.initial_age;
    let may = small && page && lasts && entry.fields.are_readable();
    if lookup.rule.kv != Kv::Never && may {
        vec![Tier::CacheApi, Tier::Kv]
    } else {
        vec![Tier::CacheApi]
    }
}

/// The longest body that KV gets: its values have at most 25 MiB, of which
/// some are left for the entry's text.
const KV_BODY_BYTES_MAX: u64 = 25 * 1024 * 1024 - ENTRY_BYTES_MAX as u64;

/// What the look for an answer tells of how often it is fetched.
enum Proof {
    /// Nothing.
    None,
    /// It has been fetched before.
    Found,
    /// It is fetched again because of a write: that earns nothing, or who
    /// writes and reads in turn would have KV written each time.
    Write,
}

/// Whether KV gets a copy of an answer that it may have. The answer counts as
/// fetched, and the copy as written.
fn admits<H: Host>(
    host: &H,
    isolate: &Isolate,
    lookup: &Lookup,
    entry: &Entry,
    proof: Proof,
    report: &mut Report,
) -> bool {
    if !kv_admission::is_of_use(&lookup.rule, entry) {
        return false;
    }
    let earned = match lookup.rule.kv {
        Kv::Never => false,
        Kv::Always => true,
        Kv::Earned if matches!(proof, Proof::Write) => false,
        Kv::Earned => {
            let digest = kv_admission::digest(&lookup.key, entry);
            let known = isolate.kv.doorkeeper.borrow_mut().knew(digest);
            known || matches!(proof, Proof::Found)
        }
    };
    earned && may_write(host, isolate, report)
}

fn may_write<H: Host>(host: &H, isolate: &Isolate, report: &mut Report) -> bool {
    let (kv, now_ms) = (&isolate.kv, host.now_ms());
    if kv.writes.get().are_paused(now_ms) {
        report.detail.push(PAUSED);
        return false;
    }
    let Some(most) = isolate.rules.kv_writes_per_day else {
        return true;
    };
    if !kv.budget.get().allows(most, now_ms) {
        report.detail.push(SPENT);
        let today = Some(now_ms / DAY_MS);
        if kv.spent_day.replace(today) != today {
            log_problem(
                host,
                "kv",
                &format!("{SPENT}: this day has had {most} writes"),
            );
        }
        return false;
    }
    count(isolate);
    true
}

/// Counts a write, where there is a budget.
pub fn count(isolate: &Isolate) {
    if isolate.rules.kv_writes_per_day.is_some() {
        let mut budget = isolate.kv.budget.get();
        budget.count();
        isolate.kv.budget.set(budget);
    }
}

/// Learns what becomes of the copies for KV.
pub fn watch<H: Host>(host: &H, isolate: &Rc<Isolate>) -> StoreObserver {
    let (host, isolate) = (host.clone(), Rc::clone(isolate));
    StoreObserver::new(move |tier, outcome| {
        if tier == Tier::Kv {
            landed(&host, &isolate.kv, outcome);
        }
    })
}

fn landed<H: Host>(host: &H, kv: &KvState, outcome: Result<(), &str>) {
    let (mut writes, now_ms) = (kv.writes.get(), host.now_ms());
    let Err(problem) = outcome else {
        writes.worked(now_ms);
        return kv.writes.set(writes);
    };
    // What was on its way when the pause began has nothing new to tell, and a
    // body's failure has been logged as such.
    let fault = WriteFault::of(problem);
    let silent = writes.are_paused(now_ms) || fault == WriteFault::Body;
    let pause_ms = writes.failed(fault, now_ms);
    kv.writes.set(writes);
    match pause_ms {
        Some(ms) => log_problem(
            host,
            "kv",
            &format!("{PAUSED} for {} s: {problem}", ms / 1000),
        ),
        None if silent => {}
        None => log_problem(host, "kv", problem),
    }
}

/// How many slots are remembered whose bodies came short. It is not supposed
/// to happen.
const DOUBTED_MAX: usize = 1_000;

/// Learns whether the body of what was found in a slot of KV is whole, as it
/// is copied to the Cache API. If not, the transfer to the client breaks, and
/// the slot counts as empty until it is written again.
pub fn doubt(isolate: &Rc<Isolate>, slot: &Slot) -> StoreObserver {
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

/// An entry's text and body, if there is one.
type Held<B> = Option<(String, Option<B>)>;

/// Reads a slot of KV, unless it has been slow or failing of late. What takes
/// longer than [`READ_MS_MAX`] counts as missing: the origin is asked instead.
/// The report then knows that KV is unread, and where the origin fails too,
/// `report.last_look` has more time.
pub async fn recall<H: Host>(
    host: &H,
    isolate: &Isolate,
    slot: &Slot,
    report: &mut Report,
) -> Result<Held<H::Body>, String> {
    let kv = &isolate.kv;
    if kv.doubted.borrow().contains(&slot.digest) {
        return Ok(None);
    }
    if !report.last_look && kv.reads.get().are_paused(host.now_ms()) {
        report.kv_unread = true;
        return Err("left alone for a while".to_owned());
    }
    report.reads.push(Tier::Kv.word());
    let most_ms = match report.last_look {
        true => LAST_READ_MS_MAX,
        false => READ_MS_MAX,
    };
    let (host_then, slot) = (host.clone(), slot.clone());
    let mut read = Box::pin(async move { host_then.recall(Tier::Kv, &slot).await });
    let held = match with_timeout(host, most_ms, &mut read).await {
        Some(held) => held,
        None => {
            let_go(host, read);
            Err(format!("no answer within {most_ms} ms"))
        }
    };
    let (mut reads, now_ms) = (kv.reads.get(), host.now_ms());
    let pause_ms = match &held {
        Ok(_) => {
            reads.worked(now_ms);
            None
        }
        Err(problem) => {
            report.kv_unread = true;
            reads.failed(problem, now_ms)
        }
    };
    kv.reads.set(reads);
    if let (Some(ms), Err(problem)) = (pause_ms, &held) {
        let text = format!("kv-reads-paused for {} s: {problem}", ms / 1000);
        log_problem(host, "kv", &text);
    }
    held
}

/// How long a read that nobody waits for is kept, so that its body can be let
/// go when it comes: a stream that nobody ends would hold its connection. Less
/// than a refresh by the ledger has beyond the origin's time.
const LINGER_MS_MAX: u64 = 20_000;

fn let_go<H: Host>(host: &H, read: Pin<Box<impl Future + 'static>>) {
    let clock = host.clone();
    host.later(async move {
        let mut read = read;
        // Dropping the body ends its stream.
        drop(with_timeout(&clock, LINGER_MS_MAX, &mut read).await);
    });
}
