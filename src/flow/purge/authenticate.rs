//! Authenticates the sender of an order or a query: a key, by its signature or
//! its token.
//!
//! The signature covers the body. For a request without a body (`GET`, `PURGE`)
//! it covers the text `METHOD host/path?query` instead, so it is valid for that
//! address only. A `PURGE` or `BAN` adds a line such as `x-purge-method: regex`
//! for each field that changes its meaning.
//!
//! A GitHub signature covers the body, but neither time nor id, so a captured
//! request can be sent again.

use super::signature::{self, Refused, Signed};
use crate::cache::config::setting_words::Dialect;
use crate::cache::key::cache_key;
use crate::cache::purge::selector::url_text;
use crate::cache::purge::varnish;
use crate::flow::isolate::credentials::Key;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::problem::Problem;
use crate::flow::runtime::host::Host;
use crate::http::fields::Fields;
use crate::http::head::RequestHead;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The authenticated sender of a request.
#[derive(Debug)]
pub struct Sender<'a> {
    /// The key.
    pub key: &'a Key,
    /// How the request came, for the receipt.
    pub via: &'static str,
    /// The request's id, if it has one.
    pub id: Option<String>,
}

/// Finds the key that authenticates a request. `dialect` is the dialect of a
/// purge call; `None` for our own endpoints.
pub async fn authenticate<'i, H: Host>(
    host: &H,
    isolate: &'i Isolate,
    request: &RequestHead,
    body: &[u8],
    dialect: Option<Dialect>,
) -> Result<Sender<'i>, Problem> {
    if isolate.keys.is_empty() {
        return Err(not_set_up(isolate));
    }
    let fields = &request.fields;
    let method = request.method.name();
    let has_body = method != "GET" && !varnish::is_method(method);
    let hub = dialect.is_none() && has_body && fields.has("x-hub-signature-256");
    let found = if fields.has("webhook-signature") && dialect != Some(Dialect::Fastly) {
        let payload = match has_body {
            true => body,
            false => &target(request).into_bytes(),
        };
        by_signature(host, isolate, fields, payload, dialect).await
    } else if hub && is_github_dialect(isolate, request) {
        by_hub_signature(isolate, fields, body)
    } else if let Some(token) = token(fields, dialect) {
        by_token(isolate, fields, &token, dialect)
    } else if dialect.is_none() && has_body {
        // No credentials at all: the error names the fields of a signed
        // webhook.
        Signed::read(fields).and(Err(Refused::Unauthenticated))
    } else {
        Err(Refused::Unauthenticated)
    };
    found.map_err(|refused| refusal(refused, dialect))
}

async fn by_signature<'i, H: Host>(
    host: &H,
    isolate: &'i Isolate,
    fields: &Fields,
    payload: &[u8],
    dialect: Option<Dialect>,
) -> Result<Sender<'i>, Refused> {
    let signed = Signed::read(fields)?;
    let message = signed.message(payload);
    let mut found = None;
    for key in isolate.keys.iter() {
        let fits = signed.is_by(host, &key.secrets, &message).await;
        found = found.or(fits.then_some(key));
    }
    let in_time = signed.is_in_time(host.now_ms());
    let key = found.filter(|_| in_time).ok_or(Refused::Unauthenticated)?;
    Ok(Sender {
        key,
        via: dialect.map_or("webhook", Dialect::word),
        id: Some(signed.id.to_owned()),
    })
}

fn by_hub_signature<'i>(
    isolate: &'i Isolate,
    fields: &Fields,
    body: &[u8],
) -> Result<Sender<'i>, Refused> {
    const DELIVERY: &str = "x-github-delivery";
    let signature = signature::hub_signature(fields)?;
    let found = isolate.keys.iter().fold(None, |found, key| {
        let fits = signature::is_hub_signed(&key.secrets, body, &signature);
        found.or(fits.then_some(key))
    });
    let id = optional_id(fields, DELIVERY)?;
    Ok(Sender {
        key: found.ok_or(Refused::Unauthenticated)?,
        via: Dialect::Github.word(),
        id,
    })
}

fn by_token<'i>(
    isolate: &'i Isolate,
    fields: &Fields,
    token: &str,
    dialect: Option<Dialect>,
) -> Result<Sender<'i>, Refused> {
    let id = optional_id(fields, "webhook-id")?;
    let key = isolate
        .keys
        .of_token(token)
        .ok_or(Refused::Unauthenticated)?;
    let via = dialect.map_or("token", Dialect::word);
    Ok(Sender { key, via, id })
}

fn optional_id(fields: &Fields, name: &'static str) -> Result<Option<String>, Refused> {
    let has = fields.has(name);
    has.then(|| signature::id(fields, name).map(str::to_owned))
        .transpose()
}

/// The token of a request, from the field that its dialect uses.
fn token(fields: &Fields, dialect: Option<Dialect>) -> Option<String> {
    let own = match dialect {
        Some(Dialect::Fastly) => fields.get("fastly-key"),
        Some(Dialect::Cloudflare) => fields.get("x-auth-key"),
        Some(Dialect::Varnish) => varnish::token(fields),
        _ => None,
    };
    if let Some(token) = own {
        return Some(token.trim().to_owned());
    }
    let (scheme, credentials) = fields.get("authorization")?.trim().split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    // Basic only with PURGE and BAN. Browsers send a stored password with
    // cross-site requests, too, but not with these methods.
    if dialect == Some(Dialect::Varnish) && scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
        return Some(decoded.split_once(':')?.1.to_owned());
    }
    None
}

fn is_github_dialect(isolate: &Isolate, request: &RequestHead) -> bool {
    let rule = isolate
        .rules
        .rule_for(&cache_key::canonical_path(&request.url));
    rule.purge_dialects.contains(&Dialect::Github)
}

/// The signed text of a request without a body.
pub fn target(request: &RequestHead) -> String {
    let (method, url) = (request.method.name(), url_text(&request.url));
    match varnish::is_method(method) {
        true => format!("{method} {url}{}", varnish::lines(&request.fields)),
        false => format!("{method} {url}"),
    }
}

/// The digest of everything that an order says. An id that is used again with
/// another digest is refused.
pub fn digest(request: &RequestHead, body: &[u8]) -> String {
    let mut text = target(request);
    for name in ["surrogate-key", "fastly-soft-purge"] {
        if let Some(value) = request.fields.joined(name) {
            text.push_str(&format!("\n{name}: {value}"));
        }
    }
    text.push_str("\n\n");
    text.push_str(&String::from_utf8_lossy(body));
    cache_key::digest(&text)
}

fn not_set_up(isolate: &Isolate) -> Problem {
    let detail = match isolate.keys.problems() {
        [] => "no secret is configured: run `npx wrangler secret put PURGE_SECRETS`".to_owned(),
        problems => problems.join("; "),
    };
    Problem::new(503, "Purging is not set up", detail)
}

fn refusal(refused: Refused, dialect: Option<Dialect>) -> Problem {
    // RFC 9110 §11.6.1 requires a challenge with 401. Python's urllib sends a
    // password only after a challenge.
    let challenge = match dialect {
        None => "StandardWebhooks, Bearer realm=\"edgekeep\"",
        Some(Dialect::Varnish) => "Bearer realm=\"edgekeep\", Basic realm=\"edgekeep\"",
        Some(_) => "Bearer realm=\"edgekeep\"",
    };
    match refused {
        Refused::Form(field) => {
            let detail = format!("the header field {field} is missing or malformed");
            Problem::new(400, "Not a Standard Webhook", detail)
        }
        Refused::Unauthenticated => Problem::new(
            401,
            "Not accepted",
            "no signature or token proves this: check the secret, the clock and what is signed",
        )
        .with_field("www-authenticate", challenge),
    }
}
