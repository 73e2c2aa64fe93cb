//! Taking purge orders: `POST /.edgekeep/purge`.
//!
//! An order is done wholly or not at all. Nothing is read from it before its
//! signature is checked.

use super::host::{BodyError, Host, Ordered};
use super::isolate::Isolate;
use super::problem::Problem;
use super::reply::{Answer, Content};
use super::report::Report;
use super::sync;
use super::webhook::{self, Refused};
use crate::cache::key;
use crate::cache::ledger::{Order, Receipt};
use crate::cache::rules::Rules;
use crate::cache::selector::{PREFIX_DEPTH_MAX, Selector, is_tag, url_selector};
use crate::http::date;
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::{self, Url};
use serde::Deserialize;
use serde_json::json;

/// The longest order. 64 KiB hold 1,000 selectors of 64 bytes.
pub const ORDER_BYTES_MAX: usize = 64 * 1024;

/// How many selectors an order may hold.
pub const SELECTORS_MAX: usize = 1000;

/// The body of an order: the shape of Cloudflare's own purge call, and `soft`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OrderBody {
    files: Vec<String>,
    tags: Vec<String>,
    prefixes: Vec<String>,
    hosts: Vec<String>,
    purge_everything: bool,
    soft: bool,
}

/// Answers a request to Edgekeep's own paths.
pub async fn admin<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
    body: Option<H::Body>,
    report: &mut Report,
) -> Answer<H::Body> {
    report.event = "purge";
    let outcome = match request.url.path.as_str() {
        "/.edgekeep/purge" => purge(host, isolate, request, body).await,
        path => Err(Problem::new(
            404,
            "No such address",
            format!("{path} is not an address of Edgekeep; orders go to POST /.edgekeep/purge"),
        )),
    };
    match outcome {
        Ok(receipt) => {
            report.note(format!(
                "purge {} of {:?}",
                receipt.sequence,
                (&receipt.hard, &receipt.soft)
            ));
            receipt_answer(&receipt)
        }
        Err(problem) => {
            report.note(format!("{}: {}", problem.title, problem.detail));
            problem.answer()
        }
    }
}

async fn purge<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
    body: Option<H::Body>,
) -> Result<Receipt, Problem> {
    if request.method != Method::Other("POST".to_owned()) {
        let detail = "orders are sent by POST";
        return Err(Problem::new(405, "Method not allowed", detail).with_field("allow", "POST"));
    }
    let secrets = match &isolate.secrets {
        Ok(secrets) if !secrets.is_empty() => secrets,
        Ok(_) => {
            let detail = "no secret is configured: run `npx wrangler secret put PURGE_SECRETS`";
            return Err(Problem::new(503, "Purging is not set up", detail));
        }
        Err(bad) => return Err(Problem::new(503, "Purging is not set up", bad.to_string())),
    };
    let stated = request.fields.get("content-length");
    if stated
        .and_then(|n| n.parse().ok())
        .is_some_and(|n: usize| n > ORDER_BYTES_MAX)
    {
        return Err(too_large());
    }
    let bytes = match body {
        None => Vec::new(),
        Some(body) => host
            .read(body, ORDER_BYTES_MAX)
            .await
            .map_err(|error| match error {
                BodyError::TooLong => too_large(),
                BodyError::Broken => Problem::new(400, "Body broke off", "send the order again"),
            })?,
    };
    let now_ms = host.now_ms();
    let id = webhook::check(secrets, &request.fields, &bytes, now_ms).map_err(refusal)?;
    let body = read_order(&bytes)?;
    let selectors = selectors(&isolate.rules, &body)?;
    let names: Vec<String> = selectors.iter().map(Selector::to_string).collect();
    let (hard, soft) = match body.soft {
        true => (Vec::new(), names),
        false => (names, Vec::new()),
    };
    let order = Order {
        id: Some(id.to_owned()),
        body_digest: key::digest(&String::from_utf8_lossy(&bytes)),
        key: Some("default".to_owned()),
        via: "webhook".to_owned(),
        hard,
        soft,
        lag_seconds: isolate.rules.max_purge_lag_seconds,
        after: isolate.seen(),
        ..Order::default()
    };
    match sync::append(host, isolate, &request.url.host, &order).await {
        Ok(Ordered::Done(receipt, _)) => Ok(receipt),
        Ok(Ordered::Conflict) => Err(Problem::new(
            409,
            "Webhook id used before",
            "an order with this webhook-id and another body was accepted; use a new id",
        )),
        Err(problem) => {
            super::report::log_problem(host, "ledger", &problem);
            let detail = "the purge ledger cannot be reached; send the same order again";
            Err(Problem::new(503, "Ledger unavailable", detail).with_field("retry-after", "5"))
        }
    }
}

fn too_large() -> Problem {
    let detail = format!("an order has at most {ORDER_BYTES_MAX} bytes; split it");
    Problem::new(413, "Order too large", detail)
}

fn refusal(refused: Refused) -> Problem {
    match refused {
        Refused::Form(field) => {
            let detail = format!("the header field {field} is missing or malformed");
            Problem::new(400, "Not a Standard Webhook", detail)
        }
        Refused::Unproven => Problem::new(
            401,
            "Not accepted",
            "the webhook could not be verified: check the secret, the clock and the signed content",
        )
        // RFC 9110 §11.6.1 wants a challenge with 401.
        .with_field("www-authenticate", "StandardWebhooks"),
    }
}

fn read_order(bytes: &[u8]) -> Result<OrderBody, Problem> {
    let body = serde_json::from_slice(bytes).map_err(unreadable)?;
    // serde would take a list for our fields in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(
            422,
            "Not a purge order",
            "the body must be a JSON object",
        ));
    }
    Ok(body)
}

fn unreadable(error: serde_json::Error) -> Problem {
    if error.is_data() {
        Problem::new(422, "Not a purge order", error.to_string())
    } else {
        Problem::new(400, "Body is not JSON", error.to_string())
    }
}

/// The selectors of an order, normalised like requests; or every one that is
/// wrong, with its place.
fn selectors(rules: &Rules, body: &OrderBody) -> Result<Vec<Selector>, Problem> {
    let mut selectors = Vec::new();
    let mut errors = Vec::new();
    let lists: [(&str, &[String], Reader); 4] = [
        ("files", &body.files, |rules, text| file(rules, text)),
        ("tags", &body.tags, |_, text| tag(text)),
        ("prefixes", &body.prefixes, |_, text| prefix(text)),
        ("hosts", &body.hosts, |_, text| host_selector(text)),
    ];
    for (name, texts, read) in lists {
        for (at, text) in texts.iter().enumerate() {
            match read(rules, text) {
                Ok(selector) => selectors.push(selector),
                Err(detail) => errors.push((format!("{name}[{at}]"), detail)),
            }
        }
    }
    if body.purge_everything {
        selectors.push(Selector::Everything);
    }
    if !errors.is_empty() {
        let mut problem = Problem::new(
            422,
            "Order not understood",
            "nothing was purged: correct the parts under \"errors\"",
        );
        // As many as anyone would read.
        errors.truncate(100);
        problem.errors = errors;
        return Err(problem);
    }
    if selectors.is_empty() {
        let detail = "name files, tags, prefixes, hosts or purge_everything";
        return Err(Problem::new(422, "Empty order", detail));
    }
    if selectors.len() > SELECTORS_MAX {
        let detail = format!("an order has at most {SELECTORS_MAX} selectors; split it");
        return Err(Problem::new(422, "Too many selectors", detail));
    }
    Ok(selectors)
}

/// Reads one selector; an error says what is wrong with it.
type Reader = fn(&Rules, &str) -> Result<Selector, String>;

fn file(rules: &Rules, text: &str) -> Result<Selector, String> {
    let url = Url::parse(text).map_err(|error| format!("the URL {error}"))?;
    let url = key::canonical_path(&url);
    let rule = rules.rule_for(&url);
    Ok(url_selector(url, &rule))
}

fn tag(text: &str) -> Result<Selector, String> {
    if is_tag(text) {
        Ok(Selector::Tag(text.to_owned()))
    } else {
        Err("a tag is 1 to 1024 printable ASCII characters without spaces and commas".to_owned())
    }
}

/// `host/path`, with or without a scheme. It covers the path itself and what
/// lies below it, at `/` boundaries.
fn prefix(text: &str) -> Result<Selector, String> {
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let url = Url::parse(&text).map_err(|error| format!("the prefix {error}"))?;
    if url.query.is_some() {
        return Err("a prefix has no query".to_owned());
    }
    let url = key::canonical_path(&url);
    if url.path.matches('/').count() > PREFIX_DEPTH_MAX {
        return Err(format!("a prefix has at most {PREFIX_DEPTH_MAX} segments"));
    }
    let path = url.path.trim_end_matches('/');
    Ok(Selector::Prefix(format!("{}{path}", url.host)))
}

fn host_selector(text: &str) -> Result<Selector, String> {
    if !url::is_host_name(url::host_name(text)) {
        return Err("must be a host name, such as www.example.com".to_owned());
    }
    let url = Url::parse(&format!("https://{text}")).map_err(|error| format!("it {error}"))?;
    Ok(Selector::Host(url.host))
}

fn receipt_answer<B>(receipt: &Receipt) -> Answer<B> {
    let body = json!({
        "id": receipt.id,
        "sequence": receipt.sequence,
        "received_at": date::print_rfc3339(receipt.received_ms),
        // Rounded up: at this time it is in force, not about to be.
        "in_force_at": date::print_rfc3339(receipt.in_force_ms.saturating_add(999)),
        "hard": receipt.hard,
        "soft": receipt.soft,
    });
    let mut fields = Fields::new();
    fields.add("content-type", "application/json");
    fields.add("cache-control", "no-store");
    Answer {
        status: 200,
        fields,
        content: Content::Text(format!("{body}\n")),
        length: None,
    }
}
