//! Errors for callers of Edgekeep's own paths: `application/problem+json`
//! (RFC 9457).

use super::reply::{Answer, Content};
use crate::http::fields::Fields;
use crate::http::json::Json;

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
        let mut body = vec![
            ("type".to_owned(), "about:blank".into()),
            ("title".to_owned(), self.title.into()),
            ("status".to_owned(), u64::from(self.status).into()),
            ("detail".to_owned(), (&self.detail).into()),
        ];
        if !self.errors.is_empty() {
            body.push(("errors".to_owned(), errors_json(&self.errors)));
        }
        let body = Json::Table(body);
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

/// Parts of an order that are wrong, as JSON.
pub fn errors_json(errors: &[(String, String)]) -> Json {
    Json::list(
        errors
            .iter()
            .map(|(path, detail)| Json::table([("path", path.into()), ("detail", detail.into())])),
    )
}
