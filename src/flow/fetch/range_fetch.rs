//! Stored parts of bodies, completed for requests that want everything.

use super::exchange::{self, Ask, store};
use super::forward::{Evaluate, by_conditions, forward};
use crate::cache::policy::partial_content::{self, Part};
use crate::cache::policy::storability::{Exchange, ResponseDecision, decide_response};
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::reply::{Answer, Client};
use crate::flow::response::request_log::Report;
use crate::flow::runtime::host::Host;
use crate::flow::store::kv;
use crate::flow::store::lookup::Hit;
use crate::flow::store::query_alias;
use crate::flow::store::store_placement::StorePlacement;
use crate::http::range;
use std::rc::Rc;

/// Asks the origin for what follows a stored start, and puts the whole answer
/// together and into the tiers. If the origin sends anything else than the
/// rest of the very body, that is taken instead, or everything asked for anew.
pub async fn complete<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    start: Hit<H::Body>,
    report: &mut Report,
) -> Answer<H::Body> {
    // A part is looked for where the key's own slot is free.
    let mut nothing = StorePlacement::default();
    nothing.seen_before = true;
    let rest = Part::of(&start.entry.fields).and_then(|part| part.rest());
    let mut request = lookup.origin().clone();
    if let (Some(rest), Some(tie)) = (rest, range::strong_validator(&start.entry.fields)) {
        request.fields.set("range", rest);
        request.fields.set("if-range", tie);
    }
    let mut again = |report: &mut Report| {
        report.note_asking(host.now_ms());
        request.clone()
    };
    let asked = Ask::the_origin(host, isolate, lookup, &mut again, report).await;
    let Ok(head) = &asked.head else {
        let client = Client::Waiting;
        return exchange::fetch(host, isolate, lookup, None, &nothing, client, report).await;
    };
    let whole = partial_content::completed(&start.entry, head);
    let joined = match (whole, head.status, start.body, asked.body) {
        (Some(whole), _, Some(one), Some(other)) => {
            host.join(one, other).await.map(|body| (whole, Some(body)))
        }
        (None, 200, _, body) => Some((head.clone(), body)),
        _ => None,
    };
    let Some((head, body)) = joined else {
        let client = Client::Waiting;
        return exchange::fetch(host, isolate, lookup, None, &nothing, client, report).await;
    };
    let by_answer = query_alias::by_answer(lookup, &head.fields);
    let lookup = by_answer.as_ref().unwrap_or(lookup);
    let exchange = Exchange {
        lookup,
        seen: asked.seen,
        times: asked.times,
        stored: None,
        on_error: false,
        ranged: false,
    };
    report.cache = "miss";
    match decide_response(&exchange, Ok(&head)) {
        ResponseDecision::Store(mut entry) => {
            // What follows a part usually leaves its tags out.
            entry.add_tags(&start.entry.tags);
            let keep = kv::copies_of(host, isolate, lookup, *entry, &nothing, report);
            store(host, isolate, lookup, keep, body, Client::Waiting, report)
        }
        _ => {
            let answer = forward(Ok(head), body, asked.times.response_ms);
            by_conditions(answer, &lookup.client, &lookup.rule, Evaluate::of(lookup))
        }
    }
}
