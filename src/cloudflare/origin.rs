//! Asking the origin.

use super::body::Body;
use super::{js, respond};
use crate::cache::answer::OriginFailure;
use crate::cache::request::OriginRequest;
use crate::flow::host::Patience;
use crate::http::head::ResponseHead;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use worker::Delay;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

/// Sends a request and waits for the response head. The text beside a failure
/// is for the log.
pub async fn ask(
    request: &OriginRequest,
    body: Option<Body>,
    patience: Patience,
) -> Result<(ResponseHead, Option<Body>), (OriginFailure, String)> {
    let controller = js::AbortController::new();
    let init = js::object([
        ("method", request.method.as_str().into()),
        ("headers", respond::pairs(&request.fields).into()),
        ("redirect", "manual".into()),
        // Bodies stay as the origin coded them, so that they can be stored
        // and given on byte for byte.
        ("encodeResponseBody", "manual".into()),
        ("signal", controller.signal()),
    ]);
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        // Not through the zone's own cache, which our purges do not reach.
        js::set(&init, "cache", &"no-store".into());
    }
    // fetch() takes no body with these; one would mean nothing (RFC 9110
    // §9.3.1).
    let body = body.filter(|_| !matches!(request.method.as_str(), "GET" | "HEAD"));
    if let Some(stream) = body.and_then(Body::into_stream) {
        js::set(&init, "body", &stream);
    }
    let unreachable = |error: JsValue| (OriginFailure::Unreachable, js::message(&error));
    let promise = js::fetch_url(&request.url, &init).map_err(unreachable)?;
    let response = match patience.head_ms {
        None => JsFuture::from(promise).await,
        Some(ms) => match within(JsFuture::from(promise), ms).await {
            Some(result) => result,
            None => {
                controller.abort();
                let text = format!("no response head within {ms} ms");
                return Err((OriginFailure::TimedOut, text));
            }
        },
    };
    let response: js::Response = response.map_err(unreachable)?.unchecked_into();
    let status = response.status();
    let head = ResponseHead {
        status,
        fields: respond::fields(&response.headers()),
    };
    match status {
        101 => Ok((head, Some(Body::upgrade(response)))),
        200..=599 => {
            let body = match (response.body(), patience.body_ms) {
                (Some(stream), Some(ms)) => {
                    js::abort_after(&controller, ms);
                    Some(Body::timed(stream))
                }
                (stream, _) => stream.map(Body::new),
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
    let mut timer = pin!(Delay::from(Duration::from_millis(milliseconds)));
    poll_fn(|context| {
        if let Poll::Ready(output) = work.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        timer.as_mut().poll(context).map(|()| None)
    })
    .await
}
