//! Structured fields (RFC 9651): lists and dictionaries, as far as Edgekeep
//! looks at them. What it does not look at must be well formed all the same,
//! because a field with any error is ignored as a whole.

/// A value without its parameters, which nothing here has a use for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `?0`, `?1`, or a key alone.
    Boolean(bool),
    /// An integer of up to 15 digits.
    Integer(i64),
    /// A string, without quotes and escapes.
    Text(String),
    /// A decimal, token, byte sequence, date or display string.
    Other,
}

/// A member of a list or dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// One item.
    Item(Item),
    /// An inner list.
    List(Vec<Item>),
}

/// Reads a list.
pub fn list(text: &str) -> Option<Vec<Member>> {
    let mut list = Vec::new();
    let mut reader = Reader(text);
    reader.members(&mut |reader| {
        list.push(reader.member()?);
        Some(())
    })?;
    Some(list)
}

/// Reads a dictionary. Of members of one key the last counts.
pub fn dictionary(text: &str) -> Option<Vec<(String, Member)>> {
    let mut dictionary: Vec<(String, Member)> = Vec::new();
    let mut reader = Reader(text);
    reader.members(&mut |reader| {
        let key = reader.key()?;
        let member = match reader.take('=') {
            true => reader.member()?,
            false => {
                reader.parameters()?;
                Member::Item(Item::Boolean(true))
            }
        };
        match dictionary.iter_mut().find(|(known, _)| known == key) {
            Some((_, last)) => *last = member,
            None => dictionary.push((key.to_owned(), member)),
        }
        Some(())
    })?;
    Some(dictionary)
}

/// What is left of a text.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.bytes().next()
    }

    /// Takes a character, if it is the next.
    fn take(&mut self, wanted: char) -> bool {
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Takes characters (ASCII ones) as long as they are of a kind.
    fn take_while(&mut self, is_one: fn(u8) -> bool) -> &'a str {
        let end = self.0.bytes().position(|b| !is_one(b));
        let taken = end.and_then(|end| self.0.split_at_checked(end));
        let (taken, rest) = taken.unwrap_or((self.0, ""));
        self.0 = rest;
        taken
    }

    fn members(&mut self, read: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take_while(|b| b == b' ');
        while !self.0.is_empty() {
            read(self)?;
            self.take_while(|b| matches!(b, b' ' | b'\t'));
            if self.0.is_empty() {
                break;
            }
            if !self.take(',') {
                return None;
            }
            self.take_while(|b| matches!(b, b' ' | b'\t'));
            if self.0.is_empty() {
                return None;
            }
        }
        Some(())
    }

    fn member(&mut self) -> Option<Member> {
        if !self.take('(') {
            return self.item().map(Member::Item);
        }
        let mut items = Vec::new();
        loop {
            self.take_while(|b| b == b' ');
            if self.take(')') {
                self.parameters()?;
                return Some(Member::List(items));
            }
            items.push(self.item()?);
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    fn item(&mut self) -> Option<Item> {
        let item = self.bare_item()?;
        self.parameters()?;
        Some(item)
    }

    fn parameters(&mut self) -> Option<()> {
        while self.take(';') {
            self.take_while(|b| b == b' ');
            self.key()?;
            if self.take('=') {
                self.bare_item()?;
            }
        }
        Some(())
    }

    fn key(&mut self) -> Option<&'a str> {
        let starts = |b: u8| b.is_ascii_lowercase() || b == b'*';
        if !self.peek().is_some_and(starts) {
            return None;
        }
        Some(self.take_while(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b'*')
        }))
    }

    fn bare_item(&mut self) -> Option<Item> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(Item::Text),
            b'?' => {
                self.take('?');
                let (yes, no) = (self.take('1'), self.take('0'));
                (yes != no).then_some(Item::Boolean(yes))
            }
            b':' => self.byte_sequence(),
            b'@' => {
                self.take('@');
                let date = self.number()?;
                matches!(date, Item::Integer(_)).then_some(Item::Other)
            }
            b'%' => self.display_string(),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.take_while(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b));
                Some(Item::Other)
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Item> {
        let negative = self.take('-');
        let whole = self.take_while(|b| b.is_ascii_digit());
        if self.take('.') {
            let part = self.take_while(|b| b.is_ascii_digit());
            let fits = (1..=12).contains(&whole.len()) && (1..=3).contains(&part.len());
            return fits.then_some(Item::Other);
        }
        let number: i64 = whole.parse().ok().filter(|_| whole.len() <= 15)?;
        Some(Item::Integer(if negative {
            number.saturating_neg()
        } else {
            number
        }))
    }

    fn string(&mut self) -> Option<String> {
        self.take('"');
        let mut string = String::new();
        loop {
            string.push_str(self.take_while(|b| is_printable(b) && b != b'"' && b != b'\\'));
            if self.take('"') {
                return Some(string);
            }
            if !self.take('\\') {
                return None;
            }
            if self.take('"') {
                string.push('"');
            } else if self.take('\\') {
                string.push('\\');
            } else {
                return None;
            }
        }
    }

    fn byte_sequence(&mut self) -> Option<Item> {
        self.take(':');
        let digits = self.take_while(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
        let padding = self.take_while(|b| b == b'=');
        let whole = match digits.len() % 4 {
            0 => padding.is_empty(),
            2 => padding.len() <= 2,
            3 => padding.len() <= 1,
            _ => false,
        };
        (whole && self.take(':')).then_some(Item::Other)
    }

    fn display_string(&mut self) -> Option<Item> {
        self.take('%');
        if !self.take('"') {
            return None;
        }
        let mut bytes = Vec::new();
        loop {
            let plain = self.take_while(|b| is_printable(b) && b != b'"' && b != b'%');
            bytes.extend_from_slice(plain.as_bytes());
            if self.take('"') {
                return String::from_utf8(bytes).ok().map(|_| Item::Other);
            }
            if !self.take('%') {
                return None;
            }
            let (digits, rest) = self.0.split_at_checked(2)?;
            if !digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            self.0 = rest;
        }
    }
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}
