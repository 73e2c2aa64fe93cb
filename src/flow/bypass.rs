//! Requests that do not use the cache: they go through whole.

use super::failure::origin_failed;
use super::fetch::forward;
use super::host::Host;
use super::invalidate::{is_unsafe, turn_of};
use super::isolate::Isolate;
use super::reply::Answer;
use super::report::Report;
use super::upstream::{Question, Said, ask};
use super::writes::invalidate;
use crate::cache::answer::OriginFailure;
use crate::cache::key::canonical_path;
use crate::cache::request::{Bypass, OriginRequest};
use crate::cache::rules::Rule;
use crate::http::head::RequestHead;
use futures_channel::oneshot;
use std::rc::Rc;

/// Sends a request on and gives the answer back.
pub async fn bypass<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    reason: Bypass,
    request: &RequestHead,
    to_origin: &OriginRequest,
    body: Option<H::Body>,
    report: &mut Report,
) -> Answer<H::Body> {
    report.cache = "bypass";
    report.fwd = Some(match reason {
        Bypass::Method => "method",
        _ => "bypass",
    });
    report.detail.push(reason.word());
    // An upload may take its time before the origin says a word, and so may
    // another protocol.
    let waits = body.is_some() || reason == Bypass::Upgrade;
    let rule = isolate.rules.rule_for(&canonical_path(&request.url));
    let said = if is_unsafe(&request.method) {
        write(host, isolate, request, &rule, to_origin, body, report).await
    } else {
        let question = question(request, &rule, waits);
        let mut again = |_: &mut Report| to_origin.clone();
        let asked = ask(host, isolate, question, body, &mut again, report).await;
        asked.said
    };
    report.fwd_status = said.as_ref().ok().map(|(head, _)| head.status);
    match said {
        Ok((head, body)) => forward(Ok(head), body, host.now_ms()),
        Err(failure) => {
            report.cache = "error";
            origin_failed(failure)
        }
    }
}

/// What waits has no time limit, and what has a body cannot be sent twice.
fn question<'a>(request: &'a RequestHead, rule: &'a Rule, waits: bool) -> Question<'a> {
    Question {
        url: &request.url,
        rule,
        safe: !waits && !is_unsafe(&request.method),
        timed: !waits,
        at_once: false,
    }
}

/// Sends a write on and invalidates what it changed, to the end even if the
/// client leaves meanwhile: the origin may have done it by then.
async fn write<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: &RequestHead,
    rule: &Rc<Rule>,
    to_origin: &OriginRequest,
    body: Option<H::Body>,
    report: &mut Report,
) -> Said<H::Body> {
    let (sender, receiver) = oneshot::channel();
    let (host_then, isolate) = (host.clone(), Rc::clone(isolate));
    let (request, rule, to_origin) = (request.clone(), Rc::clone(rule), to_origin.clone());
    host.later(async move {
        let mut report = Report::default();
        let question = question(&request, &rule, body.is_some());
        let mut once = |_: &mut Report| to_origin.clone();
        let asked = ask(&host_then, &isolate, question, body, &mut once, &mut report).await;
        let head = asked.said.as_ref().ok().map(|(head, _)| head);
        let turn = head.and_then(|head| turn_of(&host_then, &isolate, &request, head));
        let answer = |note: Option<String>| {
            report.notes.extend(note);
            // If the client has left, nobody receives it.
            drop(sender.send((asked.said, report)));
        };
        match turn {
            Some(turn) => invalidate(&host_then, &isolate, &request.url.host, turn, answer).await,
            None => answer(None),
        }
    });
    let Some((said, asking)) = host.receive(receiver).await else {
        // The work was dropped; the origin may have done the write.
        return Err(OriginFailure::Unreachable);
    };
    report.add_asking(asking);
    said
}
