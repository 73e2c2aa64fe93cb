//! `GET /.edgekeep/`: the dashboard, a page for people (docs/dashboard.md). The
//! page is the same for everybody; what it shows it asks for itself, with the
//! token that its user has pasted.

use crate::cache::key::cache_key::digest;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::reply::{Answer, Content};
use crate::flow::runtime::host::Host;
use crate::http::conditional::not_modified_now;
use crate::http::fields::Fields;
use crate::http::head::RequestHead;

/// The files of the page, and their media types.
const FILES: [(&str, &str); 3] = [
    ("", "text/html; charset=utf-8"),
    ("app.js", "text/javascript; charset=utf-8"),
    ("style.css", "text/css; charset=utf-8"),
];

/// What the page may do: load its own script and style, and ask the host that
/// it comes from. It may not be shown in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The response to a request for a file of the dashboard; `None` if it is for
/// something else, or if there is no dashboard.
pub async fn dashboard<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
    path: &str,
) -> Option<Answer<H::Body>> {
    let (name, media_type) = FILES.iter().find(|(name, _)| *name == path)?;
    let is_read = matches!(request.method.name(), "GET" | "HEAD");
    if !isolate.rules.dashboard || !is_read {
        return None;
    }
    let text = host.dashboard_file(name).await?;
    let etag = format!("\"{}\"", digest(&text));
    let mut fields = Fields::new();
    for (name, value) in [
        ("content-type", *media_type),
        ("content-security-policy", POLICY),
        ("cache-control", "no-cache"),
        ("etag", &etag),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        fields.add(name, value);
    }
    let is_known = not_modified_now(&request.fields, &fields);
    let has_body = !is_known && request.method.name() == "GET";
    Some(Answer {
        status: if is_known { 304 } else { 200 },
        fields,
        content: match has_body {
            true => Content::Text(text),
            false => Content::Empty,
        },
        length: None,
    })
}
