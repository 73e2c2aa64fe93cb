//! How asking an origin can fail.

/// Why there is no answer of the origin.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OriginFailure {
    /// No connection, or it broke before a response head came.
    #[error("could not be reached")]
    Unreachable,
    /// No response head came in time, or, where a stale copy stands by, not
    /// the whole of a short body.
    #[error("did not answer in time")]
    TimedOut,
    /// The body broke off, or was of another length than its head said, while
    /// a stale copy stood by.
    #[error("broke off its answer")]
    CutOff,
    /// It answered with a number that is no status (RFC 9110 §15) or not a
    /// final one: outside 200 to 599.
    #[error("answered with {0}, which is not the status of a response")]
    NoStatus(u16),
    /// It asked, by `Retry-After`, not to be asked for this URL for so many
    /// seconds.
    #[error("asked not to be asked for this page for a while")]
    Resting {
        /// Seconds.
        seconds: u64,
    },
    /// It has failed too often, and is left alone for so many seconds.
    #[error("has failed too often and is left alone for a while")]
    CircuitOpen {
        /// Seconds.
        seconds: u64,
    },
    /// Too many requests to it were under way all the time.
    #[error("has too many requests to answer")]
    TooBusy,
}
