//! Error pages for requests that neither the origin nor the cache can answer.

use super::reply::{Answer, Content};
use crate::cache::origin::failure::OriginFailure;
use crate::http::fields::Fields;

/// The error page for an origin failure. `has_stored` says whether there is a
/// stored response that may not be used without the origin.
pub fn failure_answer<B>(failure: OriginFailure, has_stored: bool) -> Answer<B> {
    match has_stored {
        true => origin_silent(failure),
        false => origin_failed(failure),
    }
}

/// The error page for an origin failure when nothing is stored.
pub fn origin_failed<B>(failure: OriginFailure) -> Answer<B> {
    let (status, title) = match failure {
        OriginFailure::Unreachable | OriginFailure::CutOff | OriginFailure::NoStatus(_) => {
            (502, "Bad gateway")
        }
        OriginFailure::TimedOut => (504, "Gateway timeout"),
        OriginFailure::CircuitOpen { .. }
        | OriginFailure::Resting { .. }
        | OriginFailure::TooBusy => (503, "Service unavailable"),
    };
    let why = "there is no stored copy of this page";
    failure_page(status, title, failure, why)
}

/// The error page for an origin failure when something is stored that may not
/// be used without the origin (RFC 9111 §5.2.2.2).
fn origin_silent<B>(failure: OriginFailure) -> Answer<B> {
    let (status, title) = match failure {
        OriginFailure::CircuitOpen { .. }
        | OriginFailure::Resting { .. }
        | OriginFailure::TooBusy => (503, "Service unavailable"),
        _ => (504, "Gateway timeout"),
    };
    let why = "the stored copy of this page may not be used without it";
    failure_page(status, title, failure, why)
}

/// `Retry-After` when too many requests are in flight: about as long as
/// requests wait in the queue.
const BUSY_SECONDS: u64 = 5;

fn failure_page<B>(status: u16, title: &str, failure: OriginFailure, why: &str) -> Answer<B> {
    let text = format!("{title}: the origin server {failure}, and {why}.\n");
    let mut page = error_page(status, &text);
    let seconds = match failure {
        OriginFailure::CircuitOpen { seconds } | OriginFailure::Resting { seconds } => seconds,
        OriginFailure::TooBusy => BUSY_SECONDS,
        _ => return page,
    };
    page.fields.set("retry-after", seconds.to_string());
    page
}

/// A plain-text error page that is not stored.
pub fn error_page<B>(status: u16, text: &str) -> Answer<B> {
    let mut fields = Fields::new();
    fields.add("content-type", "text/plain; charset=utf-8");
    fields.add("cache-control", "no-store");
    Answer {
        status,
        fields,
        content: Content::Text(text.to_owned()),
        length: None,
    }
}

/// The error page for a request that is refused because waiting requests use
/// all the memory that they may use. It has no log record; the host logs it.
pub fn overloaded<B>() -> Answer<B> {
    let text = "Service unavailable: too many requests are waiting. Try again in a moment.\n";
    let mut page = error_page(503, text);
    page.fields
        .add("cache-status", "edgekeep; detail=overloaded");
    page.fields.add("retry-after", "1");
    page
}
