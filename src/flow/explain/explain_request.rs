//! The explanation of a request: its plan, what the tiers hold for it, and what
//! a client would get now.
//!
//! It never asks the origin and writes nothing: no tier, no note, no state of
//! the isolate. It reads the tiers, and the ledger if the purge index is too
//! old to decide. Its decisions are those of `flow::request::serve`.

use crate::cache::config::rule::Kv;
use crate::cache::explain::copy::{CopyFacts, verdict_word};
use crate::cache::explain::report::{Expected, Explanation, IndexFacts, TierFacts};
use crate::cache::explain::request_key::KeyFacts;
use crate::cache::policy::reuse::judge;
use crate::cache::request::classify::{Bypass, Plan};
use crate::flow::fetch::hit::log_hit;
use crate::flow::fetch::next_step::{
    NextStep, is_sent_whole, log_forward_reason, log_refusal, next_step,
};
use crate::flow::fetch::pass::log_pass;
use crate::flow::fetch::stale_candidate::StaleCandidate;
use crate::flow::isolate::observation::Observation;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::observe;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, Tier};
use crate::flow::store::lookup::{Found, MissReason, find};
use crate::flow::store::memory_tier::{self, find_in_memory};
use crate::flow::store::part_lookup::find_part;
use crate::flow::store::query_alias;
use crate::http::head::RequestHead;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Explains a request whose plan is `plan`.
pub async fn explain<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: &RequestHead,
    plan: &Plan,
) -> Explanation {
    let mut explanation = Explanation::of_plan(&isolate.rules, request, plan);
    let mut log = RequestLog::default();
    match plan {
        Plan::Admin | Plan::Purge(_) => {}
        Plan::Bypass(reason, ..) => log_pass(*reason, &mut log),
        Plan::Lookup(lookup) => {
            let (index_state, index) = observe::observe(host, isolate).await;
            let observation = Observation {
                index_state,
                index,
                found: RefCell::default(),
            };
            let cx = RequestCx {
                host,
                isolate,
                lookup: &Rc::new((**lookup).clone()),
                ledger_wait_ms: &Cell::default(),
                observation: Some(&observation),
            };
            look_up(cx, request, &mut explanation, &mut log).await;
        }
    }
    explanation.expected.cache_status = log.cache_status();
    explanation.notes = log.notes;
    explanation
}

/// Repeats the lookup of a request, and adds what it finds.
async fn look_up<H: Host>(
    cx: RequestCx<'_, H>,
    request: &RequestHead,
    explanation: &mut Explanation,
    log: &mut RequestLog,
) {
    let Some(observation) = cx.observation else {
        return;
    };
    let index_state = observation.index_state;
    log.set_index_state(index_state.word());
    explanation.purge_index = Some(IndexFacts {
        state: index_state.word().unwrap_or("current"),
        sequence: cx.with_index(|index| index.sequence()),
    });
    let may_decide = index_state.may_decide(cx.isolate);
    let in_memory = memory_facts(cx, may_decide);
    let from_memory = find_in_memory(cx).filter(|_| may_decide);
    let resolved = query_alias::resolve_alias(cx, log).await.map(Rc::new);
    let cx = cx.with_lookup(resolved.as_ref().unwrap_or(cx.lookup));
    let found = find(cx, log).await.found;
    let mut expected = match from_memory.and_then(|hit| Some((hit.age()?, hit))) {
        Some((age, hit)) => {
            hit.log(age, log);
            expected("hit", None)
        }
        None => expect(cx, found, log).await,
    };
    expected.reason = expected.reason.or(explanation.expected.reason);
    explanation.expected = expected;
    explanation.key = Some(KeyFacts::of(request, cx.lookup));
    let tier = |tier: Tier, used| TierFacts {
        tier: tier.word(),
        used,
        copies: Vec::new(),
    };
    let mut in_cache = tier(Tier::CacheApi, true);
    let mut in_kv = tier(Tier::Kv, cx.lookup.rule.kv != Kv::Never);
    for (tier, copy) in observation.found.take() {
        match tier {
            Tier::CacheApi => in_cache.copies.push(copy),
            Tier::Kv => in_kv.copies.push(copy),
        }
    }
    let tiers = vec![in_memory, in_cache, in_kv];
    explanation.vary = cx.lookup.choices(&fields_of(&tiers));
    explanation.tiers = tiers;
}

/// The request fields by which the stored responses vary.
fn fields_of(tiers: &[TierFacts]) -> Vec<String> {
    let copies = tiers.iter().flat_map(|tier| &tier.copies);
    let mut names: Vec<String> = copies
        .flat_map(|copy| copy.vary.iter().map(|(name, _)| name.clone()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The copies in the isolate's memory.
fn memory_facts<H: Host>(cx: RequestCx<'_, H>, may_decide: bool) -> TierFacts {
    let (now_ms, lookup) = (cx.now_ms(), cx.lookup);
    let memory = cx.isolate.memory.borrow();
    let copies = memory.peek(&lookup.key.text).iter();
    let copies = cx.with_index(|index| {
        let index = may_decide.then_some(index);
        let facts = copies.map(|copy| {
            let verdict = judge(&copy.entry, lookup, index, now_ms);
            let word = match now_ms < copy.until_ms {
                true => verdict_word(&verdict),
                false => "too-old-for-memory",
            };
            CopyFacts::of(&copy.entry_url, &copy.entry, word, index, now_ms)
        });
        facts.collect()
    });
    TierFacts {
        tier: memory_tier::WORD,
        used: lookup.rule.memory,
        copies,
    }
}

fn expected(result: &'static str, stale_if_error: Option<bool>) -> Expected {
    Expected {
        result,
        cache_status: String::new(),
        reason: None,
        stale_if_error,
    }
}

/// What a client would get, after this was found in the tiers.
async fn expect<H: Host>(
    cx: RequestCx<'_, H>,
    found: Found<H::Body>,
    log: &mut RequestLog,
) -> Expected {
    let (stale, missing) = match next_step(found, cx.lookup) {
        NextStep::Refuse => {
            log_refusal(log);
            return expected("error", None);
        }
        NextStep::Serve(hit, refresh) => {
            log.detail.extend(refresh);
            log_hit(&hit, false, log);
            return expected(log.cache, None);
        }
        NextStep::Obtain(stale, missing) => (stale, missing),
    };
    if is_sent_whole(cx, stale.as_ref()) {
        log_pass(Bypass::Personal, log);
        return Expected {
            reason: Some(Bypass::Personal.word()),
            ..expected("pass", None)
        };
    }
    let part = match missing {
        Some(MissReason::Uri) => find_part(cx, log).await,
        _ => None,
    };
    if let Some(part) = part.as_ref().filter(|_| cx.lookup.range.is_some()) {
        log_hit(part, false, log);
        return expected(log.cache, None);
    }
    log_forward_reason(cx, stale.as_ref(), missing.as_ref(), log);
    if part.is_some() {
        log.fwd = Some("partial");
    }
    match &stale {
        Some(stale) => expected(
            "revalidate",
            Some(StaleCandidate::was_usable_on_error(stale)),
        ),
        None => expected("miss", None),
    }
}
