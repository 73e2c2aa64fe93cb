//! Ways in which a request to an origin can fail.

/// Why there is no response from the origin.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OriginFailure {
    /// No connection, or it broke before a response head arrived.
    #[error("could not be reached")]
    Unreachable,
    /// No response head arrived in time; or, if a stale response is available,
    /// a short body was not complete in time.
    #[error("did not answer in time")]
    TimedOut,
    /// A stale response was available, and the body broke off or had another
    /// length than its head said.
    #[error("broke off its answer")]
    CutOff,
    /// The response's status is invalid (RFC 9110 §15) or not final: outside
    /// 200 to 599.
    #[error("answered with {0}, which is not the status of a response")]
    NoStatus(u16),
    /// The origin asked by `Retry-After` for a pause of requests to this URL.
    #[error("asked not to be asked for this page for a while")]
    Resting {
        /// The rest of the pause in seconds.
        seconds: u64,
    },
    /// The circuit breaker is open.
    #[error("has failed too often and is left alone for a while")]
    CircuitOpen {
        /// The rest of the pause in seconds.
        seconds: u64,
    },
    /// No permit became free: too many requests to the origin were in flight.
    #[error("has too many requests to answer")]
    TooBusy,
}
