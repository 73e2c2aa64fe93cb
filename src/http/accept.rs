//! Negotiation fields in one spelling, so that clients that mean the same
//! share an entry.

use super::list;

/// The content codings that Edgekeep passes on, in the order it prints them.
const CODINGS: [&str; 3] = ["br", "gzip", "zstd"];

/// `Accept-Encoding` reduced to the codings of [`CODINGS`] that the client
/// takes at all (RFC 9110 §12.5.3), such as `br, gzip`; `identity` when it
/// takes none or sent no field.
pub fn encoding(value: Option<&str>) -> String {
    let mut accepted = [None; CODINGS.len()];
    let mut others = false;
    for member in list::members(value.unwrap_or_default()) {
        let (name, wanted) = weighted(member);
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("x-").unwrap_or(&name);
        match CODINGS.iter().position(|coding| *coding == name) {
            Some(at) => {
                if let Some(slot) = accepted.get_mut(at) {
                    *slot = Some(wanted);
                }
            }
            None if name == "*" => others = wanted,
            None => {}
        }
    }
    let names: Vec<&str> = CODINGS
        .iter()
        .zip(accepted)
        .filter(|(_, wanted)| wanted.unwrap_or(others))
        .map(|(name, _)| *name)
        .collect();
    if names.is_empty() {
        "identity".to_owned()
    } else {
        names.join(", ")
    }
}

/// `Accept` or `Accept-Language` with case, whitespace and empty members made
/// equal; the order, which may carry meaning, stays.
pub fn spaced(value: &str) -> String {
    let members: Vec<String> = list::members(value)
        .map(|member| {
            let pieces: Vec<String> = list::split_outside_quotes(member, b';')
                .map(|piece| list::trim(piece).to_ascii_lowercase())
                .collect();
            pieces.join(";")
        })
        .collect();
    members.join(", ")
}

/// A member's name, and whether its weight is above zero (RFC 9110 §12.4.2).
fn weighted(member: &str) -> (&str, bool) {
    let mut pieces = member.split(';').map(list::trim);
    let name = pieces.next().unwrap_or_default();
    let refused = pieces.any(|piece| {
        let weight = piece
            .strip_prefix("q=")
            .or_else(|| piece.strip_prefix("Q="));
        weight.is_some_and(|q| q.starts_with('0') && q.bytes().all(|b| matches!(b, b'0' | b'.')))
    });
    (name, !refused)
}
