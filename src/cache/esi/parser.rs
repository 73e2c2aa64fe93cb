//! Parser of Edge Side Includes: decides whether a response is marked for ESI
//! (W3C Edge Architecture), and finds the tags in its body (a subset of W3C ESI
//! Language 1.0).
//!
//! | in a marked body | result |
//! |---|---|
//! | `<esi:include src="…" alt="…" onerror="continue"/>` | the fragment |
//! | `<esi:remove>…</esi:remove>` | removed |
//! | `<esi:comment text="…"/>` | removed |
//! | `<!--esi …-->` | its content, processed |
//! | `<!-- … -->` | unchanged, with all its content |
//! | everything else, also malformed tags | unchanged |
//!
//! The parser takes the body in pieces of any size. The output does not depend
//! on where the pieces were cut.

use crate::http::cache_control::CacheControl;
use crate::http::char_refs::decode;
use crate::http::fields::Fields;
use crate::http::list;

/// The response field that marks a body. Edgekeep removes it from a response
/// that it marks. Without a mark, or without a rule that enables ESI, the field
/// is forwarded like any other (RFC 9111 §3.1).
pub const CONTROL_FIELD: &str = "surrogate-control";

/// The request field that announces Edgekeep's capabilities to an origin.
pub const CAPABILITY_FIELD: &str = "surrogate-capability";

/// The value of [`CAPABILITY_FIELD`], sent under rules with `esi`.
pub const CAPABILITY: &str = "edgekeep=\"ESI/1.0\"";

/// The name by which an origin targets a directive at Edgekeep only.
const OUR_NAME: &str = "edgekeep";

/// The longest tag, in bytes: two URLs of 2,000 bytes, a length that browsers
/// and servers support. The parser holds back no more than this.
pub const TAG_BYTES_MAX: usize = 4096;

/// The greatest depth of fragments within fragments.
pub const DEPTH_MAX: u32 = 3;

/// The largest number of includes that a page may try; those in its fragments
/// and in `alt` count. On the free plan a request may make 50 requests to
/// origins and 50 calls of the Cache API. With the page itself, 33 of the
/// former are used if no fragment is stored and none is fetched twice, and 33
/// of the latter if all are stored.
pub const INCLUDES_MAX: u32 = 32;

/// Whether a body is marked for ESI: it is HTML, and `Surrogate-Control` has
/// the mark. In doubt it is not marked.
pub fn is_marked(fields: &Fields) -> bool {
    let kind = fields.get("content-type").unwrap_or_default();
    let kind = list::trim(kind.split(';').next().unwrap_or_default());
    let html = ["text/html", "application/xhtml+xml"];
    html.iter().any(|html| kind.eq_ignore_ascii_case(html)) && has_mark(fields)
}

/// Whether `Surrogate-Control` has `content="ESI/1.0"`, targeted at Edgekeep or
/// at all surrogates. A directive targeted at Edgekeep takes precedence.
pub fn has_mark(fields: &Fields) -> bool {
    let Some(control) = fields.joined(CONTROL_FIELD) else {
        return false;
    };
    let (mut to_all, mut to_us) = (None, None);
    for member in list::members(&control) {
        let mut pieces = list::split_outside_quotes(member, b';').map(list::trim);
        let directive = pieces.next().unwrap_or_default();
        let Some((name, value)) = directive.split_once('=') else {
            continue;
        };
        if !name.eq_ignore_ascii_case("content") {
            continue;
        }
        let target = match (pieces.next(), pieces.next()) {
            (None, _) => &mut to_all,
            (Some(name), None) if name == OUR_NAME => &mut to_us,
            // Targeted at another surrogate, or malformed; ignore.
            _ => continue,
        };
        let text = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        let named = text.is_some_and(|text| text.split(' ').any(|word| word == "ESI/1.0"));
        *target = Some(named && target.is_none());
    }
    to_us.or(to_all) == Some(true)
}

/// Whether the content of a marked body can be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Not encoded: parsed as it is.
    Identity,
    /// Parsed after decompression.
    Gzip,
    /// Cannot be parsed.
    Other,
}

impl Coding {
    /// Returns a word for logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Other => "unknown",
        }
    }

    /// Returns the coding of a response. It should be `Identity`, which the
    /// request to the origin asks for.
    pub fn of(fields: &Fields) -> Self {
        let Some(value) = fields.joined("content-encoding") else {
            return Self::Identity;
        };
        // `x-gzip` is gzip (RFC 9110 §8.4.1.3).
        let is = |name: &str, of: &[&str]| of.iter().any(|one| name.eq_ignore_ascii_case(one));
        let mut names = list::members(&value).filter(|name| !is(name, &["identity"]));
        match (names.next(), names.next()) {
            (None, _) if list::members(&value).next().is_some() => Self::Identity,
            (Some(name), None) if is(name, &["gzip", "x-gzip"]) => Self::Gzip,
            _ => Self::Other,
        }
    }
}

/// Changes the head of a stored page into the head of the page assembled with
/// its fragments.
///
/// Validators, digests and age describe the stored body only, so they are
/// removed. So is its lifetime, because a fragment may be personal to one
/// client. Browsers revalidate each time, or keep the page for `browser_ttl` if
/// a rule says so and the page itself does not forbid it. Other caches never
/// store it. `no-store` of the page is kept; `no-store` of a fragment comes too
/// late.
pub fn set_assembled_head(fields: &mut Fields, browser_ttl: Option<u64>) {
    const OF_THE_BODY: [&str; 12] = [
        CONTROL_FIELD,
        "etag",
        "last-modified",
        "accept-ranges",
        "content-length",
        "content-encoding",
        "content-md5",
        "content-digest",
        "repr-digest",
        "digest",
        "age",
        "expires",
    ];
    let own = CacheControl::of(fields);
    let open = !own.private && !own.no_cache;
    // `CDN-Cache-Control` and similar fields are for other caches in front of
    // Edgekeep.
    fields.retain(|name, _| !OF_THE_BODY.contains(&name) && !name.ends_with("cache-control"));
    let control = match browser_ttl.filter(|_| open) {
        _ if own.no_store => "private, no-store".to_owned(),
        None => "private, no-cache".to_owned(),
        Some(seconds) => format!("private, max-age={seconds}"),
    };
    fields.add("cache-control", control);
}

/// A piece of a parsed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes to send unchanged.
    Text(Vec<u8>),
    /// A fragment to insert.
    Include(Include),
}

/// An `<esi:include>` tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Include {
    /// URL of the fragment; empty if the tag has none.
    pub src: String,
    /// URL of the alternative, used if `src` fails.
    pub alt: Option<String>,
    /// `onerror="continue"`: the page is complete without the fragment.
    pub may_fail: bool,
}

/// A streaming ESI parser.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    /// Bytes that are, or may become, part of a tag.
    held: Vec<u8>,
    /// Whether the parser is within `<!--esi`.
    open: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Text,
    /// At the start of a tag or comment.
    Opening,
    /// Within `<esi:…` or `</esi:…`; holds the quote character if within
    /// quotes.
    Tag(Option<u8>),
    /// Within a comment; holds the number of hyphens in a row so far, at most
    /// two.
    Comment(u8),
    /// At hyphens within `<!--esi`, which may be its end.
    Hyphens,
    /// Within `<esi:remove>`; holds how many bytes of its end tag have matched.
    Remove(usize),
}

const TAGS: [&[u8]; 2] = [b"<esi:", b"</esi:"];
const COMMENT: &[u8] = b"<!--";
const ESI_COMMENT: &[u8] = b"<!--esi";
const REMOVE_END: &[u8] = b"</esi:remove";

impl Parser {
    /// Parses the next bytes of the body.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut out = Out::default();
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let taken = match self.state {
                State::Text => self.text(rest, &mut out),
                State::Opening => self.opening(*first, &mut out),
                State::Tag(quote) => self.tag(*first, quote, &mut out),
                State::Comment(hyphens) => self.comment(rest, hyphens, &mut out),
                State::Hyphens => self.hyphens(*first, &mut out),
                State::Remove(matched) => self.remove(rest, matched),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        out.0
    }

    /// Ends the body: bytes held back are text.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut out = Out::default();
        self.give_up(&mut out);
        out.0
    }

    /// Whether `<esi:remove>` or `<!--esi` is not closed.
    pub fn is_unclosed(&self) -> bool {
        self.open || matches!(self.state, State::Remove(_))
    }

    /// Passes text up to the next byte that may begin a tag or comment.
    fn text(&mut self, rest: &[u8], out: &mut Out) -> usize {
        let begins = |byte: &u8| *byte == b'<' || (*byte == b'-' && self.open);
        let end = rest.iter().position(begins).unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        out.text(text);
        let Some(byte) = after.first() else {
            return end;
        };
        self.held.push(*byte);
        self.state = match byte {
            b'<' => State::Opening,
            _ => State::Hyphens,
        };
        end.saturating_add(1)
    }

    fn opening(&mut self, byte: u8, out: &mut Out) -> usize {
        if self.held == ESI_COMMENT && (byte == b'<' || byte.is_ascii_whitespace()) {
            self.held.clear();
            self.open = true;
            self.state = State::Text;
            return 0;
        }
        self.held.push(byte);
        if TAGS.iter().any(|tag| *tag == self.held) {
            self.state = State::Tag(None);
            return 1;
        }
        // Comments do not nest: within `<!--esi`, the next end closes it.
        let comment = ESI_COMMENT.starts_with(&self.held) && !self.open;
        if comment || TAGS.iter().any(|tag| tag.starts_with(&self.held)) {
            return 1;
        }
        self.held.pop();
        if self.held.starts_with(COMMENT) && !self.open {
            // `<!-->` is a whole comment (HTML §13.2.5.43).
            let hyphens = if self.held == COMMENT { 2 } else { 0 };
            self.give_up(out);
            self.state = State::Comment(hyphens);
        } else {
            self.give_up(out);
        }
        0
    }

    fn tag(&mut self, byte: u8, quote: Option<u8>, out: &mut Out) -> usize {
        // A tag contains no `<`, not even in quotes (XML 1.0 §3.1).
        if byte == b'<' || self.held.len() >= TAG_BYTES_MAX {
            self.give_up(out);
            return 0;
        }
        self.held.push(byte);
        self.state = State::Tag(match (quote, byte) {
            (None, b'"' | b'\'') => Some(byte),
            (Some(open), _) if open == byte => None,
            _ => quote,
        });
        if byte == b'>' && quote.is_none() {
            self.whole_tag(out);
        }
        1
    }

    fn whole_tag(&mut self, out: &mut Out) {
        self.state = State::Text;
        match std::str::from_utf8(&self.held).map_or(Tag::Unknown, read_tag) {
            Tag::Include(include) => out.0.push(Piece::Include(include)),
            Tag::Remove => self.state = State::Remove(0),
            Tag::Nothing => {}
            Tag::Unknown => out.text(&self.held),
        }
        self.held.clear();
    }

    /// Passes a comment up to its end, unchanged.
    fn comment(&mut self, rest: &[u8], hyphens: u8, out: &mut Out) -> usize {
        let mut hyphens = hyphens;
        let end = rest.iter().position(|byte| {
            let ends = *byte == b'>' && hyphens == 2;
            hyphens = match byte {
                b'-' => hyphens.saturating_add(1).min(2),
                _ => 0,
            };
            ends
        });
        let taken = end.map_or(rest.len(), |end| end.saturating_add(1));
        out.text(rest.get(..taken).unwrap_or_default());
        self.state = match end {
            Some(_) => State::Text,
            None => State::Comment(hyphens),
        };
        taken
    }

    fn hyphens(&mut self, byte: u8, out: &mut Out) -> usize {
        match (self.held.len(), byte) {
            (1, b'-') => self.held.push(byte),
            // Of three or more hyphens, the last two count.
            (_, b'-') => out.text(b"-"),
            (2, b'>') => {
                self.held.clear();
                self.open = false;
                self.state = State::Text;
            }
            _ => {
                self.give_up(out);
                return 0;
            }
        }
        1
    }

    /// Drops bytes up to and including `</esi:remove>`.
    fn remove(&mut self, rest: &[u8], matched: usize) -> usize {
        let mut matched = matched;
        for (at, byte) in rest.iter().enumerate() {
            matched = match REMOVE_END.get(matched) {
                Some(wanted) if wanted == byte => matched.saturating_add(1),
                None if *byte == b'>' => {
                    self.state = State::Text;
                    return at.saturating_add(1);
                }
                None if byte.is_ascii_whitespace() => matched,
                // The end tag contains only one `<`, its first byte.
                _ => usize::from(*byte == b'<'),
            };
        }
        self.state = State::Remove(matched);
        rest.len()
    }

    /// Emits the held bytes as text.
    fn give_up(&mut self, out: &mut Out) {
        out.text(&self.held);
        self.held.clear();
        if !matches!(self.state, State::Remove(_)) {
            self.state = State::Text;
        }
    }
}

/// Output pieces; adjacent texts are merged.
#[derive(Default)]
struct Out(Vec<Piece>);

impl Out {
    fn text(&mut self, bytes: &[u8]) {
        match self.0.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Piece::Text(text)) => text.extend_from_slice(bytes),
            _ => self.0.push(Piece::Text(bytes.to_vec())),
        }
    }
}

enum Tag {
    Include(Include),
    Remove,
    /// A tag that produces no output.
    Nothing,
    /// Not a supported tag.
    Unknown,
}

/// Parses `<esi:…>` or `</esi:…>`.
fn read_tag(tag: &str) -> Tag {
    let inner = tag.strip_prefix('<').and_then(|tag| tag.strip_suffix('>'));
    let inner = inner.unwrap_or_default();
    let (closed, inner) = match inner.strip_suffix('/') {
        Some(inner) => (true, inner),
        None => (false, inner),
    };
    let (name, attributes) = inner
        .split_once(|c: char| c.is_ascii_whitespace())
        .unwrap_or((inner, ""));
    match name {
        "esi:include" => Tag::Include(read_include(attributes)),
        "esi:remove" if !closed => Tag::Remove,
        "esi:remove" | "esi:comment" | "/esi:include" | "/esi:remove" | "/esi:comment" => {
            Tag::Nothing
        }
        _ => Tag::Unknown,
    }
}

/// Parses attributes (XML 1.0 §3.1; for values without quotes, which end at
/// whitespace, HTML §13.1.2.3). The first attribute of a name counts. Character
/// references in values are resolved.
fn read_include(attributes: &str) -> Include {
    let (mut src, mut alt, mut onerror) = (None, None, None);
    let mut rest = attributes;
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                match after.get(1..).and_then(|text| text.split_once(quote)) {
                    Some(found) => found,
                    None => break,
                }
            }
            _ => after
                .split_once(|c: char| c.is_ascii_whitespace())
                .unwrap_or((after, "")),
        };
        // An attribute without a value may precede it.
        let place = match name
            .split_ascii_whitespace()
            .next_back()
            .unwrap_or_default()
        {
            "src" => &mut src,
            "alt" => &mut alt,
            "onerror" => &mut onerror,
            _ => &mut None,
        };
        place.get_or_insert_with(|| decode(value.trim()));
        rest = next;
    }
    Include {
        src: src.unwrap_or_default(),
        alt,
        may_fail: onerror.as_deref() == Some("continue"),
    }
}
