//! Comma-separated lists (RFC 9110 §5.6.1), with quoted strings.

/// The members of a list field's value, trimmed. Empty members are skipped, as
/// §5.6.1.2 requires. A comma inside a quoted string does not split.
pub fn members(value: &str) -> impl Iterator<Item = &str> {
    split_outside_quotes(value, b',')
        .map(trim)
        .filter(|member| !member.is_empty())
}

/// Splits a text at each `separator` (an ASCII byte) that is not inside a
/// quoted string. A quoted string without its end runs to the end of the text.
pub fn split_outside_quotes(value: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = end_of_member(text, separator);
        // `end` is the offset of an ASCII byte or the end of the text, so both
        // offsets are character boundaries. `get` cannot panic in any case.
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

/// Whether a byte is allowed in a token (RFC 9110 §5.6.2).
pub fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a text is a usual field name: letters, digits, `-`, `_` and `.`. A
/// token allows more characters (RFC 9110 §5.6.2), but a list with `'Accept'`
/// or `X-*` in it does not mean fields of exactly these names.
pub fn is_field_name(name: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name.bytes().all(valid)
}

/// Removes optional whitespace (SP and HTAB, RFC 9110 §5.6.3) at both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Removes the quotes and escapes of a quoted string. Returns any other text
/// unchanged.
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
