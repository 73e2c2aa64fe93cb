//! Splits a stream into records: lines, or JSON objects of several lines, as
//! `wrangler tail --format json` prints them. Memory is bounded.

use std::io::{self, BufRead};

/// The longest record in bytes. A message of `wrangler tail` holds up to 256 KB
/// of console lines, and escapes may double them; the rest is four times this.
pub const RECORD_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A part of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRecord {
    /// A line, or the text of a JSON object.
    Text(String),
    /// A record that is too long, is not UTF-8, or is cut off.
    Unreadable,
}

/// Calls `each` for each record that is not empty, until it returns `false`.
pub fn read(mut from: impl BufRead, mut each: impl FnMut(LogRecord) -> bool) -> io::Result<()> {
    let mut object = String::new();
    let mut depth = Depth::default();
    loop {
        let Some(line) = next_line(&mut from)? else {
            if !object.is_empty() {
                each(LogRecord::Unreadable);
            }
            return Ok(());
        };
        let Some(line) = line else {
            object.clear();
            if !each(LogRecord::Unreadable) {
                return Ok(());
            }
            continue;
        };
        // Inner lines are indented, so this begins a record: the last one has
        // been cut off.
        if !object.is_empty() && line.starts_with('{') {
            object.clear();
            if !each(LogRecord::Unreadable) {
                return Ok(());
            }
        }
        if object.is_empty() {
            depth = Depth::default();
        }
        let opens = !object.is_empty() || line.starts_with('{');
        let goes_on = match opens {
            false if line.trim().is_empty() => true,
            false => each(LogRecord::Text(line)),
            true => {
                depth.add(&line);
                object.push_str(&line);
                object.push('\n');
                if object.len() > RECORD_BYTES_MAX {
                    object.clear();
                    each(LogRecord::Unreadable)
                } else if depth.is_closed() {
                    each(LogRecord::Text(std::mem::take(&mut object)))
                } else {
                    true
                }
            }
        };
        if !goes_on {
            return Ok(());
        }
    }
}

/// The next line without its end; `None` inside if it cannot be read.
fn next_line(from: &mut impl BufRead) -> io::Result<Option<Option<String>>> {
    let mut bytes = Vec::new();
    let mut is_too_long = false;
    loop {
        let available = from.fill_buf()?;
        if available.is_empty() {
            if bytes.is_empty() && !is_too_long {
                return Ok(None);
            }
            break;
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = available.split(|byte| *byte == b'\n').next();
        let part = part.unwrap_or_default();
        match bytes.len().saturating_add(part.len()) > RECORD_BYTES_MAX {
            true => {
                is_too_long = true;
                bytes.clear();
            }
            false => bytes.extend_from_slice(part),
        }
        let used = part.len().saturating_add(usize::from(end.is_some()));
        from.consume(used);
        if end.is_some() {
            break;
        }
    }
    if is_too_long {
        return Ok(Some(None));
    }
    let text = String::from_utf8(bytes).ok();
    Ok(Some(text.map(|mut text| {
        if text.ends_with('\r') {
            text.pop();
        }
        text
    })))
}

/// How deep in braces a JSON text ends.
#[derive(Default)]
struct Depth {
    braces: u64,
    in_string: bool,
    escaped: bool,
}

impl Depth {
    fn add(&mut self, line: &str) {
        for byte in line.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' if !self.in_string => self.braces = self.braces.saturating_add(1),
                b'}' if !self.in_string => self.braces = self.braces.saturating_sub(1),
                _ => {}
            }
        }
        // A JSON string has no line end: this is no JSON.
        self.in_string = false;
        self.escaped = false;
    }

    fn is_closed(&self) -> bool {
        self.braces == 0
    }
}
