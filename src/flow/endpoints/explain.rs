//! `GET /.edgekeep/explain?url=URL`, with `header=NAME:VALUE` for each request
//! field to assume: explains what a GET of that URL would get.

use crate::cache::request::classify::classify;
use crate::flow::explain::explain_request;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::authenticate;
use crate::flow::response::problem::Problem;
use crate::flow::runtime::host::Host;
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::json_object::print;
use crate::http::list;
use crate::http::url::{Url, decoded};
use std::rc::Rc;

/// The longest query, in bytes: a URL of 8 KiB, which is the longest that is
/// cached, and as much of fields, with half of the bytes escaped to three.
const QUERY_BYTES_MAX: usize = 32 * 1024;

/// The largest number of request fields. Browsers send twenty to thirty.
const FIELDS_MAX: usize = 64;

/// Answers the question in a request. The sender must be a key with `admin`.
pub async fn explain<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: &RequestHead,
) -> Result<String, Problem> {
    let sender = authenticate::authenticate(host, isolate, request, b"", None).await?;
    if !sender.key.rule.admin {
        let detail = "only a key with admin = true may ask what the cache holds";
        return Err(Problem::new(403, "Not allowed", detail));
    }
    let asked = read(request).map_err(|detail| {
        let detail = format!("{detail}: ask for url=URL, and header=NAME:VALUE for each field");
        Problem::new(400, "Question not understood", detail)
    })?;
    let plan = classify(&isolate.rules, &asked);
    let explanation = explain_request::explain(host, isolate, &asked, &plan).await;
    Ok(print(&explanation))
}

/// The request that is asked about: a GET.
fn read(request: &RequestHead) -> Result<RequestHead, &'static str> {
    let query = request.url.query.as_deref().unwrap_or_default();
    if query.len() > QUERY_BYTES_MAX {
        return Err("the query is longer than 32 KiB");
    }
    let mut url = None;
    let mut fields = Fields::new();
    for parameter in query.split('&').filter(|text| !text.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // As forms and their libraries write it.
        let value = decoded(&value.replace('+', "%20")).ok_or("a value is not UTF-8")?;
        match name {
            "url" if url.is_none() => url = Some(value),
            "header" if fields.len() >= FIELDS_MAX => return Err("there are more than 64 fields"),
            "header" => {
                let (name, value) = value.split_once(':').ok_or("a header has no colon")?;
                let value = value.trim_matches([' ', '\t']);
                if !list::is_field_name(name) || value.contains(|c: char| c.is_control()) {
                    return Err("a header is not a request field");
                }
                fields.add(name, value);
            }
            _ => return Err("there is another parameter, or a second url"),
        }
    }
    let url = url.ok_or("there is no url")?;
    let url = Url::parse(&url).map_err(|_| "the url is not an absolute http or https URL")?;
    // Cloudflare has a Cache API for each zone, so another host's answer may
    // not be found from here.
    if url.host_name() != request.url.host_name() {
        return Err("the url has another host: ask there");
    }
    Ok(RequestHead {
        method: Method::Get,
        url,
        fields,
    })
}
