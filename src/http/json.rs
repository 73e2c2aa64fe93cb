//! JSON (RFC 8259): reading values.
//!
//! Numbers are whole and not negative here, or kept as they are written:
//! nothing of ours has a fraction, and the machinery for them is 30 KB.

/// How deep lists and tables may lie in each other: each level is a call.
const DEPTH_MAX: usize = 100;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number below 2^64.
    Number(u64),
    /// Any other number, as it is written.
    OtherNumber(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object: its members in their order. A name may stand there twice.
    Table(Vec<(String, Self)>),
}

impl Json {
    /// Reads a whole text. An error says what is wrong, and where.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let read = reader.value(DEPTH_MAX).and_then(|value| {
            reader.skip_space();
            match reader.peek() {
                None => Ok(value),
                Some(_) => Err("nothing more is expected"),
            }
        });
        read.map_err(|problem| {
            let before = text.get(..reader.at).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
            let column = reader.at.saturating_sub(start).saturating_add(1);
            format!("{problem} at line {line} column {column}")
        })
    }

    /// A table of these members.
    pub fn table<const N: usize>(members: [(&str, Self); N]) -> Self {
        let members = members.into_iter();
        Self::Table(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The members of a table.
    pub fn members(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Table(members) => Some(members),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for Json {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, is_one: fn(u8) -> bool) -> usize {
        let start = self.at;
        while self.peek().is_some_and(is_one) {
            self.at += 1;
        }
        self.at - start
    }

    fn skip_space(&mut self) {
        self.skip(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    }

    /// Takes a byte, if it is the next.
    fn take(&mut self, wanted: u8) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, &'static str> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err("a value is expected");
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Json, &'static str> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err("too deep");
        };
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.table(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err("a value is expected"),
            None => Err("it ends early"),
        }
    }

    /// What follows an item: whether there is another.
    fn more(&mut self, end: u8) -> Result<bool, &'static str> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b) if b == end => {
                self.at += 1;
                Ok(false)
            }
            Some(_) => Err("a comma or the end is expected"),
            None => Err("it ends early"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, &'static str> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if !self.take(b']') {
            loop {
                items.push(self.value(depth)?);
                if !self.more(b']')? {
                    break;
                }
            }
        }
        Ok(Json::List(items))
    }

    fn table(&mut self, depth: usize) -> Result<Json, &'static str> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if !self.take(b'}') {
            loop {
                self.skip_space();
                if self.peek() != Some(b'"') {
                    return Err("a name in quotes is expected");
                }
                let name = self.string()?;
                self.skip_space();
                if !self.take(b':') {
                    return Err("a colon is expected");
                }
                members.push((name, self.value(depth)?));
                if !self.more(b'}')? {
                    break;
                }
            }
        }
        Ok(Json::Table(members))
    }

    fn number(&mut self) -> Result<Json, &'static str> {
        const WRONG: &str = "this is no number";
        let start = self.at;
        let digit = |b: u8| b.is_ascii_digit();
        self.take(b'-');
        let zero = self.peek() == Some(b'0');
        let digits = self.skip(digit);
        if digits == 0 || (zero && digits > 1) {
            return Err(WRONG);
        }
        if self.take(b'.') && self.skip(digit) == 0 {
            return Err(WRONG);
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            if self.skip(digit) == 0 {
                return Err(WRONG);
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(match text.parse() {
            Ok(number) => Json::Number(number),
            Err(_) => Json::OtherNumber(text.to_owned()),
        })
    }

    fn string(&mut self) -> Result<String, &'static str> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let start = self.at;
            self.skip(|b| b >= 0x20 && b != b'"' && b != b'\\');
            string.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escaped()?);
                }
                Some(_) => return Err("a control character must be escaped"),
                None => return Err("a string does not end"),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, &'static str> {
        const WRONG: &str = "this escape means nothing";
        let code = self.peek().ok_or(WRONG)?;
        self.at += 1;
        Ok(match code {
            b'"' | b'\\' | b'/' => char::from(code),
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let first = self.four_digits().ok_or(WRONG)?;
                let mut number = first;
                // Two for what lies beyond the first 2^16 (RFC 8259 §7).
                if (0xd800..0xdc00).contains(&first) && self.take(b'\\') && self.take(b'u') {
                    let second = self.four_digits().ok_or(WRONG)?;
                    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
                    number = 0x1_0000 + ((first - 0xd800) << 10) + low.ok_or(WRONG)?;
                }
                char::from_u32(number).ok_or(WRONG)?
            }
            _ => return Err(WRONG),
        })
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at.checked_add(4)?)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}
