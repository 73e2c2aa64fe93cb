//! Range requests (RFC 9110 §14).

use super::fields::{Fields, is_unreadable};
use super::{date, list};

/// A range of bytes of a body, from `first` to `last`, counted from 0 and both
/// included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

impl ByteRange {
    /// The same bytes, relative to the offset `start`.
    pub fn from(self, start: u64) -> Self {
        Self {
            first: self.first.saturating_sub(start),
            last: self.last.saturating_sub(start),
        }
    }

    /// The number of bytes.
    pub fn length(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// The result of applying a `Range` field to a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// Send these ranges. They are in ascending order and do not overlap.
    Parts(Vec<ByteRange>),
    /// No range is within the body: 416 (Range Not Satisfiable).
    Unsatisfiable,
    /// Send the whole body: the field is invalid or not supported, and §14.2
    /// allows to ignore it.
    Whole,
}

/// The largest number of ranges in a response. A request for more gets the
/// whole body, as §14.2 recommends against requests that only cause work.
const PARTS_MAX: usize = 16;

/// Applies the value of `Range` to a body of `length` bytes.
pub fn resolve(range: &str, length: u64) -> Ranges {
    let Some(specs) = byte_specs(range) else {
        return Ranges::Whole;
    };
    let mut parts: Vec<ByteRange> = Vec::new();
    let mut count = 0;
    for spec in list::members(specs) {
        count += 1;
        let Some((first, last)) = spec.split_once('-') else {
            return Ranges::Whole;
        };
        let bounds = (number(first), number(last));
        let part = match bounds {
            // The end of an empty body is satisfiable, but has no byte to send.
            (Ok(None), Ok(Some(1..))) if length == 0 => return Ranges::Whole,
            (Ok(None), Ok(Some(suffix))) => {
                let first = length.saturating_sub(suffix);
                let last = length.checked_sub(1).filter(|_| suffix > 0);
                last.map(|last| ByteRange { first, last })
            }
            (Ok(Some(first)), Ok(last)) => {
                let last = last.unwrap_or(u64::MAX);
                if last < first {
                    return Ranges::Whole;
                }
                let end = length.checked_sub(1).filter(|end| first <= *end);
                end.map(|end| ByteRange {
                    first,
                    last: last.min(end),
                })
            }
            _ => return Ranges::Whole,
        };
        parts.extend(part);
    }
    let apart = parts
        .windows(2)
        .all(|pair| matches!(pair, [one, next] if one.last < next.first));
    match parts.len() {
        _ if count == 0 || count > PARTS_MAX || !apart => Ranges::Whole,
        0 => Ranges::Unsatisfiable,
        _ => Ranges::Parts(parts),
    }
}

/// Whether a `Range` names a part of the body. `bytes=0-`, as players send it at
/// first, is the whole body.
pub fn asks_for_part(range: &str) -> bool {
    byte_specs(range).is_some_and(|specs| specs.trim() != "0-")
}

/// The strong validator of a response, by which ranges of one body can be
/// combined: a strong entity tag, or a `Last-Modified` that is older than the
/// response (RFC 9110 §8.8.2.2; in the same second the body might change again).
pub fn strong_validator(fields: &Fields) -> Option<&str> {
    match fields.get("etag").map(list::trim) {
        Some(etag) if etag.starts_with('"') && !is_unreadable(etag) => Some(etag),
        Some(_) => None,
        None => strong_date(fields),
    }
}

fn strong_date(fields: &Fields) -> Option<&str> {
    let modified = fields.get("last-modified").map(list::trim)?;
    let sent = fields.get("date").and_then(date::parse)?;
    (date::parse(modified)? < sent).then_some(modified)
}

fn byte_specs(range: &str) -> Option<&str> {
    let (unit, specs) = range.split_once('=')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some(specs)
}

/// Parses a number, or nothing (`None`). A number that is too large becomes
/// `u64::MAX`.
fn number(digits: &str) -> Result<Option<u64>, ()> {
    let digits = list::trim(digits);
    if digits.is_empty() {
        Ok(None)
    } else if digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(Some(digits.parse().unwrap_or(u64::MAX)))
    } else {
        Err(())
    }
}

/// Whether `If-Range` allows a range of this stored response to be sent: the
/// field is absent, or it is a strong validator of this response (§13.1.5).
pub fn if_range_holds(request: &Fields, stored: &Fields) -> bool {
    let Some(wanted) = request.get("if-range").map(list::trim) else {
        return true;
    };
    if wanted.starts_with('"') {
        return !is_unreadable(wanted) && stored.get("etag").map(list::trim) == Some(wanted);
    }
    // A weak tag never matches. A date must be equal as text, and be a strong
    // validator (§8.8.2.2).
    strong_date(stored) == Some(wanted)
}
