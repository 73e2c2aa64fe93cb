//! The life of a request, from top to bottom.

use super::bypass::bypass;
use super::fetch::{Old, error_page, fetch, note_stores};
use super::find::{Found, Hit, Missing, Taken, find};
use super::host::{Host, Keep, Landed, Tier};
use super::isolate::Isolate;
use super::parts::{complete, find_part};
use super::refresh::refresh_later;
use super::reply::{Answer, Client, from_entry};
use super::report::Report;
use super::{admin, dialect, signpost, sync};
use crate::cache::request::{Lookup, Plan, classify};
use crate::http::cache_control::RequestControl;
use crate::http::head::RequestHead;
use std::rc::Rc;

/// Serves a request.
pub async fn serve<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: RequestHead,
    body: Option<H::Body>,
) -> Answer<H::Body> {
    let mut report = Report {
        event: "request",
        host: request.url.host.clone(),
        method: request.method.name().to_owned(),
        path: path_and_query(&request),
        began_ms: host.now_ms(),
        ..Report::default()
    };
    let mut answer = match classify(&isolate.rules, &request) {
        Plan::Admin => {
            report.cache = "admin";
            admin::admin(host, isolate, &request, body, &mut report).await
        }
        Plan::Purge(call) => {
            report.cache = "admin";
            dialect::answer(host, isolate, &call, &request, body, &mut report).await
        }
        Plan::Bypass(reason, origin) => {
            bypass(host, isolate, reason, &request, &origin, body, &mut report).await
        }
        Plan::Lookup(lookup) => look_up(host, isolate, Rc::from(lookup), &mut report).await,
    };
    answer.fields.add("cache-status", report.cache_status());
    report.status = answer.status;
    report.log(host);
    answer
}

fn path_and_query(request: &RequestHead) -> String {
    let path = &request.url.path;
    match &request.url.query {
        Some(query) => format!("{path}?{query}"),
        None => path.clone(),
    }
}

async fn look_up<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: Rc<Lookup>,
    report: &mut Report,
) -> Answer<H::Body> {
    report.key = Some(lookup.key.slot().digest);
    let site = &lookup.key.url.host;
    let knowledge = sync::bring_up_to_date(host, isolate, site).await;
    report.set_knowledge(knowledge.word());
    let lookup = match signpost::follow(host, &lookup, report).await {
        Some(led) => Rc::new(led),
        None => lookup,
    };
    let search = find(host, isolate, &lookup, report).await;
    let taken = &search.taken;
    let waiting = Client::Waiting;
    let only_if_cached = lookup.wishes.only_if_cached;
    match search.found {
        Found::Stale(..) | Found::Nothing(_) if only_if_cached => {
            report.cache = "error";
            report.detail.push("only-if-cached");
            not_cached()
        }
        Found::Fresh(hit) => from_cache(host, &lookup, hit, taken, report),
        Found::WhileRevalidate(hit) => {
            refresh_later(host, isolate, &lookup, &hit);
            report.detail.push("stale-while-revalidate");
            from_cache(host, &lookup, hit, taken, report)
        }
        Found::Stale(hit, on_error) => {
            // RFC 9211 §2.2: fresh, but the request would not have it.
            let wished = lookup.wishes != RequestControl::default();
            let fresh = hit.entry.age(host.now_ms()) < hit.entry.terms.lifetime;
            report.fwd = Some(if wished && fresh { "request" } else { "stale" });
            let old = Some(Old { hit, on_error });
            fetch(host, isolate, &lookup, old, taken, waiting, report).await
        }
        Found::Nothing(missing) => {
            if missing == Missing::Uri
                && let Some(part) = find_part(host, isolate, &lookup, report).await
            {
                if lookup.range.is_some() {
                    return from_cache(host, &lookup, part, taken, report);
                }
                report.fwd = Some("partial");
                return complete(host, isolate, &lookup, part, report).await;
            }
            report.fwd = Some(match missing {
                Missing::Variant(_) => "vary-miss",
                Missing::Unauthorized => "request",
                Missing::Uri | Missing::Purged => "uri-miss",
            });
            if missing == Missing::Purged {
                report.detail.push("purged");
            }
            fetch(host, isolate, &lookup, None, taken, waiting, report).await
        }
    }
}

/// The answer to `only-if-cached` where nothing stored will do
/// (RFC 9111 §5.2.1.7).
fn not_cached<B>() -> Answer<B> {
    error_page(
        504,
        "Gateway timeout: there is no stored copy that fits, and the request is only-if-cached.\n",
    )
}

/// A hit. One found in KV is copied to the Cache API on its way.
pub fn from_cache<H: Host>(
    host: &H,
    lookup: &Lookup,
    hit: Hit<H::Body>,
    taken: &Taken,
    report: &mut Report,
) -> Answer<H::Body> {
    report.hit = true;
    report.cache = if hit.age.ttl > 0 { "hit" } else { "stale" };
    report.set_tier(hit.tier);
    report.set_age(hit.age);
    report.entry = Some(hit.slot.entry_url.clone());
    let head = from_entry(&hit.entry, lookup, Client::Waiting, hit.age);
    if hit.tier == Tier::CacheApi {
        return head.with(hit.body);
    }
    let slot = taken.slot_for(Tier::CacheApi, lookup, &hit.entry);
    let places = vec![(Tier::CacheApi, slot)];
    note_stores(report, &places);
    let for_client = head.wants_body;
    let entry = hit.entry;
    let keep = Keep {
        entry,
        places,
        landed: Landed::default(),
    };
    head.with(host.keep(hit.body, keep, for_client))
}
