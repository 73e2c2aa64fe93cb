//! Converts the runtime's requests to our heads, and our responses to the
//! runtime's.

use super::body::Body;
use super::js::{glue, message};
use super::tiers;
use crate::flow::response::reply::{Answer, Content};
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;
use wasm_bindgen::JsValue;

/// The head of a request, as `requestHead` in `glue.js` sends it.
pub struct SentHead {
    /// The head.
    pub head: RequestHead,
    /// Whether the request has a body.
    pub has_body: bool,
    /// Whether the request may have more fields than `head` has.
    pub has_more: bool,
}

/// Parses the text of a head; `None` if the URL is not valid.
///
/// The method is read as text, because the `worker` crate maps an unknown
/// method to GET.
pub fn read_head(text: &str) -> Option<SentHead> {
    let (method, rest) = text.split_once('\n')?;
    let (url, rest) = rest.split_once('\n')?;
    let (marks, fields) = rest.split_once('\n').unwrap_or((rest, ""));
    Some(SentHead {
        head: RequestHead {
            method: Method::named(method),
            url: Url::parse(url).ok()?,
            fields: Fields::from_text(fields),
        },
        has_body: marks.contains('b'),
        has_more: marks.contains('m'),
    })
}

/// The runtime's response for our answer to `request`.
pub fn response(
    answer: Answer<Body>,
    request: &web_sys::Request,
) -> Result<web_sys::Response, JsValue> {
    respond(answer, request).or_else(|error| {
        // The runtime rejects a part of it, such as a field's value.
        glue::log_error(&format!("no response: {}", message(&error)));
        respond(plain(500, "no-response", "Internal error\n"), request)
    })
}

fn respond(answer: Answer<Body>, request: &web_sys::Request) -> Result<web_sys::Response, JsValue> {
    if let Content::Body(body) = &answer.content
        && let Some(upgrade) = body.as_upgrade()
    {
        return Ok(upgrade);
    }
    let status = answer.status;
    // The runtime rejects a body with these (Fetch, "null body status").
    let bodiless = matches!(status, 101 | 204 | 205 | 304);
    let mut fields = answer.fields;
    let content = match answer.content {
        Content::Body(body) if !bodiless => match body.into_cached(answer.length) {
            Ok(cached) => match fields.changes(tiers::is_on_wrapper) {
                Some(changes) => return glue::respond_from(status, &changes, &cached),
                None => Content::Body(Body::stored(glue::stream_of(&cached))),
            },
            Err(body) => Content::Body(body),
        },
        content => content,
    };
    if let Some(length) = answer.length
        && !matches!(content, Content::Text(_))
    {
        fields.set("content-length", length.to_string());
    }
    let body = match content {
        _ if bodiless => JsValue::NULL,
        Content::Empty => JsValue::NULL,
        Content::Text(text) => text.into(),
        Content::Body(body) => body.into_response(answer.length)?,
        Content::Parts(body, pieces) => body.into_pieces(pieces, request)?.into(),
    };
    glue::respond(status, &fields.to_text(), &body, request)
}

/// The response to every request while the settings are invalid and the origin
/// is uncertain. The log has the reason; the response does not.
pub fn misconfigured() -> Answer<Body> {
    plain(
        500,
        "misconfigured",
        "Internal error: this site's cache is misconfigured. Its log says what is wrong.\n",
    )
}

/// The response to an invalid URL.
pub fn bad_url() -> Answer<Body> {
    plain(400, "bad-url", "Bad request: the address is not valid.\n")
}

/// The response to a request whose client has disconnected. It is not
/// delivered.
pub fn client_gone() -> Answer<Body> {
    plain(499, "client-gone", "The client has gone\n")
}

fn plain(status: u16, detail: &str, text: &str) -> Answer<Body> {
    let mut fields = Fields::new();
    fields.add("content-type", "text/plain; charset=utf-8");
    fields.add("cache-control", "no-store");
    fields.add("cache-status", format!("edgekeep; detail={detail}"));
    Answer {
        status,
        fields,
        content: Content::Text(text.to_owned()),
        length: None,
    }
}
