//! Responses to clients: their parts, and how a stored entry becomes one.

use crate::cache::esi::parser;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::partial_content::Part;
use crate::cache::policy::reuse::Age;
use crate::cache::policy::storability::for_clients;
use crate::cache::request::classify::Lookup;
use crate::http::cache_control::{CacheControl, withheld};
use crate::http::conditional;
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;
use crate::http::range::{self, ByteRange, Ranges};

/// A response to a client.
#[derive(Debug)]
pub struct Answer<B> {
    /// Status code.
    pub status: u16,
    /// Header fields, without `Content-Length`.
    pub fields: Fields,
    /// The body.
    pub content: Content<B>,
    /// Length of a streamed body, if known.
    pub length: Option<u64>,
}

impl<B> Answer<B> {
    /// The length of the body that is sent, if it is known.
    pub fn body_bytes(&self) -> Option<u64> {
        match &self.content {
            Content::Empty => Some(0),
            Content::Text(text) => u64::try_from(text.len()).ok(),
            Content::Body(_) => self.length,
            Content::Parts(_, pieces) => Some(BodyPiece::length_of(pieces)),
        }
    }
}

/// A body for a client.
#[derive(Debug)]
pub enum Content<B> {
    /// No body.
    Empty,
    /// A text of our own.
    Text(String),
    /// The origin's body, streamed.
    Body(B),
    /// Parts of the origin's body, with our own text between them.
    Parts(B, Vec<BodyPiece>),
}

/// A piece of a body that is made of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyPiece {
    /// A text of our own.
    Text(String),
    /// A range of the origin's body. Ranges ascend, because a stream is read
    /// once.
    Bytes(ByteRange),
}

impl BodyPiece {
    /// The total length of the pieces, in bytes.
    pub fn length_of(pieces: &[Self]) -> u64 {
        pieces
            .iter()
            .fold(0, |sum: u64, piece| sum.saturating_add(piece.length()))
    }

    /// The length of the piece, in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Bytes(range) => range.length(),
        }
    }
}

/// Whether a client waits for the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// A client waits.
    Waiting,
    /// No client waits: a refresh in the background.
    None,
}

/// The head of a response from an entry, before the body is added.
pub struct AnswerHead {
    status: u16,
    /// Header fields.
    pub fields: Fields,
    length: Option<u64>,
    /// The pieces of the body that the client gets; `None` means all of it.
    pieces: Option<Vec<BodyPiece>>,
    /// Whether the client gets a body.
    pub sends_body: bool,
}

impl AnswerHead {
    /// The complete response with this body.
    pub fn with<B>(self, body: Option<B>) -> Answer<B> {
        // A length describes a body that is sent, or the one that HEAD leaves
        // out.
        let sends_length = body.is_some() || !self.sends_body;
        Answer {
            status: self.status,
            fields: self.fields,
            length: self.length.filter(|_| sends_length),
            content: match (body.filter(|_| self.sends_body), self.pieces) {
                (None, _) => Content::Empty,
                (Some(body), None) => Content::Body(body),
                (Some(body), Some(pieces)) => Content::Parts(body, pieces),
            },
        }
    }
}

/// The head of the client's response from a stored entry. It applies the
/// client's conditions, its method, its `Range`, and the age of the entry.
pub fn from_entry(entry: &Entry, lookup: &Lookup, client: Client, age: Age) -> AnswerHead {
    let mut fields = entry.fields.clone();
    let control = CacheControl::of(&fields);
    let shared = !control.private && !control.no_store && !fields.has("set-cookie");
    let browser_ttl = lookup.rule.browser_ttl;
    let may_differ = shared && !entry.by_credentials && entry.status < 400;
    if let Some(seconds) = browser_ttl.filter(|_| may_differ) {
        // Browsers subtract Age from max-age. Adding it here leaves them the
        // whole TTL.
        let max_age = seconds.saturating_add(age.age);
        fields.remove("expires");
        let immutable = if lookup.rule.immutable {
            ", immutable"
        } else {
            ""
        };
        fields.set("cache-control", format!("max-age={max_age}{immutable}"));
    }
    fields.set("age", age.age.to_string());
    // A page made of fragments has no validator for clients, and no ranges.
    let template = lookup.rule.esi && parser::is_marked(&entry.fields);
    // RFC 9110 §13.2.1: conditions apply only if the response would be a
    // success.
    let success = (200..300).contains(&entry.status);
    if client == Client::Waiting
        && success
        && !template
        && conditional::not_modified(&lookup.client, &entry.fields)
    {
        return AnswerHead {
            status: 304,
            fields: strip_representation_headers(fields),
            length: None,
            pieces: None,
            sends_body: false,
        };
    }
    let head = AnswerHead {
        status: entry.status,
        fields,
        length: entry.length,
        pieces: None,
        sends_body: client == Client::Waiting && !lookup.head_only,
    };
    match template {
        true => head,
        false => apply_range(head, entry, lookup),
    }
}

/// Adds the fields that may not be stored, for the client whose request
/// produced the response.
pub fn with_withheld<B>(mut answer: Answer<B>, head: &ResponseHead, received_ms: u64) -> Answer<B> {
    let fields = for_clients(&head.fields, received_ms);
    for name in withheld(&head.fields) {
        if !answer.fields.has(&name) {
            for value in fields.all(&name) {
                answer.fields.add(&name, value);
            }
        }
    }
    answer
}

/// Applies the request's `Range` (RFC 9110 §14.2), if there is one and the
/// length of the body is known. A stored part serves ranges within itself.
fn apply_range(mut head: AnswerHead, entry: &Entry, lookup: &Lookup) -> AnswerHead {
    let (held, total) = match (entry.status, entry.length) {
        (200, Some(length)) => (None, length),
        (206, _) => match Part::of(&entry.fields) {
            Some(part) => (Some(part), part.total),
            None => return head,
        },
        _ => return head,
    };
    let Some(wanted) = lookup.range.as_deref().filter(|_| head.sends_body) else {
        return head;
    };
    if !range::if_range_holds(&lookup.client, &entry.fields) {
        return head;
    }
    match (range::resolve(wanted, total), held) {
        (Ranges::Parts(_), Some(part)) => {
            if let Some(one) = part.answers(wanted) {
                head.fields.set("content-range", content_range(one, total));
                let start = part.range.first;
                set_pieces(&mut head, vec![BodyPiece::Bytes(one.from(start))]);
            }
        }
        // A multipart body of parts of an encoded body could not be decoded.
        (Ranges::Parts(parts), None) if parts.len() > 1 && head.fields.has("content-encoding") => {}
        (Ranges::Parts(parts), None) => {
            head.status = 206;
            let pieces = match parts.as_slice() {
                [one] => {
                    head.fields.set("content-range", content_range(*one, total));
                    vec![BodyPiece::Bytes(*one)]
                }
                several => multipart(several, total, &mut head.fields),
            };
            set_pieces(&mut head, pieces);
        }
        (Ranges::Unsatisfiable, None) => {
            head.status = 416;
            head.fields = strip_representation_headers(head.fields);
            head.fields.set("content-range", format!("bytes */{total}"));
            head.length = Some(0);
            head.sends_body = false;
        }
        (Ranges::Whole | Ranges::Unsatisfiable, _) => {}
    }
    head
}

fn set_pieces(head: &mut AnswerHead, pieces: Vec<BodyPiece>) {
    head.length = Some(BodyPiece::length_of(&pieces));
    head.pieces = Some(pieces);
}

fn content_range(part: ByteRange, length: u64) -> String {
    format!("bytes {}-{}/{length}", part.first, part.last)
}

/// Sets the fields of multipart/byteranges and returns its pieces (RFC 9110
/// §14.6).
fn multipart(parts: &[ByteRange], length: u64, fields: &mut Fields) -> Vec<BodyPiece> {
    // A fixed boundary is safe even if the body contains it: clients find the
    // parts by their lengths.
    const BOUNDARY: &str = "edgekeep-part-4f6c2d9e7b";
    let kind = fields.get("content-type").map(str::to_owned);
    let kind = kind.map_or(String::new(), |kind| format!("Content-Type: {kind}\r\n"));
    fields.set(
        "content-type",
        format!("multipart/byteranges; boundary={BOUNDARY}"),
    );
    let mut pieces = Vec::new();
    for part in parts {
        let range = content_range(*part, length);
        let head = format!("\r\n--{BOUNDARY}\r\n{kind}Content-Range: {range}\r\n\r\n");
        pieces.push(BodyPiece::Text(head));
        pieces.push(BodyPiece::Bytes(*part));
    }
    pieces.push(BodyPiece::Text(format!("\r\n--{BOUNDARY}--\r\n")));
    pieces
}

/// Removes the fields that describe the body, which a 304 does not carry (RFC
/// 9110 §15.4.5).
pub(crate) fn strip_representation_headers(mut fields: Fields) -> Fields {
    fields.retain(|name, _| {
        !matches!(
            name,
            "content-type" | "content-encoding" | "content-language" | "content-range"
        )
    });
    fields
}
