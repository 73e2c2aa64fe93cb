//! Sends the requests of a probe: paced, bounded, and to one host.

use super::args::ProbeArgs;
use super::exchange::{ProbeExchange, ProbeRequest};
use crate::cli::system;
use crate::http::fields::Fields;
use crate::http::url::Url;
use std::io::Read;
use std::time::Duration;
use ureq::Agent;

/// How much of a body is compared, in bytes: more than nearly all pages have.
pub const BODY_BYTES_MAX: u64 = 1024 * 1024;

/// How long a request may take in all.
const REQUEST: Duration = Duration::from_secs(30);

/// So many requests in a row without a response end the probe. One may fail
/// because a server closes the connection of a request that it does not like.
const FAILURES_MAX: u32 = 3;

/// The name and version that every request has.
pub const USER_AGENT: &str = concat!("edgekeep-probe/", env!("CARGO_PKG_VERSION"));

/// The query parameter that makes URLs unique.
pub const PARAMETER: &str = "edgekeep-probe";

/// Why no more requests are sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// As many as were allowed have been sent.
    #[error("All {0} requests were sent (--requests), so a part of the checks was not done.")]
    Requests(u32),
    /// The site limits the rate.
    #[error("The site answered 429, so the rest was not done: use a lower --rate.")]
    Limited,
    /// The site does not answer.
    #[error("The site did not answer, so the rest was not done: {0}")]
    OutOfReach(String),
}

/// The connections to a site, and what may still be sent.
#[derive(Debug)]
pub struct Session {
    agent: Agent,
    url: Url,
    run: String,
    names: u32,
    sent: u32,
    requests: u32,
    pause_ms: u64,
    last_ms: u64,
    failures: u32,
}

impl Session {
    /// A session for the host of a URL. Nothing is sent yet.
    pub fn new(url: &Url, args: &ProbeArgs) -> Result<Self, String> {
        let run = system::random_bytes::<5>()?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Another host may belong to somebody else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(REQUEST))
            .user_agent(USER_AGENT)
            .build();
        Ok(Self {
            agent: config.into(),
            url: url.clone(),
            run: run.iter().map(|byte| format!("{byte:02x}")).collect(),
            names: 0,
            sent: 0,
            requests: args.requests,
            pause_ms: 1000_u64.div_ceil(u64::from(args.rate.max(1))),
            last_ms: 0,
            failures: 0,
        })
    }

    /// How many requests were sent.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// How many requests may still be sent.
    pub fn left(&self) -> u32 {
        self.requests.saturating_sub(self.sent)
    }

    /// The page that is probed.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A unique text. No name is a part of another one.
    pub fn unique(&mut self) -> String {
        self.names = self.names.saturating_add(1);
        format!("ekp{}x{}z", self.run, self.names)
    }

    /// A GET of the page at a URL of its own.
    pub fn page(&mut self) -> ProbeRequest {
        let path = self.url.path.clone();
        self.at(&path, "")
    }

    /// A GET of another path at a URL of its own; `tail` ends the query.
    pub fn at(&mut self, path: &str, tail: &str) -> ProbeRequest {
        let buster = self.unique();
        let Url { scheme, host, .. } = &self.url;
        let query = self.url.query.as_ref().filter(|query| !query.is_empty());
        let query = query.map(|query| format!("{query}&")).unwrap_or_default();
        ProbeRequest {
            is_head: false,
            url: format!("{scheme}://{host}{path}?{query}{PARAMETER}={buster}{tail}"),
            buster,
            fields: Vec::new(),
        }
    }

    /// Sends a request when the rate allows it. Without a response, the status
    /// is 0.
    pub fn send(&mut self, request: ProbeRequest) -> Result<ProbeExchange, Stop> {
        if self.left() == 0 {
            return Err(Stop::Requests(self.requests));
        }
        let next_ms = self.last_ms.saturating_add(self.pause_ms);
        system::sleep_ms(next_ms.saturating_sub(system::now_ms()).min(self.pause_ms));
        self.sent = self.sent.saturating_add(1);
        self.last_ms = system::now_ms();
        let result = self.exchange(&request);
        let (status, fields, body) = match result {
            Ok(parts) => parts,
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES_MAX {
                    return Err(Stop::OutOfReach(error.to_string()));
                }
                (0, Fields::new(), String::new())
            }
        };
        if status != 0 {
            self.failures = 0;
        }
        if status == 429 {
            return Err(Stop::Limited);
        }
        Ok(ProbeExchange {
            request,
            status,
            fields,
            body,
            sent_ms: self.last_ms,
        })
    }

    fn exchange(&self, request: &ProbeRequest) -> Result<(u16, Fields, String), ureq::Error> {
        let builder = match request.is_head {
            true => self.agent.head(&request.url),
            false => self.agent.get(&request.url),
        };
        let fields = request.fields.iter();
        let builder = fields.fold(builder, |builder, (name, value)| {
            builder.header(name, value)
        });
        let mut response = builder.call()?;
        let fields = response.headers().iter();
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let fields = fields
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect();
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        reader.take(BODY_BYTES_MAX).read_to_end(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok((response.status().as_u16(), fields, body))
    }
}
