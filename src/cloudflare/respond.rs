//! Between the runtime's requests and responses and our heads.

use super::body::Body;
use super::js;
use crate::flow::reply::{Answer, Content};
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;
use js_sys::Array;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys;

/// The head and body of a request; `None` if its URL is no valid one.
///
/// The method is read as text: the `worker` crate's own type maps what it does
/// not know to GET.
pub fn read_request(request: &web_sys::Request) -> Option<(RequestHead, Option<Body>)> {
    let url = Url::parse(&request.url()).ok()?;
    let head = RequestHead {
        method: Method::named(&request.method()),
        url,
        fields: fields(&js::get(request, "headers").unchecked_into()),
    };
    let body = js::get(request, "body");
    let body = (!body.is_null() && !body.is_undefined()).then(|| Body::new(body.unchecked_into()));
    Some((head, body))
}

/// All fields. Repeated ones arrive joined, Set-Cookie apart.
pub fn fields(headers: &js::Headers) -> Fields {
    let mut fields = Fields::new();
    for pair in Array::from(&headers.entries()).iter() {
        let pair: Array = pair.unchecked_into();
        if let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) {
            fields.add(&name, value);
        }
    }
    fields
}

/// Fields as the runtime takes them: an array of pairs, so that several
/// Set-Cookie stay several.
pub fn pairs(fields: &Fields) -> Array {
    fields
        .iter()
        .map(|(name, value)| Array::of2(&name.into(), &value.into()))
        .collect()
}

/// The response for a client.
pub fn response(answer: Answer<Body>) -> Result<web_sys::Response, JsValue> {
    if let Content::Body(body) = &answer.content
        && let Some(upgrade) = body.as_upgrade()
    {
        return Ok(upgrade.unchecked_into());
    }
    let mut fields = answer.fields;
    let told = !matches!(answer.content, Content::Text(_));
    if let Some(length) = answer.length.filter(|_| told) {
        fields.set("content-length", length.to_string());
    }
    let init = js::object([
        ("status", JsValue::from(answer.status)),
        ("headers", pairs(&fields).into()),
    ]);
    // Bodies are bytes as the origin coded them; the runtime must not code
    // them again.
    if fields.has("content-encoding") {
        js::set(&init, "encodeBody", &"manual".into());
    }
    // The runtime refuses a body with these (Fetch, "null body status").
    let bodiless = matches!(answer.status, 101 | 204 | 205 | 304);
    let body = match answer.content {
        _ if bodiless => JsValue::NULL,
        Content::Empty => JsValue::NULL,
        Content::Text(text) => text.into(),
        Content::Body(body) => body
            .into_response(answer.length)?
            .map_or(JsValue::NULL, Into::into),
        Content::Parts(body, pieces) => body.into_pieces(pieces)?.into(),
    };
    Ok(js::Response::new(&body, &init)?.unchecked_into())
}

/// What everybody gets while the settings are wrong. What is wrong stands in
/// the log, and is nobody else's business.
pub fn misconfigured() -> Result<web_sys::Response, JsValue> {
    plain(
        500,
        "misconfigured",
        "Internal error: this site's cache is misconfigured. Its log says what is wrong.\n",
    )
}

/// What a request gets whose URL is none that a page could have.
pub fn bad_url() -> Result<web_sys::Response, JsValue> {
    plain(400, "bad-url", "Bad request: the address is not valid.\n")
}

fn plain(status: u16, detail: &str, text: &str) -> Result<web_sys::Response, JsValue> {
    let mut fields = Fields::new();
    fields.add("content-type", "text/plain; charset=utf-8");
    fields.add("cache-control", "no-store");
    fields.add("cache-status", format!("edgekeep; detail={detail}"));
    response(Answer {
        status,
        fields,
        content: Content::Text(text.to_owned()),
        length: None,
    })
}
