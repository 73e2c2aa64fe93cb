//! Character references of HTML and XML: `&amp;`, `&#38;`, `&#x26;`.

/// The named references by which templates and editors write what means
/// something in a URL or in markup (HTML §13.5). The other two thousand stand
/// for characters that no URL has as they are.
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

/// The longest reference, between `&` and `;`: the 8 of `#x10FFFF`, and room for
/// four zeros before the number.
pub const REFERENCE_BYTES_MAX: usize = 12;

/// The character of a reference, of which `name` stands between `&` and `;`.
/// `None` for another name, for NUL and for what is no character (XML 1.0
/// §4.1).
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
    // `from_str_radix` takes a sign, too.
    let code = digits.chars().all(|c| c.is_ascii_alphanumeric());
    let code = code.then(|| u32::from_str_radix(digits, radix).ok());
    code.flatten()
        .and_then(char::from_u32)
        .filter(|c| *c != '\0')
}

/// A text with its references resolved, once; what is none stays as it is. Each
/// must end with `;`: `?a=1&lt=2` is a URL whose parameter is called `lt`.
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
