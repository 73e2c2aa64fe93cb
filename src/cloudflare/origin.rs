//! Asking the origin.

use super::body::Body;
use super::glue::{self, LATE, Question};
use super::js;
use crate::cache::answer::OriginFailure;
use crate::cache::request::OriginRequest;
use crate::flow::host::Patience;
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
    };
    let (response, head) = glue::fetch(&question).await.map_err(|error| {
        let text = error.as_string().unwrap_or_else(|| js::message(&error));
        match patience.head_ms {
            Some(ms) if text == LATE => {
                let text = format!("no response head within {ms} ms");
                (OriginFailure::TimedOut, text)
            }
            _ => (OriginFailure::Unreachable, text),
        }
    })?;
    let response: js::Response = response.unchecked_into();
    let (status, fields) = head.split_once('\n').unwrap_or((&head, ""));
    let status = status.parse().unwrap_or(0);
    let head = ResponseHead {
        status,
        fields: Fields::from_text(fields),
    };
    match status {
        101 => Ok((head, Some(Body::upgrade(response)))),
        200..=599 => {
            let body = response.body();
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
