//! Variants: which of a key's stored responses matches a request (RFC 9111
//! §4.1).
//!
//! The values are those of the request that the *origin* receives. So a field
//! that Edgekeep drops or sets never makes variants, even if `Vary` names it.

use crate::http::fields::Fields;
use crate::http::{accept, list};

/// A request field that selected a variant, and its value (`None`: absent).
pub type Choice = (String, Option<String>);

/// The largest number of fields in `Vary`. A longer list is not plausible.
const VARY_MAX: usize = 16;

/// The limits of a client's list of preferences, in bytes and members: several
/// times what browsers send (Chrome's `Accept` has 8 members in 135 bytes). An
/// origin may refuse a request with a longer list, and other requests may wait
/// for the same response.
const PREFERENCE_BYTES_MAX: usize = 1024;
const PREFERENCE_MEMBERS_MAX: usize = 20;

/// The value of a client's negotiation field or `Origin`. `None` if it is absent
/// or exceeds the limits.
pub fn bounded(name: &str, client: &Fields) -> Option<String> {
    let value = client.joined(name)?;
    let few = list::members(&value).nth(PREFERENCE_MEMBERS_MAX).is_none();
    (few && value.len() <= PREFERENCE_BYTES_MAX).then_some(value)
}

/// The error of a response that cannot be stored because of its `Vary`: it is
/// `*`, has more than [`VARY_MAX`] names, or a member that is not a field name,
/// such as `Accept-Language Accept-Encoding`. Such a member stands for some
/// unknown field, by which the response may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariesOnAnything;

/// The request fields that select among variants: those of `Vary`, in lower
/// case, sorted, without duplicates. If the body has a content coding,
/// `accept-encoding` is one of them even if `Vary` does not name it.
pub fn choosing_fields(response: &Fields) -> Result<Vec<String>, VariesOnAnything> {
    let mut names: Vec<String> = response
        .all("vary")
        .flat_map(list::members)
        .map(str::to_ascii_lowercase)
        .collect();
    if response.has("content-encoding") {
        names.push("accept-encoding".to_owned());
    }
    names.sort_unstable();
    names.dedup();
    // `*` is not a field name.
    let readable = names.iter().all(|name| list::is_field_name(name));
    if !readable || names.len() > VARY_MAX {
        return Err(VariesOnAnything);
    }
    Ok(names)
}

/// The choices of a request for these fields. `value` returns the value of a
/// field that the origin receives.
pub fn choices(names: &[String], value: &dyn Fn(&str) -> Option<String>) -> Vec<Choice> {
    names
        .iter()
        .map(|name| (name.clone(), value(name)))
        .collect()
}

/// Whether a request makes exactly these choices.
pub fn fits(choices: &[Choice], value: &dyn Fn(&str) -> Option<String>) -> bool {
    choices.iter().all(|(name, wanted)| value(name) == *wanted)
}

/// The choices as a text that distinguishes the variants of a key.
pub fn variant_text(choices: &[Choice]) -> String {
    let mut text = String::new();
    for (name, value) in choices {
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
        text.push('\n');
    }
    text
}

/// The normalized value of a field, by which variants are compared.
pub fn value(name: &str, request: &Fields) -> Option<String> {
    let value = request.joined(name)?;
    Some(match name {
        "accept-encoding" => accept::encoding(Some(&value)),
        "accept" | "accept-language" => accept::ranked(&value),
        _ => list::members(&value).collect::<Vec<_>>().join(", "),
    })
}
