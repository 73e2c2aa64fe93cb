//! The comparisons in flight in an isolate, and its warnings: both are bounded.

/// How many comparisons may be in flight in an isolate. The runtime keeps what a
/// slow client has not read yet, up to [`BODY_BYTES_MAX`](super::record::BODY_BYTES_MAX)
/// of each: 8 of an isolate's 128 MB.
pub const COMPARISONS_MAX: usize = 8;

/// How long a body may take to arrive for a comparison, in milliseconds. The
/// runtime ends background work 30 seconds after the response, and the lookup
/// and the log line come after the body.
pub const BODY_MS_MAX: u64 = 20_000;

/// How long a comparison is in flight at most, in milliseconds. One that the
/// runtime has ended does not report it.
const IN_FLIGHT_MS_MAX: u64 = 60_000;

/// How many warnings an isolate writes in a minute: enough to find a page that
/// differs for each reader, and too few to fill a log.
pub const WARNINGS_MAX: u32 = 10;

const MINUTE_MS: u64 = 60_000;

/// The comparisons in flight, and how many warnings were written.
#[derive(Debug, Default)]
pub struct Comparisons {
    /// The digest of each page's key, and the time at which it counts no more.
    in_flight: Vec<(String, u64)>,
    /// The minute of the last warning, and the warnings in it.
    warned: (u64, u32),
}

impl Comparisons {
    /// Begins the comparison of a page. `false` if the page is being compared
    /// already, or if there are [`COMPARISONS_MAX`].
    pub fn begin(&mut self, page: &str, now_ms: u64) -> bool {
        // A time far ahead means that the clock was set back.
        let until_ms = now_ms.saturating_add(IN_FLIGHT_MS_MAX);
        self.in_flight
            .retain(|(_, until)| (now_ms..=until_ms).contains(until));
        let is_known = self.in_flight.iter().any(|(other, _)| other == page);
        if is_known || self.in_flight.len() >= COMPARISONS_MAX {
            return false;
        }
        self.in_flight.push((page.to_owned(), until_ms));
        true
    }

    /// Ends the comparison of a page.
    pub fn end(&mut self, page: &str) {
        self.in_flight.retain(|(other, _)| other != page);
    }

    /// Whether one more warning may be written now; counts it.
    pub fn may_warn(&mut self, now_ms: u64) -> bool {
        let minute = now_ms / MINUTE_MS;
        if self.warned.0 != minute {
            self.warned = (minute, 0);
        }
        self.warned.1 = self.warned.1.saturating_add(1);
        self.warned.1 <= WARNINGS_MAX
    }
}
