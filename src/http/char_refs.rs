//! Decoding of character references in HTML and XML: `&amp;`, `&#38;`,
//! `&#x26;`.

/// The named references for characters that have a meaning in a URL or in
/// markup (HTML §13.5), as templates and editors write them. HTML has two
/// thousand more, for characters that no URL contains unescaped.
const NAMED: [(&str, char); 36] = [
    ("amp", '&'),
    ("AMP", '&'),
    ("lt", '<'),
    ("LT", '<'),
    ("gt", '>'),
    ("GT", '>'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("apos", '\''),
    ("num", '#'),
    ("percnt", '%'),
    ("plus", '+'),
    ("equals", '='),
    ("quest", '?'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("comma", ','),
    ("period", '.'),
    ("excl", '!'),
    ("dollar", '$'),
    ("ast", '*'),
    ("lpar", '('),
    ("rpar", ')'),
    ("commat", '@'),
    ("lowbar", '_'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("lcub", '{'),
    ("rcub", '}'),
    ("verbar", '|'),
    ("vert", '|'),
    ("bsol", '\\'),
    ("grave", '`'),
];

/// The longest reference in bytes, between `&` and `;`: 8 for `#x10FFFF`, and 4
/// for leading zeros.
pub const REFERENCE_BYTES_MAX: usize = 12;

/// Returns the character of the reference `&name;`. `None` for an unknown name,
/// for NUL, and for a number that is not a character (XML 1.0 §4.1).
pub fn resolve(name: &str) -> Option<char> {
    if name.len() > REFERENCE_BYTES_MAX {
        return None;
    }
    let Some(number) = name.strip_prefix('#') else {
        let found = NAMED.iter().find(|(known, _)| *known == name);
        return found.map(|(_, character)| *character);
    };
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` would also accept a sign.
    let code = digits.chars().all(|c| c.is_ascii_alphanumeric());
    let code = code.then(|| u32::from_str_radix(digits, radix).ok());
    code.flatten()
        .and_then(char::from_u32)
        .filter(|c| *c != '\0')
}

/// Replaces the references in a text, in one pass. Text that is not a reference
/// stays as it is. A reference must end with `;`: `?a=1&lt=2` is a URL with a
/// parameter `lt`.
pub fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('&') {
        decoded.push_str(plain);
        let most = REFERENCE_BYTES_MAX.saturating_add(1);
        let end = after.bytes().take(most).position(|byte| byte == b';');
        let name = end.and_then(|end| after.get(..end));
        match name.and_then(|name| Some((resolve(name)?, name.len()))) {
            Some((character, bytes)) => {
                decoded.push(character);
                rest = after.get(bytes.saturating_add(1)..).unwrap_or_default();
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}
