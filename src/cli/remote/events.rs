//! The site's events over a WebSocket (docs/events.md).

use crate::http::url::Url;
use serde_json::Value;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::{HeaderValue, Request};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// How long the connection may take, and each read of the handshake.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the site may be silent before it is sent a ping; then, how long
/// until the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(30);

/// After how many characters without a ping one is sent. The site closes the
/// connection at 131,072 (`cloudflare::ledger::watchers`).
const UNCONFIRMED_MAX: usize = 32_768;

/// The text that the runtime answers without waking the ledger.
const PING: &str = "ping";

/// An open connection.
pub struct EventStream {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    /// How many characters came since the last ping.
    unconfirmed: usize,
}

/// Why there are no events over a WebSocket: the site does not offer them, a
/// proxy does not let them through, or the connection has ended. The history
/// has the same orders.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The address has no reachable server.
    #[error("{0}")]
    Connect(#[from] std::io::Error),
    /// The server speaks otherwise, or has closed the connection.
    #[error("{0}")]
    Socket(String),
}

impl EventStream {
    /// Connects to an address with these fields.
    pub fn open(url: &Url, fields: Vec<(&'static str, String)>) -> Result<Self, EventsError> {
        let is_tls = url.scheme == "https";
        let host = url.host_name().trim_matches(['[', ']']);
        let port = url.host.rsplit_once(':').and_then(|(_, n)| n.parse().ok());
        let port = port.unwrap_or(if is_tls { 443_u16 } else { 80 });
        let connection = connect(host, port)?;
        connection.set_read_timeout(Some(CONNECT))?;
        connection.set_write_timeout(Some(CONNECT))?;
        // The same connection: it is behind TLS afterwards.
        let timeouts = connection.try_clone()?;
        let request = request(url, fields)?;
        let (socket, _) = tungstenite::client_tls(request, connection).map_err(wrong)?;
        timeouts.set_read_timeout(Some(SILENCE))?;
        Ok(Self {
            socket,
            unconfirmed: 0,
        })
    }

    /// The next event. Waits for it without a bound, as long as the site
    /// answers pings.
    pub fn read(&mut self) -> Result<Value, EventsError> {
        let mut is_pinged = false;
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) if text.as_str() == "pong" => is_pinged = false,
                Ok(Message::Text(text)) => {
                    self.unconfirmed = self.unconfirmed.saturating_add(text.len());
                    if self.unconfirmed > UNCONFIRMED_MAX {
                        self.ping()?;
                    }
                    return serde_json::from_str(&text).map_err(wrong);
                }
                Ok(Message::Close(frame)) => {
                    let reason = frame.map(|frame| frame.to_string());
                    return Err(wrong(reason.unwrap_or_else(|| "closed".to_owned())));
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if is_timeout(&error) && !is_pinged => {
                    self.ping()?;
                    is_pinged = true;
                }
                Err(error) => return Err(wrong(error)),
            }
        }
    }

    fn ping(&mut self) -> Result<(), EventsError> {
        self.unconfirmed = 0;
        self.socket.send(Message::text(PING)).map_err(wrong)
    }
}

fn wrong(problem: impl std::fmt::Display) -> EventsError {
    EventsError::Socket(problem.to_string())
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

/// Connects to the first address of a host that answers.
fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other(format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn request(url: &Url, fields: Vec<(&'static str, String)>) -> Result<Request<()>, EventsError> {
    let address = url.to_string();
    // `ws` for `http`, `wss` for `https`.
    let address = address.strip_prefix("http").map(|rest| format!("ws{rest}"));
    let request = address.unwrap_or_default().into_client_request();
    let mut request = request.map_err(wrong)?;
    for (name, value) in fields {
        let value = HeaderValue::from_str(&value).map_err(wrong)?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}
