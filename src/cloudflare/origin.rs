//! Sends requests to the origin.

use super::body::Body;
use super::js::glue::{self, CUT, LATE, OriginCall, UNSENT};
use super::js::message;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::request::origin_request::OriginRequest;
use crate::flow::runtime::host::{AT_ONCE_BYTES_MAX, OriginTimeouts, Upload};
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};

/// Sends a request, and waits for the response head. `client` is the client's
/// request that it is sent for, if there is one. The text of an error is for
/// the log.
pub async fn send_to_origin(
    request: &OriginRequest,
    client: Option<&JsValue>,
    upload: Option<Upload<Body>>,
    timeouts: OriginTimeouts,
) -> Result<(ResponseHead, Option<Body>), (OriginFailure, String)> {
    let (body, is_sent) = match upload {
        Some(Upload { body, is_sent }) => (Some(body), is_sent),
        None => (None, Rc::default()),
    };
    // fetch() takes no body with these; a body would have no meaning (RFC 9110
    // §9.3.1).
    let body = body.filter(|_| !matches!(request.method.as_str(), "GET" | "HEAD"));
    let length = body.as_ref().and_then(Body::sent_length);
    let body: Option<JsValue> = body.and_then(|body| match body.into_bytes() {
        Ok(bytes) => Some(bytes.into()),
        Err(body) => body.into_stream().map(Into::into),
    });
    let call = OriginCall {
        method: &request.method,
        url: &request.url,
        fields: &request.fields,
        body: body.unwrap_or(JsValue::UNDEFINED),
        length,
        // 0 means no limit, so a request at its deadline gets 1 ms.
        head_ms: timeouts.head_ms.map_or(0, |ms| ms.max(1)),
        body_ms: timeouts.body_ms.unwrap_or(0),
        short_bytes: match timeouts.at_once {
            true => AT_ONCE_BYTES_MAX,
            false => 0,
        },
        client,
    };
    let (answer, text) = glue::fetch(&call).await.map_err(|error| {
        let text = message(&error);
        let (failure, unsent) = match text.strip_prefix(UNSENT) {
            Some(failure) => (failure, true),
            None => (text.as_str(), false),
        };
        is_sent.set(!unsent);
        match failure {
            LATE => {
                let text = "the response did not come in time".to_owned();
                (OriginFailure::TimedOut, text)
            }
            CUT => (OriginFailure::CutOff, "the body broke off".to_owned()),
            _ => (OriginFailure::Unreachable, text),
        }
    })?;
    let (status, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let (marks, fields) = rest.split_once('\n').unwrap_or((rest, ""));
    is_sent.set(!marks.contains('u'));
    let status = status.parse().unwrap_or(0);
    let head = ResponseHead {
        status,
        fields: Fields::from_text(fields),
    };
    let response = |answer: JsValue| answer.unchecked_into::<web_sys::Response>();
    match status {
        101 => Ok((head, Some(Body::upgrade(response(answer))))),
        200..=599 if marks.contains('1') => {
            Ok((head, Some(Body::of_bytes(answer.unchecked_into()))))
        }
        200..=599 => {
            let body = response(answer).body().map(JsCast::unchecked_into);
            let body = match timeouts.body_ms {
                Some(_) => body.map(Body::timed),
                None => body.map(Body::new),
            };
            Ok((head, body))
        }
        // A Response cannot be made with these, and 1xx is not a final
        // response.
        _ => {
            let text = format!("the origin sent the status {status}");
            Err((OriginFailure::NoStatus(status), text))
        }
    }
}
