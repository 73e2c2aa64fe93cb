//! The ledger's alarm: executes the steps of orders (`flow::ledger::jobs`),
//! some of them at each run, at a rate that the zone's API and the origin can
//! take.

use super::jobs::{REFRESH, Step, WARM, ZONE, bucket, put_bucket};
use super::sql::Sql;
use crate::cache::purge::zone_purge::{self, ZoneCall, ZoneOutcome};
use crate::flow::fetch::background_refresh::refresh_url;
use crate::flow::isolate::state::Isolate;
use crate::flow::runtime::host::Host;
use crate::flow::runtime::timeout::with_timeout;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// How many URLs are fetched at a time. This leaves two of the six connections
/// that an invocation may open at once.
const REFRESHES_AT_ONCE: u64 = 4;

/// How long a round of refreshes takes at least: 4 in 800 ms are 5 a second.
const ROUND_MS: u64 = 800;

/// How many rounds a run has. A refresh takes up to 6 subrequests (two reads of
/// KV, two requests to the origin, two writes; 4 more with a signpost). With 8
/// refreshes and two calls, a run stays within the free plan's 50 per
/// invocation. The alarm runs again at once.
const ROUNDS_A_RUN: u32 = 2;

/// The time for a refresh's body and copies, beyond the wait for a response
/// head.
const COPY_MS_MAX: u64 = 30_000;

/// The longest wait for a response head: as long as a client's request would
/// wait for its origins and all retries, but limited so that two rounds take 13
/// of an alarm's 15 minutes.
const HEAD_MS_MAX: u64 = 360_000;

/// Executes some of the due steps; `jobs::next_due` says when to continue.
/// `host` creates a host for each step, which reports the result of that step's
/// copies.
pub async fn run<S: Sql, H: Host>(
    sql: &S,
    isolate: &Rc<Isolate>,
    host: impl Fn() -> H,
) -> Result<(), String> {
    for _ in 0..ROUNDS_A_RUN {
        let clock = host();
        let began_ms = clock.now_ms();
        call(sql, isolate, &host()).await?;
        if refresh(sql, isolate, &host).await? {
            let took_ms = clock.now_ms().saturating_sub(began_ms);
            clock.sleep(ROUND_MS.saturating_sub(took_ms)).await;
        }
    }
    Ok(())
}

/// Makes one call of the zone's purge, if one is due and the bucket has a
/// token.
async fn call<S: Sql, H: Host>(sql: &S, isolate: &Isolate, host: &H) -> Result<(), String> {
    let (pace, now_ms) = (isolate.rules.fast_lane, host.now_ms());
    let before = bucket(sql)?;
    if now_ms < before.open_ms {
        return Ok(());
    }
    let Some((call, steps)) = next_call(sql, now_ms)? else {
        return Ok(());
    };
    put_bucket(sql, pace.after_call(before, now_ms))?;
    let result = host.purge_zone(&call.body()).await;
    // The API took the token at some time until now; the later time is safer.
    let now_ms = host.now_ms();
    put_bucket(sql, pace.after_call(before, now_ms))?;
    let mut outcome = zone_purge::outcome(&result);
    if let ZoneOutcome::Again { pause_seconds, .. } = &outcome {
        let refused = result.is_ok_and(|answer| answer.status == 429);
        if refused || pause_seconds.is_some() {
            put_bucket(
                sql,
                pace.after_refusal(bucket(sql)?, now_ms, *pause_seconds),
            )?;
        }
    }
    if let ZoneOutcome::Refused(problem) = &outcome
        && steps.len() > 1
    {
        // Each step is then tried alone, because not all of them may be wrong.
        outcome = ZoneOutcome::Again {
            problem: problem.clone(),
            pause_seconds: None,
        };
    }
    for step in &steps {
        ZONE.end(sql, step, &outcome, now_ms)?;
    }
    Ok(())
}

/// The next call: the first step's, merged with the steps that fit in. A step
/// that was tried before is sent alone.
fn next_call<S: Sql>(sql: &S, now_ms: u64) -> Result<Option<(ZoneCall, Vec<Step>)>, String> {
    let mut next: Option<(ZoneCall, Vec<Step>)> = None;
    for mut step in ZONE.due(sql, now_ms, zone_purge::NAMES_MAX as u64)? {
        let Some(call) = ZoneCall::read(&step.payload) else {
            let unreadable = ZoneOutcome::Refused("a call that cannot be read".to_owned());
            ZONE.end(sql, &step, &unreadable, now_ms)?;
            continue;
        };
        match &mut next {
            None => {
                let alone = step.tries > 0;
                ZONE.begin(sql, &mut step, now_ms)?;
                next = Some((call, vec![step]));
                if alone {
                    break;
                }
            }
            Some((joined, steps)) => {
                if step.tries == 0 && joined.merge(&call) {
                    ZONE.begin(sql, &mut step, now_ms)?;
                    steps.push(step);
                }
            }
        }
    }
    Ok(next)
}

/// Refreshes some URLs. Returns whether there were any.
async fn refresh<S: Sql, H: Host>(
    sql: &S,
    isolate: &Rc<Isolate>,
    host: &impl Fn() -> H,
) -> Result<bool, String> {
    let now_ms = host().now_ms();
    let mut steps = Vec::new();
    // Refreshes of a purge go first.
    for kind in [&REFRESH, &WARM] {
        let free = REFRESHES_AT_ONCE.saturating_sub(steps.len() as u64);
        for mut step in kind.due(sql, now_ms, free)? {
            kind.begin(sql, &mut step, now_ms)?;
            steps.push((kind, step));
        }
    }
    // Several orders may have named the same URL; it is fetched once for all.
    let mut urls: Vec<String> = steps.iter().map(|(_, step)| step.payload.clone()).collect();
    urls.sort_unstable();
    urls.dedup();
    let work = urls.iter().map(|url| in_time(host(), isolate, url));
    let outcomes = all(work.collect()).await;
    let now_ms = host().now_ms();
    for (url, outcome) in urls.iter().zip(&outcomes) {
        for (kind, step) in steps.iter().filter(|(_, step)| step.payload == *url) {
            kind.end(sql, step, outcome, now_ms)?;
        }
    }
    Ok(!steps.is_empty())
}

async fn in_time<H: Host>(host: H, isolate: &Rc<Isolate>, url: &str) -> ZoneOutcome {
    let rules = &isolate.rules;
    let longest = rules
        .origin_timeout_seconds
        .max(rules.origin_deadline_seconds);
    let most_ms = (longest * 1000).min(HEAD_MS_MAX) + COPY_MS_MAX;
    let outcome = with_timeout(&host, most_ms, refresh_url(&host, isolate, url)).await;
    outcome.unwrap_or_else(|| ZoneOutcome::Again {
        problem: format!("not done within {most_ms} ms"),
        pause_seconds: None,
    })
}

/// The outputs of several futures that run concurrently.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in waiting.iter_mut().zip(&mut done) {
            if output.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        match done.iter().all(Option::is_some) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}
