//! Negotiation fields in a normal form that keeps their meaning, so that clients
//! that ask alike share an entry.

use super::list;
use std::cmp::Reverse;

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

/// `Accept` or `Accept-Language` by preference: members in the order of their
/// weights, and the weights replaced by ranks, since only their order means
/// anything (RFC 9110 §12.4.2). `de;q=0.4, en` and `en, de;q=0.8` become
/// `en, de;q=0.9`.
///
/// Members of one weight keep their order and every member its spelling:
/// applications take the first of several, or compare without regard to
/// RFC 9110. As the origin sees this text, it is the key as well, so two
/// spellings never share an answer that only one of them has caused.
pub fn ranked(value: &str) -> String {
    let mut members: Vec<(u32, String)> = list::members(value)
        .filter_map(|member| {
            let mut thousandths = 1000;
            let mut kept = Vec::new();
            for piece in list::split_outside_quotes(member, b';').map(list::trim) {
                match weight(piece) {
                    Some(weight) => thousandths = weight,
                    None => kept.push(piece),
                }
            }
            let name = kept.join(";");
            (!name.is_empty()).then_some((thousandths, name))
        })
        .collect();
    // A stable sort.
    members.sort_by_key(|(weight, _)| Reverse(*weight));
    let (mut rank, mut last) = (0_u32, None);
    for (weight, _) in &mut members {
        if last.is_some_and(|last| last != *weight) {
            // Ten ranks are more than any origin tells apart.
            rank = (rank + 1).min(9);
        }
        last = Some(*weight);
        if *weight > 0 {
            *weight = 10 - rank;
        }
    }
    let mut ranked: Vec<String> = Vec::with_capacity(members.len());
    for (rank, name) in members {
        let member = match rank {
            10 => name,
            0 => format!("{name};q=0"),
            _ => format!("{name};q=0.{rank}"),
        };
        // Few: `cache::key::variant` bounds them.
        if !ranked.contains(&member) {
            ranked.push(member);
        }
    }
    ranked.join(", ")
}

/// The weight of a `q=` piece in thousandths.
fn weight(piece: &str) -> Option<u32> {
    let digits = piece
        .strip_prefix("q=")
        .or_else(|| piece.strip_prefix("Q="))?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    match (whole, part.parse::<u32>()) {
        ("0", Ok(part)) => Some(part),
        _ => Some(1000),
    }
}

/// A member's name, and whether its weight is above zero (RFC 9110 §12.4.2).
fn weighted(member: &str) -> (&str, bool) {
    let mut pieces = member.split(';').map(list::trim);
    let name = pieces.next().unwrap_or_default();
    (name, !pieces.any(|piece| weight(piece) == Some(0)))
}
