//! Sends signed requests to the site, and repeats those that fail.

use crate::cli::args::SiteArgs;
use crate::cli::failure::Failure;
use crate::cli::orders::send_error::SendError;
use crate::cli::output;
use crate::cli::remote::events::{EventStream, EventsError};
use crate::cli::remote::reply::SiteReply;
use crate::cli::remote::retry;
use crate::cli::remote::secret::{Secret, SecretError};
use crate::cli::remote::site::Site;
use crate::cli::system;
use crate::flow::purge::authenticate;
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;
use std::time::Duration;
use ureq::Agent;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a request may take in all. The Worker reads the sitemaps of an order
/// for up to 60 seconds.
const REQUEST: Duration = Duration::from_secs(90);

/// The longest answer, in bytes: twice a page of the history
/// (`cache::ledger::wire::HISTORY_BYTES_MAX`), for the names and quotes of JSON.
const ANSWER_BYTES_MAX: u64 = 2_000_000;

/// A site, the secret for it, and the connections to it.
#[derive(Debug)]
pub struct SiteClient {
    agent: Agent,
    site: Site,
    secret: Secret,
    retries: u32,
}

impl SiteClient {
    /// The client for the arguments and the environment. Nothing is sent yet.
    pub fn new(args: &SiteArgs) -> Result<Self, Failure> {
        let site = Site::read(args.site.as_deref())?;
        let secret = Secret::given(args.secret_file.as_deref())?;
        secret.check_site(&site)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A signed order is for the site that was named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST))
            .user_agent(concat!("edgekeep-command/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: config.into(),
            site,
            secret,
            retries: args.retries,
        })
    }

    /// Sends an order. All attempts have the same id.
    pub fn post(&self, path: &str, id: &str, body: &str) -> Result<SiteReply, SendError> {
        let url = self.site.url(path);
        self.repeated(id, || {
            let proof = self.proof(id, body.as_bytes())?;
            let request = self.agent.post(url.to_string());
            let request = with_fields(request, proof).header("content-type", "application/json");
            Ok(request.send(body))
        })
    }

    /// Asks for a path, which may have a query.
    pub fn get(&self, path_and_query: &str) -> Result<SiteReply, SendError> {
        let url = self.site.url(path_and_query);
        self.repeated(path_and_query, || {
            let proof = self.query_proof(&url)?;
            Ok(with_fields(self.agent.get(url.to_string()), proof).call())
        })
    }

    /// Opens the events after a number, which may be the sequence number of an
    /// order. Attempted once.
    pub fn events(&self, after: u64) -> Result<EventStream, EventsError> {
        let url = self.site.url(&format!("/.edgekeep/events?after={after}"));
        let proof = self.query_proof(&url);
        EventStream::open(
            &url,
            proof.map_err(|error| EventsError::Socket(error.to_string()))?,
        )
    }

    /// The fields that prove a GET.
    fn query_proof(&self, url: &Url) -> Result<Vec<(&'static str, String)>, SecretError> {
        // A query has no effect, so its id need not be unique.
        const ID: &str = "query";
        self.proof(ID, signed_target(url).as_bytes())
    }

    fn proof(&self, id: &str, payload: &[u8]) -> Result<Vec<(&'static str, String)>, SecretError> {
        self.secret.prove(id, system::now_ms() / 1000, payload)
    }

    /// Sends until there is an answer that is not to be repeated, or no attempt
    /// is left.
    fn repeated(
        &self,
        name: &str,
        send: impl Fn() -> Result<Sent, SecretError>,
    ) -> Result<SiteReply, SendError> {
        let seed = crate::cache::purge::selector::mark_of(name);
        let mut repetition = 0;
        loop {
            let result = match send()?.and_then(read) {
                Ok(reply) if !retry::is_retried(reply.status) => return Ok(reply),
                result => result,
            };
            let now_ms = system::now_ms();
            let (problem, after_ms) = match &result {
                Ok(reply) => (
                    format!("status {}", reply.status),
                    reply.retry_after_ms(now_ms),
                ),
                Err(error) => (error.to_string(), None),
            };
            let Some(ms) = retry::pause_ms(repetition, self.retries, after_ms, (seed, now_ms))
            else {
                return result.map_err(|_| SendError::OutOfReach {
                    site: self.site.to_string(),
                    attempts: repetition.saturating_add(1),
                    problem,
                });
            };
            let seconds = ms.div_ceil(1000);
            output::note(format!("{problem}; the next attempt is in {seconds} s"));
            system::sleep_ms(ms);
            repetition = repetition.saturating_add(1);
        }
    }
}

type Sent = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn with_fields<B>(
    request: ureq::RequestBuilder<B>,
    fields: Vec<(&'static str, String)>,
) -> ureq::RequestBuilder<B> {
    let add = |request: ureq::RequestBuilder<B>, (name, value)| request.header(name, value);
    fields.into_iter().fold(request, add)
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<SiteReply, ureq::Error> {
    let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let fields = response.headers().iter();
    let fields: Fields = fields
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
    Ok(SiteReply {
        status,
        fields,
        body: body.read_to_vec()?,
    })
}

/// The text that the signature of a query covers.
fn signed_target(url: &Url) -> String {
    authenticate::target(&RequestHead {
        method: Method::Get,
        url: url.clone(),
        fields: Fields::new(),
    })
}
