//! Sitemaps: which pages they name, and when those changed (sitemaps.org,
//! "Sitemaps XML format"): `<urlset>`, `<sitemapindex>`, and texts with a URL
//! a line.
//!
//! Why isn't there an XML crate? A sitemap needs little of XML: elements whose
//! attributes do not matter, five entities, character references, CDATA and
//! comments. That is this file. What is not read makes the Worker no larger,
//! and cannot harm: no entity is expanded but those five.
//!
//! It reads bytes, once from front to back. What is broken ends it, and what
//! was read until then counts.

use std::fmt;

/// How many pages or sitemaps of one file count: the protocol's own limit.
pub const ENTRIES_MAX: usize = 50_000;

/// What a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sitemap {
    /// `<urlset>`, or a text.
    Pages(Vec<Entry>),
    /// `<sitemapindex>`
    Index(Vec<Entry>),
}

/// A page or a sitemap that a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The URL as it stands there.
    pub url: String,
    /// When it last changed: the 14 digits of `YYYYMMDDhhmmss` as a number; 0
    /// if that is not said. Time zones are left out: half a day does not
    /// matter to an order of pages.
    pub changed: u64,
}

/// Why a file is no sitemap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSitemap {
    /// It is compressed.
    Compressed,
    /// It begins with another element.
    Element(String),
    /// It is neither XML nor a list of URLs.
    Unknown,
}

impl fmt::Display for NotSitemap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compressed => f.write_str("it is compressed; name one that is served plain"),
            Self::Element(name) => write!(f, "it is no sitemap: it begins with <{name}>"),
            Self::Unknown => f.write_str("it is no sitemap: neither XML nor a URL a line"),
        }
    }
}

/// Reads a file.
pub fn read(bytes: &[u8]) -> Result<Sitemap, NotSitemap> {
    // RFC 1952 §2.3.1
    if bytes.starts_with(b"\x1f\x8b") {
        return Err(NotSitemap::Compressed);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = bytes.trim_ascii_start();
    match bytes.first() {
        Some(b'<') => read_xml(bytes),
        _ => read_text(bytes),
    }
}

fn read_text(bytes: &[u8]) -> Result<Sitemap, NotSitemap> {
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut lines = lines.map(<[u8]>::trim_ascii).filter(|l| !l.is_empty());
    let entry = |line: &[u8]| Entry {
        url: String::from_utf8_lossy(line).into_owned(),
        changed: 0,
    };
    let first = lines.next().ok_or(NotSitemap::Unknown)?;
    let scheme = first.get(..4).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"http") {
        return Err(NotSitemap::Unknown);
    }
    let all = [first].into_iter().chain(lines);
    Ok(Sitemap::Pages(all.take(ENTRIES_MAX).map(entry).collect()))
}

fn read_xml(bytes: &[u8]) -> Result<Sitemap, NotSitemap> {
    let mut pieces = Pieces(bytes);
    let root = pieces.find_map(|piece| match piece {
        Piece::Start(name, _) => Some(name),
        _ => None,
    });
    let root = root.ok_or(NotSitemap::Unknown)?;
    // The sitemap's own elements have the root's prefix; others may stand
    // between them (`<image:loc>`).
    let colon = root.iter().position(|byte| *byte == b':');
    let (prefix, local) = root.split_at(colon.map_or(0, |at| at.saturating_add(1)));
    let mut reader = Reader {
        prefix,
        item: b"url",
        ..Reader::default()
    };
    match local {
        b"urlset" => Ok(Sitemap::Pages(reader.read(pieces))),
        b"sitemapindex" => {
            reader.item = b"sitemap";
            Ok(Sitemap::Index(reader.read(pieces)))
        }
        _ => {
            // Enough to be known by.
            let start = root.get(..40).unwrap_or(root);
            Err(NotSitemap::Element(
                String::from_utf8_lossy(start).into_owned(),
            ))
        }
    }
}

/// A field of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Loc,
    Changed,
}

/// What has been read so far.
#[derive(Default)]
struct Reader<'a> {
    prefix: &'a [u8],
    item: &'a [u8],
    entries: Vec<Entry>,
    /// The field that the text belongs to.
    field: Option<Field>,
    text: Vec<u8>,
    url: Option<String>,
    changed: u64,
}

impl<'a> Reader<'a> {
    fn read(mut self, pieces: Pieces<'a>) -> Vec<Entry> {
        for piece in pieces {
            match piece {
                Piece::Start(name, false) => self.start(name),
                Piece::Start(..) => self.field = None,
                Piece::End(name) => self.end(name),
                Piece::Text(text) if self.field.is_some() => decode(text, &mut self.text),
                Piece::Raw(text) if self.field.is_some() => self.text.extend_from_slice(text),
                Piece::Text(_) | Piece::Raw(_) => {}
            }
            if self.entries.len() >= ENTRIES_MAX {
                return self.entries;
            }
        }
        self.flush();
        self.entries
    }

    fn start(&mut self, name: &[u8]) {
        self.field = None;
        let Some(name) = name.strip_prefix(self.prefix) else {
            return;
        };
        self.text.clear();
        match name {
            b"loc" => {
                if self.url.is_some() {
                    // Somebody left out what stands around it.
                    self.flush();
                }
                self.field = Some(Field::Loc);
            }
            b"lastmod" => self.field = Some(Field::Changed),
            name if name == self.item => self.flush(),
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        match (self.field.take(), name.strip_prefix(self.prefix)) {
            (Some(Field::Loc), Some(b"loc")) => {
                let url = String::from_utf8_lossy(self.text.trim_ascii());
                self.url = Some(url.into_owned());
            }
            (Some(Field::Changed), Some(b"lastmod")) => self.changed = time(&self.text),
            (_, Some(name)) if name == self.item => self.flush(),
            _ => {}
        }
    }

    fn flush(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        if let Some(url) = self.url.take().filter(|url| !url.is_empty()) {
            self.entries.push(Entry { url, changed });
        }
    }
}

/// A piece of XML.
enum Piece<'a> {
    /// `<name …>`, and whether it ends itself: `<name/>`.
    Start(&'a [u8], bool),
    /// `</name>`
    End(&'a [u8]),
    /// Text with entities.
    Text(&'a [u8]),
    /// CDATA.
    Raw(&'a [u8]),
}

/// The pieces of a text, without comments, declarations and instructions.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            let all = self.0;
            let Some(tag) = all.strip_prefix(b"<") else {
                let end = all.iter().position(|byte| *byte == b'<');
                let (text, rest) = all.split_at(end.unwrap_or(all.len()));
                self.0 = rest;
                return (!text.is_empty()).then_some(Piece::Text(text));
            };
            if let Some(comment) = tag.strip_prefix(b"!--") {
                self.0 = cut(comment, b"-->")?.1;
            } else if let Some(raw) = tag.strip_prefix(b"![CDATA[") {
                let (raw, rest) = cut(raw, b"]]>")?;
                self.0 = rest;
                return Some(Piece::Raw(raw));
            } else if let Some(instruction) = tag.strip_prefix(b"?") {
                self.0 = cut(instruction, b"?>")?.1;
            } else if let Some(declaration) = tag.strip_prefix(b"!") {
                // What stands in `<!DOCTYPE x [ … ]>` is skipped one by one.
                self.0 = cut(declaration, b">")?.1;
            } else if let Some(end) = tag.strip_prefix(b"/") {
                let (name, rest) = cut(end, b">")?;
                self.0 = rest;
                return Some(Piece::End(name.trim_ascii()));
            } else {
                let (inside, rest) = tag.split_at(tag_end(tag)?);
                self.0 = rest.get(1..)?;
                let end = inside.iter().position(|b| b.is_ascii_whitespace());
                let name = inside.get(..end.unwrap_or(inside.len()))?;
                let name = name.strip_suffix(b"/").unwrap_or(name);
                return Some(Piece::Start(name, inside.ends_with(b"/")));
            }
        }
    }
}

/// Where a start tag ends: at a `>` that stands in no attribute's value.
fn tag_end(tag: &[u8]) -> Option<usize> {
    let mut quote = None;
    tag.iter().position(|byte| {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        quote.is_none() && *byte == b'>'
    })
}

/// What stands before a mark, and behind it.
fn cut<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|part| part == mark)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(mark.len()..)?))
}

/// Adds a text whose entities and character references are resolved. Others
/// stay, and so does an `&` that somebody forgot to escape.
fn decode(text: &[u8], to: &mut Vec<u8>) {
    let mut parts = text.split(|byte| *byte == b'&');
    to.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.iter().position(|byte| *byte == b';');
        let meant = end.and_then(|end| {
            let meant = character(part.get(..end)?)?;
            Some((meant, part.get(end.saturating_add(1)..)?))
        });
        match meant {
            Some((meant, rest)) => {
                to.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
                to.extend_from_slice(rest);
            }
            None => {
                to.push(b'&');
                to.extend_from_slice(part);
            }
        }
    }
}

fn character(reference: &[u8]) -> Option<char> {
    let number = match reference {
        b"amp" => return Some('&'),
        b"lt" => return Some('<'),
        b"gt" => return Some('>'),
        b"quot" => return Some('"'),
        b"apos" => return Some('\''),
        [b'#', b'x', digits @ ..] => (digits, 16),
        [b'#', digits @ ..] => (digits, 10),
        _ => return None,
    };
    let (digits, base) = number;
    if digits.first() == Some(&b'+') {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    char::from_u32(u32::from_str_radix(digits, base).ok()?)
}

/// A W3C date (`YYYY`, `YYYY-MM`, … `YYYY-MM-DDThh:mm:ss.sTZD`) as
/// [`Entry::changed`]; 0 if it is none.
fn time(text: &[u8]) -> u64 {
    let text = text.trim_ascii();
    if !matches!(text.get(4), None | Some(b'-')) {
        return 0;
    }
    let (mut number, mut digits) = (0_u64, 0_u32);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 14 => {
                let digit = u64::from(byte.saturating_sub(b'0'));
                number = number.saturating_mul(10).saturating_add(digit);
                digits = digits.saturating_add(1);
            }
            b'-' if digits < 8 => {}
            b'T' | b't' | b':' | b' ' => {}
            // Parts of seconds, or the time zone.
            _ => break,
        }
    }
    match digits {
        0..4 => 0,
        _ => number.saturating_mul(10_u64.saturating_pow(14_u32.saturating_sub(digits))),
    }
}
