//! Calls the zone's own purge API: `POST /zones/{zone}/purge_cache`.

use super::body::read_start;
use super::js::streams::Stream;
use super::js::worker_message;
use super::outgoing;
use super::timeout::timeout;
use crate::cache::purge::zone_purge::ZoneResponse;
use wasm_bindgen::JsCast;
use worker::{AbortController, AbortSignal, Env, Fetch, Headers, ResponseBody};

/// The base URL of Cloudflare's API, unless `CLOUDFLARE_API_URL` sets another.
const API: &str = "https://api.cloudflare.com";

/// The timeout of a call, to the end of the response body.
const CALL_MS_MAX: u64 = 10_000;

/// How many bytes of a response body are read. A body has some 200 bytes; 4096
/// are enough for half a dozen errors.
const ANSWER_BYTES_MAX: u32 = 4096;

/// A zone, and the token to purge it. It is never printed.
pub struct Zone {
    url: String,
    token: String,
}

impl Zone {
    /// The zone of this deployment; `None` if neither its id nor its token is
    /// set. An error if only one of them is set, or the id is not valid.
    pub fn of(env: &Env) -> Result<Option<Self>, String> {
        let set = |name: &str| {
            let value = env.var(name).ok().map(|value| value.to_string());
            value
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let (id, token) = match (set("CLOUDFLARE_ZONE_ID"), set("CLOUDFLARE_API_TOKEN")) {
            (Some(id), Some(token)) => (id, token),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err("CLOUDFLARE_API_TOKEN is not set".to_owned()),
            (None, Some(_)) => return Err("CLOUDFLARE_ZONE_ID is not set".to_owned()),
        };
        // The id becomes a part of the URL's path.
        if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("CLOUDFLARE_ZONE_ID is not the id of a zone".to_owned());
        }
        let api = set("CLOUDFLARE_API_URL").unwrap_or_else(|| API.to_owned());
        let api = api.trim_end_matches('/');
        let url = format!("{api}/client/v4/zones/{id}/purge_cache");
        Ok(Some(Self { url, token }))
    }

    /// Sends a purge call with this body.
    pub async fn purge(&self, body: &str) -> Result<ZoneResponse, String> {
        let controller = AbortController::default();
        let call = self.call(body, controller.signal());
        match timeout(call, CALL_MS_MAX).await {
            Some(answer) => answer.map_err(worker_message),
            None => {
                controller.abort();
                Err(format!("none within {CALL_MS_MAX} ms"))
            }
        }
    }

    async fn call(&self, body: &str, signal: AbortSignal) -> worker::Result<ZoneResponse> {
        let headers = Headers::new();
        headers.set("authorization", &format!("Bearer {}", self.token))?;
        headers.set("content-type", "application/json")?;
        let request = outgoing::request(&self.url, &headers, Some(body))?;
        let response = Fetch::Request(request).send_with_signal(&signal).await?;
        let retry_after = response.headers().get("retry-after")?;
        let mut text = String::new();
        if let ResponseBody::Stream(stream) = response.body() {
            let stream: &Stream = stream.unchecked_ref();
            let start = read_start(stream, ANSWER_BYTES_MAX).await?;
            text = String::from_utf8_lossy(&start.to_vec()).into_owned();
            stream.cancel();
        }
        Ok(ZoneResponse {
            status: response.status_code(),
            retry_after_seconds: retry_after.and_then(|seconds| seconds.trim().parse().ok()),
            text,
        })
    }
}
