//! Incomplete responses: what a stored 206 can be used for (RFC 9111 §3.3 and
//! §3.4).

use super::entry::Entry;
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;
use crate::http::range::{self, ByteRange, Ranges};

/// The part of a body that a 206 contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The range of its bytes.
    pub range: ByteRange,
    /// Length of the whole body.
    pub total: u64,
}

impl Part {
    /// Parses `Content-Range` (RFC 9110 §14.4). Returns `None` unless it is one
    /// range of bytes of a body with known length.
    pub fn of(fields: &Fields) -> Option<Self> {
        let value = fields.get("content-range")?;
        let (unit, rest) = value.trim().split_once(' ')?;
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten()
        };
        let part = Self {
            range: ByteRange {
                first: number(first)?,
                last: number(last)?,
            },
            total: number(total)?,
        };
        let valid = part.range.first <= part.range.last && part.range.last < part.total;
        (unit.eq_ignore_ascii_case("bytes") && valid).then_some(part)
    }

    /// Returns the range that a `Range` value selects, if it is a single one
    /// and this part contains all of it.
    pub fn answers(&self, wanted: &str) -> Option<ByteRange> {
        let Ranges::Parts(parts) = range::resolve(wanted, self.total) else {
            return None;
        };
        match parts.as_slice() {
            [one] if self.range.first <= one.first && one.last <= self.range.last => Some(*one),
            _ => None,
        }
    }

    /// Returns the `Range` value for the bytes after the part, if the part is
    /// the start of a body.
    pub fn rest(&self) -> Option<String> {
        let from = self.range.last.checked_add(1)?;
        (self.range.first == 0 && from < self.total).then(|| format!("bytes={from}-"))
    }
}

/// Returns the head of the whole response that a stored start and this 206
/// form, if the 206 is the rest of the same body: lengths and validators must
/// match (§3.4).
pub fn completed(start: &Entry, head: &ResponseHead) -> Option<ResponseHead> {
    let (first, then) = (Part::of(&start.fields)?, Part::of(&head.fields)?);
    let follows = first.range.first == 0
        && first.range.last.checked_add(1) == Some(then.range.first)
        && then.range.last.checked_add(1) == Some(then.total)
        && first.total == then.total;
    // The 206 may have no Date; then the start's Date holds for both.
    let same = |name| {
        head.fields
            .get(name)
            .is_none_or(|v| start.fields.get(name) == Some(v))
    };
    let tied = range::strong_validator(&start.fields).is_some()
        && (head.fields.has("etag") || head.fields.has("last-modified"))
        && same("etag")
        && same("last-modified");
    if head.status != 206 || !follows || !tied {
        return None;
    }
    let mut fields = start.fields.clone();
    fields.retain(|name, _| !head.fields.has(name) && name != "via");
    for (name, value) in head.fields.iter() {
        fields.add(name, value);
    }
    fields.remove("content-range");
    fields.set("content-length", first.total.to_string());
    Some(ResponseHead {
        status: 200,
        fields,
    })
}
