//! Variants: which stored answer fits a request (RFC 9111 §4.1).
//!
//! Values are taken from the request as the *origin* sees it. A field that
//! Edgekeep drops or sets therefore never splits entries, whatever `Vary` says.

use crate::http::fields::Fields;
use crate::http::{accept, list};

/// A request field that chose an answer, and the value it had (`None`: absent).
pub type Choice = (String, Option<String>);

/// How many fields `Vary` may name; a longer list is no sensible answer.
const VARY_MAX: usize = 16;

/// How long the list of a client's preferences may be, in bytes and members:
/// several times what browsers send (Chrome's `Accept` has 8 members in 135
/// bytes). With more an origin may refuse the request, and with it the page
/// that others wait for.
const PREFERENCE_BYTES_MAX: usize = 1024;
const PREFERENCE_MEMBERS_MAX: usize = 20;

/// The value of a field by which a client says what it prefers, or who it is
/// (`Origin`). One beyond the bounds counts as absent.
pub fn bounded(name: &str, client: &Fields) -> Option<String> {
    let value = client.joined(name)?;
    let few = list::members(&value).nth(PREFERENCE_MEMBERS_MAX).is_none();
    (few && value.len() <= PREFERENCE_BYTES_MAX).then_some(value)
}

/// Why an answer cannot be stored by its `Vary`: it is `*`, has more names than
/// [`VARY_MAX`], or something that is no field's name, such as
/// `Accept-Language Accept-Encoding`. The origin means *some* field by that,
/// and the answer may be wrong for those who differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariesOnAnything;

/// The fields that choose among variants: those of `Vary`, in lower case,
/// sorted, once each (`*` is no field's name); and `accept-encoding` for a coded body even if the
/// origin forgot to say so.
pub fn choosing_fields(response: &Fields) -> Result<Vec<String>, VariesOnAnything> {
    let mut names: Vec<String> = response
        .all("vary")
        .flat_map(list::members)
        .map(str::to_ascii_lowercase)
        .collect();
    if response.has("content-encoding") {
        names.push("accept-encoding".to_owned());
    }
    names.sort();
    names.dedup();
    let readable = names.iter().all(|name| list::is_field_name(name));
    if !readable || names.len() > VARY_MAX {
        return Err(VariesOnAnything);
    }
    Ok(names)
}

/// The choices that a request makes for these fields, of which `value` tells
/// what the origin sees.
pub fn choices(names: &[String], value: &dyn Fn(&str) -> Option<String>) -> Vec<Choice> {
    names
        .iter()
        .map(|name| (name.clone(), value(name)))
        .collect()
}

/// Whether it makes these very choices.
pub fn fits(choices: &[Choice], value: &dyn Fn(&str) -> Option<String>) -> bool {
    choices.iter().all(|(name, wanted)| value(name) == *wanted)
}

/// The choices as text that distinguishes variants of one key.
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

/// The value of a field by which it chooses, in one spelling.
pub fn value(name: &str, request: &Fields) -> Option<String> {
    let value = request.joined(name)?;
    Some(match name {
        "accept-encoding" => accept::encoding(Some(&value)),
        "accept" | "accept-language" => accept::ranked(&value),
        _ => list::members(&value).collect::<Vec<_>>().join(", "),
    })
}
