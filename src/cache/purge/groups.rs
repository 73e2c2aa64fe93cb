//! Cache groups (RFC 9875): names by which an origin invalidates its own
//! responses, in the response to a write.

use crate::http::fields::Fields;
use crate::http::url::Url;
use sfv::{BareItem, Item, List, ListEntry, Parser};

/// The largest number of groups of a response that can be stored, and the
/// largest length of a group in bytes. RFC 9875 §2 asks for at least 32 groups
/// of 32 characters.
pub const GROUPS_MAX: usize = 64;
const GROUP_BYTES_MAX: usize = 256;

/// Returns the groups in a field, a list of strings. A field that is not such a
/// list is ignored as a whole. Groups that are too long are dropped.
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

/// Returns the origin that a response's groups belong to: scheme and host.
/// Groups of different origins are unrelated.
pub fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme, url.host)
}
