//! Answers of the origin that are passed on without having been stored.

use super::failure::origin_failed;
use super::reply::{Answer, Content, only_for_304};
use crate::cache::answer::for_clients;
use crate::cache::esi;
use crate::cache::origin_failure::OriginFailure;
use crate::cache::rule::Rule;
use crate::http::conditional;
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;

/// Gives the origin's answer on as it is.
pub fn forward<B>(
    head: Result<ResponseHead, OriginFailure>,
    body: Option<B>,
    received_ms: u64,
) -> Answer<B> {
    match head {
        Ok(head) => {
            let mut fields = for_clients(&head.fields, received_ms);
            // An upstream cache's age is still true of what only passes by.
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

/// An answer that is passed on without having been stored, or what the client's
/// own conditions make of it: where they hold, the 304 that the origin could
/// have sent itself, and the body is cancelled unread. Only of what would be a
/// 200 (RFC 9110 §13.2.1), and not of a page that is made of fragments.
pub fn by_conditions<B>(mut answer: Answer<B>, client: &Fields, rule: &Rule) -> Answer<B> {
    let template = rule.esi && esi::is_marked(&answer.fields);
    if answer.status == 200 && !template && conditional::not_modified_now(client, &answer.fields) {
        answer.status = 304;
        answer.fields = only_for_304(answer.fields);
        answer.length = None;
        // Dropping the body ends its stream.
        answer.content = Content::Empty;
    }
    answer
}
