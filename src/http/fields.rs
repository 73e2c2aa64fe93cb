//! Header fields, in the order in which they were received.

use std::fmt;
use std::rc::Rc;

/// Header fields (RFC 9110 §5). Names are lower-case. A field may occur more
/// than once, and the order is kept.
///
/// The names and values that were read are in one text, which all clones of the
/// value share. So a request that waits for its origin holds its client's
/// fields in memory once, even if they were cloned several times. Added lines
/// are in a second text. Removing a line leaves both texts unchanged and only
/// drops its offsets.
#[derive(Clone, Default)]
pub struct Fields {
    /// The text that was read, unchanged.
    read: Rc<str>,
    /// The names and values that were added after reading.
    added: String,
    lines: Vec<Line>,
    /// Lines of `read` that were removed after reading.
    removed: Vec<Line>,
}

/// The offsets of a line's name and value in `read`; offsets beyond its end
/// point into `added`. 32 bits are enough: the platform accepts at most 128 KB
/// of fields.
#[derive(Clone, Copy)]
struct Line {
    name: u32,
    name_end: u32,
    value: u32,
    end: u32,
}

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads fields from a text in which names (lower-case) and values
    /// alternate, each on a line of its own. No field can contain a line feed.
    /// A name without a value is left out.
    pub fn from_text(text: &str) -> Self {
        Self::read(text, b'\n')
    }

    /// As [`Fields::from_text`], with another ASCII byte as the separator.
    pub fn read(text: &str, between: u8) -> Self {
        let mut fields = Self {
            read: Rc::from(text),
            added: String::new(),
            lines: Vec::with_capacity(24),
            removed: Vec::new(),
        };
        let mut start = 0;
        let mut name = None;
        let ends = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == between);
        for end in ends.map(|(at, _)| at).chain([text.len()]) {
            match name.take() {
                None => name = Some((start, end)),
                Some((name, name_end)) => fields.point(name, name_end, start, end),
            }
            start = end.saturating_add(1);
        }
        fields
    }

    /// The changes since the fields were read, in the format of
    /// [`Fields::from_text`]: first the names to remove, with the value
    /// [`REMOVED`], then the lines to add. The receiver applies them to its own
    /// copy of the fields; `receiver_has(name, value)` returns whether that copy has
    /// a line that was read. `None` if the fields were not read from a text.
    pub fn changes(&self, receiver_has: impl Fn(&str, &str) -> bool) -> Option<String> {
        if self.read.is_empty() {
            return None;
        }
        let mut text = String::with_capacity(256);
        for line in &self.removed {
            if receiver_has(self.name(line), self.value(line)) {
                put_line(&mut text, self.name(line), REMOVED);
            }
        }
        // The receiver removes all lines of a name.
        let gone = |name: &str| self.removed.iter().any(|line| self.name(line) == name);
        for line in &self.lines {
            let (name, value) = (self.name(line), self.value(line));
            if !self.was_read(line) || !receiver_has(name, value) || gone(name) {
                put_line(&mut text, name, value);
            }
        }
        Some(text)
    }

    /// The fields in the format of [`Fields::from_text`].
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(
            self.read
                .len()
                .saturating_add(self.added.len())
                .saturating_add(64),
        );
        for (name, value) in self.iter() {
            put_line(&mut text, name, value);
        }
        text
    }

    fn point(&mut self, name: usize, name_end: usize, value: usize, end: usize) {
        let offsets = (
            name.try_into(),
            name_end.try_into(),
            value.try_into(),
            end.try_into(),
        );
        if let (Ok(name), Ok(name_end), Ok(value), Ok(end)) = offsets {
            self.lines.push(Line {
                name,
                name_end,
                value,
                end,
            });
        }
    }

    fn piece(&self, start: u32, end: u32) -> &str {
        let (start, end) = (start as usize, end as usize);
        let read_bytes = self.read.len();
        let piece = match start.checked_sub(read_bytes) {
            Some(start) => self.added.get(start..end.saturating_sub(read_bytes)),
            None => self.read.get(start..end),
        };
        piece.unwrap_or_default()
    }

    fn was_read(&self, line: &Line) -> bool {
        line.end as usize <= self.read.len()
    }

    fn name(&self, line: &Line) -> &str {
        self.piece(line.name, line.name_end)
    }

    fn value(&self, line: &Line) -> &str {
        self.piece(line.value, line.end)
    }

    /// The first value of `name` (lower-case), if any.
    pub fn get(&self, name: &str) -> Option<&str> {
        let line = self.lines.iter().find(|line| self.name(line) == name)?;
        Some(self.value(line))
    }

    /// Whether there is a line of `name` (lower-case).
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All values of `name` (lower-case), in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter(move |line| self.name(line) == name)
            .map(|line| self.value(line))
    }

    /// All values of `name` (lower-case), joined by `, ` as RFC 9110 §5.3
    /// allows for list fields; `None` if the field is absent.
    pub fn joined(&self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        let mut joined = values.next()?.to_owned();
        for value in values {
            joined.push_str(", ");
            joined.push_str(value);
        }
        Some(joined)
    }

    /// Adds a line. Converts the name to lower case.
    pub fn add(&mut self, name: &str, value: impl AsRef<str>) {
        let read_bytes = self.read.len();
        let start = self.added.len();
        self.added.push_str(name);
        if let Some(added) = self.added.get_mut(start..) {
            added.make_ascii_lowercase();
        }
        let middle = self.added.len();
        self.added.push_str(value.as_ref());
        let at = |offset: usize| read_bytes.saturating_add(offset);
        let end = self.added.len();
        self.point(at(start), at(middle), at(middle), at(end));
    }

    /// Replaces all lines of `name` (lower-case) by one.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes all lines of `name` (lower-case).
    pub fn remove(&mut self, name: &str) {
        self.retain(|n, _| n != name);
    }

    /// Removes the lines for which `keep(name, value)` is false.
    pub fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        let mut lines = std::mem::take(&mut self.lines);
        let mut removed = std::mem::take(&mut self.removed);
        lines.retain(|line| {
            let keeps = keep(self.name(line), self.value(line));
            if !keeps && self.was_read(line) {
                removed.push(*line);
            }
            keeps
        });
        self.lines = lines;
        self.removed = removed;
    }

    /// All lines as (name, value), in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines
            .iter()
            .map(|line| (self.name(line), self.value(line)))
    }

    /// Whether no value is unreadable ([`is_unreadable`]).
    pub fn are_readable(&self) -> bool {
        // A fast test of both texts first. They still contain removed lines, but
        // few fields have such bytes.
        let suspicious = is_unreadable(&self.read) || is_unreadable(&self.added);
        !suspicious || !self.iter().any(|(_, value)| is_unreadable(value))
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The bytes of both texts in memory.
    pub fn bytes(&self) -> usize {
        self.read.len().saturating_add(self.added.len())
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Marks a removed field in [`Fields::changes`]. No field can have this value.
pub const REMOVED: &str = "\0";

fn put_line(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(name);
    text.push('\n');
    text.push_str(value);
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Fields {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(lines: T) -> Self {
        let mut fields = Self::new();
        for (name, value) in lines {
            fields.add(name.as_ref(), value);
        }
        fields
    }
}

/// Whether a value contains bytes that the runtime could not decode: it decodes
/// fields as UTF-8 and replaces anything else by U+FFFD. Such a value must not
/// count as equal to any value, not even to itself.
pub fn is_unreadable(value: &str) -> bool {
    value.contains('\u{fffd}')
}

/// Whether a field belongs to one connection and is never forwarded
/// (RFC 9110 §7.6.1; RFC 9111 §3.1 for `proxy-` fields).
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
    ) || name.starts_with("proxy-")
}

/// Removes the hop-by-hop fields and the fields that `Connection` names.
pub fn strip_hop_by_hop(fields: &mut Fields) {
    strip_hop_by_hop_but(fields, |_| false);
}

/// As [`strip_hop_by_hop`], but a field that `Connection` names stays if
/// `stays(name)` is true (lower-case name).
pub fn strip_hop_by_hop_but(fields: &mut Fields, stays: impl Fn(&str) -> bool) {
    let named: Vec<String> = fields
        .all("connection")
        .flat_map(super::list::members)
        .map(str::to_ascii_lowercase)
        .collect();
    let goes = |name: &str| named.iter().any(|n| n == name) && !stays(name);
    fields.retain(|name, _| !is_hop_by_hop(name) && !goes(name));
}
