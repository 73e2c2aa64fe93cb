//! Between the runtime's requests and responses and our heads.

use super::body::Body;
use super::{glue, js, tiers};
use crate::flow::reply::{Answer, Content};
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;
use wasm_bindgen::JsValue;

/// The head of a request, as JavaScript tells it.
pub struct Told {
    /// The head.
    pub head: RequestHead,
    /// Whether a body comes with it.
    pub has_body: bool,
    /// Whether there may be more fields than these.
    pub has_more: bool,
}

/// What the text of `requestHead` in `glue.js` tells; `None` if the URL is no
/// valid one.
///
/// The method is read as text: the `worker` crate's own type maps what it does
/// not know to GET.
pub fn read_head(text: &str) -> Option<Told> {
    let (method, rest) = text.split_once('\n')?;
    let (url, rest) = rest.split_once('\n')?;
    let (marks, fields) = rest.split_once('\n').unwrap_or((rest, ""));
    Some(Told {
        head: RequestHead {
            method: Method::named(method),
            url: Url::parse(url).ok()?,
            fields: Fields::from_text(fields),
        },
        has_body: marks.contains('b'),
        has_more: marks.contains('m'),
    })
}

/// A request that waits for its response, by its number. Dropping it says that
/// the request is no more.
pub struct Waiting(pub u32);

impl Drop for Waiting {
    fn drop(&mut self) {
        glue::forget(self.0);
    }
}

/// Gives a request its response.
pub fn give(waiting: Waiting, answer: Answer<Body>) {
    let request = waiting.0;
    // JavaScript forgets it when it has its response.
    std::mem::forget(waiting);
    if let Err(error) = respond(request, answer) {
        // Nothing that the runtime takes can be made of it, such as a field
        // that it does not allow.
        js::log_error(&format!("no response: {}", js::message(&error)));
        let plain = plain(500, "no-response", "Internal error\n");
        // Nothing in this one can be refused.
        let _ = respond(request, plain);
    }
}

fn respond(request: u32, answer: Answer<Body>) -> Result<(), JsValue> {
    if let Content::Body(body) = &answer.content
        && let Some(upgrade) = body.as_upgrade()
    {
        glue::deliver(request, &upgrade);
        return Ok(());
    }
    let status = answer.status;
    // The runtime refuses a body with these (Fetch, "null body status").
    let bodiless = matches!(status, 101 | 204 | 205 | 304);
    let mut fields = answer.fields;
    let content = match answer.content {
        Content::Body(body) if !bodiless => match body.into_cached(answer.length) {
            Ok(cached) => match fields.changes(tiers::is_on_wrapper) {
                Some(changes) => return glue::respond_from(request, status, &changes, &cached),
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
        Content::Parts(body, pieces) => body.into_pieces(pieces)?.into(),
    };
    glue::respond(request, status, &fields.to_text(), &body)
}

/// What everybody gets while the settings are wrong. What is wrong stands in
/// the log, and is nobody else's business.
pub fn misconfigured() -> Answer<Body> {
    plain(
        500,
        "misconfigured",
        "Internal error: this site's cache is misconfigured. Its log says what is wrong.\n",
    )
}

/// What a request gets whose URL is none that a page could have.
pub fn bad_url() -> Answer<Body> {
    plain(400, "bad-url", "Bad request: the address is not valid.\n")
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
