//! Errors for callers of Edgekeep's own paths: `application/problem+json`
//! (RFC 9457).

use super::reply::{Answer, Content};
use crate::http::fields::Fields;
use serde_json::json;

/// A problem with a request to Edgekeep itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Status code.
    pub status: u16,
    /// What kind of problem, in a few words that do not change.
    pub title: &'static str,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// For 422 and 403: which parts of the order are wrong, each with its path.
    pub errors: Vec<(String, String)>,
    /// `Allow` for 405, `Retry-After` for 503.
    pub field: Option<(&'static str, &'static str)>,
}

impl Problem {
    /// A problem without further parts.
    pub fn new(status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            field: None,
        }
    }

    /// With a header field.
    pub fn with_field(mut self, name: &'static str, value: &'static str) -> Self {
        self.field = Some((name, value));
        self
    }

    /// What is wrong, part by part.
    pub fn parts(&self) -> Vec<String> {
        match self.errors.as_slice() {
            [] => vec![self.detail.clone()],
            errors => errors
                .iter()
                .map(|(path, detail)| format!("{path}: {detail}"))
                .collect(),
        }
    }

    /// A line for the log, with the first parts.
    pub fn note(&self) -> String {
        const SHOWN: usize = 10;
        let mut parts = self.parts();
        parts.truncate(SHOWN);
        format!("{}: {}", self.title, parts.join("; "))
    }

    /// The answer that says so.
    pub fn answer<B>(&self) -> Answer<B> {
        let mut body = json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        });
        if !self.errors.is_empty()
            && let Some(object) = body.as_object_mut()
        {
            let errors: Vec<_> = self
                .errors
                .iter()
                .map(|(path, detail)| json!({ "path": path, "detail": detail }))
                .collect();
            object.insert("errors".to_owned(), errors.into());
        }
        let mut fields = Fields::new();
        fields.add("content-type", "application/problem+json");
        fields.add("cache-control", "no-store");
        if let Some((name, value)) = self.field {
            fields.add(name, value);
        }
        Answer {
            status: self.status,
            fields,
            content: Content::Text(format!("{body}\n")),
            length: None,
        }
    }
}
