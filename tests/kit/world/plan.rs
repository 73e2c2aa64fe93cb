//! Responses of the simulated origin.

use super::Bytes;
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::ResponseHead;

/// The origin's response for a path.
#[derive(Clone, Debug)]
pub enum Plan {
    Answer {
        slow_ms: u64,
        cut: bool,
        status: u16,
        fields: Fields,
        body: String,
    },
    Down,
    Hang,
    /// A number that is not a valid status.
    NoStatus(u16),
}

impl Plan {
    /// The response for an unknown path.
    pub fn missing() -> Self {
        Self::Answer {
            slow_ms: 0,
            cut: false,
            status: 404,
            fields: Fields::new(),
            body: "no such page".to_owned(),
        }
    }

    /// The response to a request. Panics for plans without a response.
    pub fn answer(&self, request: &OriginRequest) -> (ResponseHead, Option<Bytes>) {
        let Plan::Answer {
            cut,
            status,
            fields,
            body,
            ..
        } = self
        else {
            unreachable!("the other plans have no response");
        };
        let mut head = ResponseHead {
            status: *status,
            fields: fields.clone(),
        };
        let wanted = request.fields.get("if-none-match");
        if wanted.is_some() && wanted == fields.get("etag") {
            head.status = 304;
            return (head, None);
        }
        if *status != 204 {
            head.fields.set("content-length", body.len().to_string());
        }
        if request.method == "HEAD" || *status == 204 {
            return (head, None);
        }
        let text = if *cut {
            body[..body.len() / 2].to_owned()
        } else {
            body.clone()
        };
        (head, Some(Bytes::new(text, *cut)))
    }
}
