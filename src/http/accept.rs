//! Normal forms of `Accept`, `Accept-Encoding` and `Accept-Language`. They
//! keep the meaning, so that clients with equal preferences share an entry.

use super::list;

/// The content codings that Edgekeep passes on, in the order of the output.
const CODINGS: [&str; 3] = ["br", "gzip", "zstd"];

/// Reduces `Accept-Encoding` to the codings of [`CODINGS`] that the client
/// accepts (RFC 9110 §12.5.3), such as `br, gzip`. Returns `identity` if it
/// accepts none of them or sent no field.
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

/// Sorts the members of `Accept` or `Accept-Language` by weight, and replaces
/// the weights by ranks, because only their order has a meaning (RFC 9110
/// §12.4.2). `de;q=0.4, en` and `en, de;q=0.8` become `en, de;q=0.9`.
///
/// Members of equal weight keep their order, and every member keeps its
/// spelling: applications take the first of several, or compare without regard
/// to RFC 9110. The origin receives the same text that is in the key. So two
/// spellings never share a response that only one of them caused.
pub fn ranked(value: &str) -> String {
    let members: Vec<(u64, String)> = list::members(value)
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
    let mut weights: Vec<u64> = members.iter().map(|(weight, _)| *weight).collect();
    weights.sort_unstable();
    weights.dedup();
    let mut ranked: Vec<String> = Vec::with_capacity(members.len());
    for (rank, weight) in weights.iter().rev().enumerate() {
        // Ten ranks are more than any origin distinguishes.
        let rank = 10 - rank.min(9);
        // `cache::key::variant` bounds the number of members.
        for (_, name) in members.iter().filter(|(other, _)| other == weight) {
            let member = match (weight, rank) {
                (0, _) => format!("{name};q=0"),
                (_, 10) => name.clone(),
                _ => format!("{name};q=0.{rank}"),
            };
            if !ranked.contains(&member) {
                ranked.push(member);
            }
        }
    }
    ranked.join(", ")
}

/// The weight of a `q=` parameter in thousandths; `None` for another
/// parameter. An invalid weight counts as 1.
fn weight(piece: &str) -> Option<u64> {
    let digits = piece
        .strip_prefix("q=")
        .or_else(|| piece.strip_prefix("Q="))?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    match (whole, part.parse::<u64>()) {
        ("0", Ok(part)) => Some(part),
        _ => Some(1000),
    }
}

/// The name of a member, and whether its weight is above zero (RFC 9110
/// §12.4.2).
fn weighted(member: &str) -> (&str, bool) {
    let mut pieces = member.split(';').map(list::trim);
    let name = pieces.next().unwrap_or_default();
    (name, !pieces.any(|piece| weight(piece) == Some(0)))
}
