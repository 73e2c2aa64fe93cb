//! Comma-separated lists (RFC 9110 §5.6.1), with regard for quoted strings.

/// The members of a list field's value, trimmed; empty members are skipped,
/// as §5.6.1.2 asks of a recipient. Commas inside quoted strings do not split.
pub fn members(value: &str) -> impl Iterator<Item = &str> {
    split_outside_quotes(value, b',')
        .map(trim)
        .filter(|member| !member.is_empty())
}

/// Splits at `separator` (an ASCII byte) wherever it is not inside a quoted
/// string. An unclosed quote runs to the end.
pub fn split_outside_quotes(value: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = end_of_member(text, separator);
        // `end` is at an ASCII byte or the end, so both cuts are at character
        // boundaries; `get` keeps that from being a matter of trust.
        let (member, after) = (text.get(..end)?, text.get(end + 1..));
        rest = after;
        Some(member)
    })
}

fn end_of_member(text: &str, separator: u8) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted && byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            quoted = !quoted;
        } else if byte == separator && !quoted {
            return at;
        }
    }
    text.len()
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
pub fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a text is a field's name as they are in use: letters, digits, `-`,
/// `_` and `.`. A token may hold more (RFC 9110 §5.6.2), but a list with
/// `'Accept'` or `X-*` in it means something else than these very names.
pub fn is_field_name(name: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name.bytes().all(valid)
}

/// Without optional whitespace around it (RFC 9110 §5.6.3: SP and HTAB).
pub fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The text of a quoted string without quotes and escapes; other text as it is.
pub fn unquote(text: &str) -> String {
    let Some(inner) = text
        .strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .filter(|_| text.len() >= 2)
    else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => plain.extend(characters.next()),
            _ => plain.push(c),
        }
    }
    plain
}
