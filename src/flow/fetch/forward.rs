//! Origin responses that are forwarded without being stored.

use crate::cache::config::rule::Rule;
use crate::cache::esi::parser;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::storability::for_clients;
use crate::cache::request::classify::Lookup;
use crate::flow::response::error_pages::origin_failed;
use crate::flow::response::reply::{Answer, Content, strip_representation_headers};
use crate::http::conditional;
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;

/// The client's response from an origin response that is not stored.
pub fn forward<B>(
    head: Result<ResponseHead, OriginFailure>,
    body: Option<B>,
    received_ms: u64,
) -> Answer<B> {
    match head {
        Ok(head) => {
            let mut fields = for_clients(&head.fields, received_ms);
            // An upstream cache's age is still correct for a response that is
            // only forwarded.
            if let Some(age) = head.fields.get("age") {
                fields.set("age", age);
            }
            let length = head.fields.get("content-length");
            Answer {
                status: head.status,
                length: length.and_then(|n| n.parse().ok()),
                fields,
                content: body.map_or(Content::Empty, Content::Body),
            }
        }
        Err(failure) => origin_failed(failure),
    }
}

/// Which of a client's conditions may be evaluated here instead of at the
/// origin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Evaluate {
    /// Those by `ETag` and by date.
    All,
    /// `If-None-Match` only, because the origin has seen credentials. Two
    /// clients' pages may have the same date, and the client may hold the other
    /// one ([`crate::cache::policy::storability::is_tied`]).
    Tags,
}

impl Evaluate {
    /// What applies to a lookup: [`Self::Tags`] if credentials go to the
    /// origin.
    pub fn of(lookup: &Lookup) -> Self {
        match lookup.authorized {
            true => Self::Tags,
            false => Self::All,
        }
    }
}

/// Evaluates the client's conditions on a forwarded response. If they hold, the
/// result is the 304 that the origin could have sent, and the body is cancelled
/// unread.
///
/// Only for a 200 (RFC 9110 §13.2.1), and not for a page made of fragments.
pub fn by_conditions<B>(
    mut answer: Answer<B>,
    client: &Fields,
    rule: &Rule,
    evaluate: Evaluate,
) -> Answer<B> {
    let template = rule.esi && parser::is_marked(&answer.fields);
    let counts = evaluate == Evaluate::All || client.has("if-none-match");
    let may = answer.status == 200 && !template && counts;
    if may && conditional::not_modified_now(client, &answer.fields) {
        answer.status = 304;
        answer.fields = strip_representation_headers(answer.fields);
        answer.length = None;
        // Dropping the body ends its stream.
        answer.content = Content::Empty;
    }
    answer
}
