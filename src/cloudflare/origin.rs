//! Asking the origin.

use super::body::Body;
use super::glue::{self, CUT, LATE, Question};
use super::js;
use crate::cache::answer::OriginFailure;
use crate::cache::request::OriginRequest;
use crate::flow::host::{AT_ONCE_BYTES_MAX, Patience};
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use wasm_bindgen::{JsCast, JsValue};

/// Sends a request and waits for the response head. The text beside a failure
/// is for the log.
pub async fn ask(
    request: &OriginRequest,
    body: Option<Body>,
    patience: Patience,
) -> Result<(ResponseHead, Option<Body>), (OriginFailure, String)> {
    // fetch() takes no body with these; one would mean nothing (RFC 9110
    // §9.3.1).
    let body = body.filter(|_| !matches!(request.method.as_str(), "GET" | "HEAD"));
    let body = body.and_then(Body::into_stream);
    let question = Question {
        method: &request.method,
        url: &request.url,
        fields: &request.fields,
        body: body.map_or(JsValue::UNDEFINED, Into::into),
        head_ms: patience.head_ms.unwrap_or(0),
        body_ms: patience.body_ms.unwrap_or(0),
        short_bytes: match patience.at_once {
            true => AT_ONCE_BYTES_MAX,
            false => 0,
        },
    };
    let (answer, text) = glue::fetch(&question).await.map_err(|error| {
        let text = error.as_string().unwrap_or_else(|| js::message(&error));
        match text.as_str() {
            LATE => {
                let text = "the response did not come in time".to_owned();
                (OriginFailure::TimedOut, text)
            }
            CUT => (OriginFailure::CutOff, "the body broke off".to_owned()),
            _ => (OriginFailure::Unreachable, text),
        }
    })?;
    let (status, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let (at_once, fields) = rest.split_once('\n').unwrap_or((rest, ""));
    let status = status.parse().unwrap_or(0);
    let head = ResponseHead {
        status,
        fields: Fields::from_text(fields),
    };
    let response = |answer: JsValue| answer.unchecked_into::<js::Response>();
    match status {
        101 => Ok((head, Some(Body::upgrade(response(answer))))),
        200..=599 if !at_once.is_empty() => {
            Ok((head, Some(Body::of_bytes(answer.unchecked_into()))))
        }
        200..=599 => {
            let body = response(answer).body();
            let body = match patience.body_ms {
                Some(_) => body.map(Body::timed),
                None => body.map(Body::new),
            };
            Ok((head, body))
        }
        // No Response can be made of these, and 1xx is no final answer.
        _ => {
            let text = format!("the origin sent the status {status}");
            Err((OriginFailure::Unreachable, text))
        }
    }
}

/// What a future gives within some time. The timer is dropped, and so
/// cleared, with this call.
pub async fn within<F: Future>(work: F, milliseconds: u64) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut timer = pin!(glue::pause(milliseconds));
    poll_fn(|context| {
        if let Poll::Ready(output) = work.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        timer.as_mut().poll(context).map(|_| None)
    })
    .await
}
