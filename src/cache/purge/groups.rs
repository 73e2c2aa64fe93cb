//! Cache groups (RFC 9875): names by which an origin invalidates its own
//! answers, from the answer to a write.

use crate::http::fields::Fields;
use crate::http::url::Url;
use sfv::{BareItem, Item, List, ListEntry, Parser};

/// How many groups an answer may have to be stored, and how long each may be
/// to count. RFC 9875 §2 asks for at least 32 of 32 characters.
pub const GROUPS_MAX: usize = 64;
const GROUP_BYTES_MAX: usize = 256;

/// The groups that a field names: a list of strings. A field that is none, or
/// holds anything else, is ignored as a whole.
pub fn named(fields: &Fields, field: &str) -> Vec<String> {
    let Some(value) = fields.joined(field) else {
        return Vec::new();
    };
    let list: List = Parser::new(&value).parse().unwrap_or_default();
    let names = list.into_iter().map(|member| match member {
        ListEntry::Item(Item {
            bare_item: BareItem::String(name),
            ..
        }) => Some(String::from(name)),
        _ => None,
    });
    let names: Option<Vec<String>> = names.collect();
    let mut names = names.unwrap_or_default();
    names.retain(|name| name.len() <= GROUP_BYTES_MAX);
    names
}

/// The origin whose groups an answer belongs to: scheme and host. A group of
/// one origin says nothing of another's.
pub fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme, url.host)
}
