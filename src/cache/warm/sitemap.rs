//! Sitemap reader: returns the pages that a sitemap lists, and when they
//! changed (sitemaps.org, "Sitemaps XML format"). Supports `<urlset>`,
//! `<sitemapindex>`, and text files with one URL a line.
//!
//! The crate `quick-xml` reads the XML in one pass; end tags need not match.
//! Parsing stops at the first error; earlier entries are kept. Only the
//! entities of `http::char_refs` are expanded.

use crate::http::char_refs::resolve;
use quick_xml::Reader as XmlReader;
use quick_xml::events::{BytesRef, Event};
use thiserror::Error;

/// The largest number of pages or sitemaps that are read from one file: the
/// limit of the sitemap protocol.
pub const ENTRIES_MAX: usize = 50_000;

/// The content of a sitemap file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sitemap {
    /// `<urlset>`, or a text file.
    Pages(Vec<SitemapUrl>),
    /// `<sitemapindex>`
    Index(Vec<SitemapUrl>),
}

/// A page or sitemap that a file lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitemapUrl {
    /// The URL as written in the file.
    pub url: String,
    /// When it last changed: the 14 digits of `YYYYMMDDhhmmss` as a number; 0
    /// if unknown. Time zones are ignored: half a day does not matter for
    /// sorting pages.
    pub changed: u64,
}

/// Why a file is not a sitemap.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotSitemap {
    /// It is compressed.
    #[error("it is compressed; name one that is served plain")]
    Compressed,
    /// Its root element is another one.
    #[error("it is no sitemap: it begins with <{0}>")]
    Element(String),
    /// It is neither XML nor a list of URLs.
    #[error("it is no sitemap: neither XML nor a URL a line")]
    Unknown,
}

/// Parses a sitemap file.
pub fn read(bytes: &[u8]) -> Result<Sitemap, NotSitemap> {
    // RFC 1952 §2.3.1
    if bytes.starts_with(b"\x1f\x8b") {
        return Err(NotSitemap::Compressed);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = bytes.trim_ascii_start();
    match bytes.first() {
        Some(b'<') => read_xml(&String::from_utf8_lossy(bytes)),
        _ => read_text(bytes),
    }
}

fn read_text(bytes: &[u8]) -> Result<Sitemap, NotSitemap> {
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut lines = lines.map(<[u8]>::trim_ascii).filter(|l| !l.is_empty());
    let entry = |line: &[u8]| SitemapUrl {
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

fn read_xml(text: &str) -> Result<Sitemap, NotSitemap> {
    let mut xml = XmlReader::from_str(text);
    let config = xml.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let root = loop {
        match xml.read_event() {
            Ok(Event::Start(root) | Event::Empty(root)) => break root,
            Ok(Event::Eof) | Err(_) => return Err(NotSitemap::Unknown),
            Ok(_) => {}
        }
    };
    let name = root.name();
    // Elements of the sitemap have the root's prefix. Elements of other
    // namespaces may stand between them (`<image:loc>`).
    let local = name.local_name().into_inner();
    let prefix = name.into_inner().strip_suffix(local).unwrap_or_default();
    let mut reader = Reader {
        prefix,
        item: "url",
        ..Reader::default()
    };
    match local {
        "urlset" => Ok(Sitemap::Pages(reader.read(xml))),
        "sitemapindex" => {
            reader.item = "sitemap";
            Ok(Sitemap::Index(reader.read(xml)))
        }
        // 40 characters are enough to recognize the element.
        _ => Err(NotSitemap::Element(
            name.into_inner().chars().take(40).collect(),
        )),
    }
}

/// A field of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Loc,
    Changed,
}

/// State of the XML reader.
#[derive(Default)]
struct Reader<'a> {
    prefix: &'a str,
    item: &'a str,
    entries: Vec<SitemapUrl>,
    /// The field that the current text belongs to.
    field: Option<Field>,
    text: String,
    url: Option<String>,
    changed: u64,
}

impl Reader<'_> {
    fn read(mut self, mut xml: XmlReader<&[u8]>) -> Vec<SitemapUrl> {
        while self.entries.len() < ENTRIES_MAX {
            match xml.read_event() {
                Ok(Event::Start(tag)) => self.start(tag.name().into_inner()),
                Ok(Event::Empty(_)) => self.field = None,
                Ok(Event::End(tag)) => self.end(tag.name().into_inner()),
                Ok(Event::Text(text)) if self.field.is_some() => self.text.push_str(&text),
                Ok(Event::CData(text)) if self.field.is_some() => self.text.push_str(&text),
                Ok(Event::GeneralRef(name)) if self.field.is_some() => self.refer(&name),
                Ok(Event::Eof) | Err(_) => {
                    self.flush();
                    break;
                }
                Ok(_) => {}
            }
        }
        self.entries
    }

    fn start(&mut self, name: &str) {
        self.field = None;
        let Some(name) = name.strip_prefix(self.prefix) else {
            return;
        };
        self.text.clear();
        match name {
            "loc" => {
                if self.url.is_some() {
                    // The element around the previous entry is missing.
                    self.flush();
                }
                self.field = Some(Field::Loc);
            }
            "lastmod" => self.field = Some(Field::Changed),
            name if name == self.item => self.flush(),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match (self.field.take(), name.strip_prefix(self.prefix)) {
            (Some(Field::Loc), Some("loc")) => {
                self.url = Some(self.text.trim_ascii().to_owned());
            }
            (Some(Field::Changed), Some("lastmod")) => self.changed = time(self.text.as_bytes()),
            (_, Some(name)) if name == self.item => self.flush(),
            _ => {}
        }
    }

    /// Appends the character that an entity or character reference stands for.
    /// Unknown references are kept as text.
    fn refer(&mut self, reference: &BytesRef<'_>) {
        match resolve(reference) {
            Some(character) => self.text.push(character),
            None => self.text.extend(["&", reference, ";"]),
        }
    }

    fn flush(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        if let Some(url) = self.url.take().filter(|url| !url.is_empty()) {
            self.entries.push(SitemapUrl { url, changed });
        }
    }
}

/// Parses a W3C date (`YYYY`, `YYYY-MM`, … `YYYY-MM-DDThh:mm:ss.sTZD`) into the
/// form of [`SitemapUrl::changed`]; returns 0 if it is not a date.
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
            // Fractions of a second, or the time zone.
            _ => break,
        }
    }
    match digits {
        0..4 => 0,
        _ => number.saturating_mul(10_u64.saturating_pow(14_u32.saturating_sub(digits))),
    }
}
