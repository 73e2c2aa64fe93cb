//! Errors for callers of Edgekeep's own paths: `application/problem+json`
//! (RFC 9457).

use super::reply::{Answer, Content};
use crate::cache::purge::order::Refusal;
use crate::http::fields::Fields;
use crate::http::json_object::print;
use serde::{Serialize, Serializer};

/// A problem with a request to one of Edgekeep's own endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Status code.
    pub status: u16,
    /// The kind of problem, in a few fixed words.
    pub title: &'static str,
    /// What is wrong with this request, and how to correct it.
    pub detail: String,
    /// For 422 and 403: the parts of the order that are wrong, each with its
    /// path.
    pub errors: Vec<Refusal>,
    /// `Allow` for 405, `Retry-After` for 503, with its value.
    pub field: Option<(&'static str, &'static str)>,
}

impl Problem {
    /// A problem without part errors or an extra field.
    pub fn new(status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            field: None,
        }
    }

    /// Adds a header field to the response.
    pub fn with_field(mut self, name: &'static str, value: &'static str) -> Self {
        self.field = Some((name, value));
        self
    }

    /// The descriptions of the wrong parts, or the detail if there are none.
    pub fn parts(&self) -> Vec<String> {
        match self.errors.as_slice() {
            [] => vec![self.detail.clone()],
            errors => errors
                .iter()
                .map(|(path, detail)| format!("{path}: {detail}"))
                .collect(),
        }
    }

    /// A line for the log, with at most ten parts.
    pub fn summary(&self) -> String {
        const SHOWN: usize = 10;
        let mut parts = self.parts();
        parts.truncate(SHOWN);
        format!("{}: {}", self.title, parts.join("; "))
    }

    /// The response that reports the problem.
    pub fn answer<B>(&self) -> Answer<B> {
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.title,
            status: self.status,
            detail: &self.detail,
            errors: PartErrors(&self.errors),
        };
        let mut fields = Fields::new();
        fields.add("content-type", "application/problem+json");
        fields.add("cache-control", "no-store");
        if let Some((name, value)) = self.field {
            fields.add(name, value);
        }
        Answer {
            status: self.status,
            fields,
            content: Content::Text(print(&body) + "\n"),
            length: None,
        }
    }
}

/// The members of RFC 9457 §3.1, and `errors` as an extension (§3.2).
#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "PartErrors::is_empty")]
    errors: PartErrors<'a>,
}

/// The parts of an order that are wrong, as a JSON list of objects with `path`
/// and `detail`.
pub struct PartErrors<'a>(pub &'a [Refusal]);

impl PartErrors<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for PartErrors<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct PartError<'a> {
            path: &'a str,
            detail: &'a str,
        }
        let errors = self.0.iter();
        to.collect_seq(errors.map(|(path, detail)| PartError { path, detail }))
    }
}
