//! The Worker's answers: JSON, or a problem (RFC 9457).

use crate::cache::origin::circuit_breaker;
use crate::cli::output::plain;
use crate::flow::purge::signature::TOLERANCE_SECONDS;
use crate::http::date;
use crate::http::fields::Fields;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// The response to a request.
#[derive(Clone, Debug, Default)]
pub struct SiteReply {
    /// The status code.
    pub status: u16,
    /// The fields.
    pub fields: Fields,
    /// The body.
    pub body: Vec<u8>,
}

/// A request that was answered by a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RefusedReply {
    /// The status code.
    pub status: u16,
    /// The kind of problem.
    pub title: String,
    /// What is wrong.
    pub detail: String,
    /// The parts that are wrong, each with its path.
    pub errors: Vec<(String, String)>,
    /// What to do, beside the detail.
    pub hint: Option<String>,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct ProblemBody {
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<PartError>,
}

/// A wrong part.
#[derive(Deserialize)]
struct PartError {
    path: String,
    detail: String,
}

impl SiteReply {
    /// The JSON of a success, or the refusal. `now_ms` is this computer's time.
    pub fn json(&self, now_ms: u64) -> Result<Value, RefusedReply> {
        if self.status == 200
            && let Ok(value) = serde_json::from_slice::<Value>(&self.body)
            && value.is_object()
        {
            return Ok(value);
        }
        Err(self.refusal(now_ms))
    }

    /// The pause that `Retry-After` asks for, in milliseconds.
    pub fn retry_after_ms(&self, now_ms: u64) -> Option<u64> {
        let now_ms = self
            .date_seconds()
            .map_or(now_ms, |s| s.saturating_mul(1000));
        circuit_breaker::retry_after_ms(&self.fields, now_ms)
    }

    /// The server's time in seconds since 1970, if it sends one.
    pub fn date_seconds(&self) -> Option<u64> {
        date::parse(self.fields.get("date")?)
    }

    fn refusal(&self, now_ms: u64) -> RefusedReply {
        let kind = self.fields.get("content-type").unwrap_or("no type");
        let Ok(body) = serde_json::from_slice::<ProblemBody>(&self.body) else {
            let detail = match self.fields.get("location") {
                Some(to) => format!("the site leads to {}: name that one by --site", plain(to)),
                None => format!(
                    "this is no answer of Edgekeep ({}): see that its route covers this host",
                    plain(kind)
                ),
            };
            return RefusedReply {
                status: self.status,
                title: "Unexpected answer".to_owned(),
                detail,
                errors: Vec::new(),
                hint: None,
            };
        };
        let errors = body.errors.iter();
        RefusedReply {
            status: self.status,
            title: plain(&body.title),
            detail: plain(&body.detail),
            errors: errors
                .map(|error| (plain(&error.path), plain(&error.detail)))
                .collect(),
            hint: self.hint(now_ms),
        }
    }

    fn hint(&self, now_ms: u64) -> Option<String> {
        match self.status {
            401 => {
                let (here, there) = (now_ms / 1000, self.date_seconds()?);
                let apart = here.abs_diff(there);
                (apart > TOLERANCE_SECONDS)
                    .then(|| format!("this computer's clock is {apart} seconds off: set it"))
            }
            409 => Some(
                "these ids belong to other orders: use another --id-prefix, or the same input"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl RefusedReply {
    /// Whether another attempt later may succeed: the Worker, its ledger or its
    /// settings are not ready. A sitemap that cannot be read (502 with its path)
    /// is not such a case.
    pub fn is_unavailable(&self) -> bool {
        let later = self.status == 429 || self.status >= 500;
        later && self.errors.is_empty()
    }
}

impl fmt::Display for RefusedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.title, self.detail)?;
        for (path, detail) in &self.errors {
            write!(f, "\n  {path}: {detail}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}
