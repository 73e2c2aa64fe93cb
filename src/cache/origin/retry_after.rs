//! Rests: URLs that are not requested for a while because the origin sent
//! `Retry-After` (RFC 9110 §10.2.3) with a failure. It holds for the URL of the
//! failure.

use super::outcomes::DISTINCT_MIN;

/// The largest number of rests that are kept. The oldest is replaced, and its
/// URL may be requested again. 64 of 32 bytes for each of a thousand sites are
/// 2 MB.
pub const RESTS_MAX: usize = 64;

/// The largest number of rests of one reader: an eighth, so that it does not
/// replace those of others.
pub const RESTS_OF_READER_MAX: usize = RESTS_MAX / 8;

/// How long a rest holds for other readers at most, in milliseconds. A firewall
/// may ask one reader for an hour while the page works for others.
pub const SHARED_REST_MS_MAX: u64 = 60_000;

#[derive(Clone, Copy, Debug)]
struct Rest {
    /// Digest of method kind, path and query.
    url: u64,
    /// Digest of the reader that received `Retry-After`.
    reader: u64,
    began_ms: u64,
    until_ms: u64,
}

impl Rest {
    /// The time until which the rest holds for other readers.
    fn shared_until_ms(&self) -> u64 {
        let most_ms = self.began_ms.saturating_add(SHARED_REST_MS_MAX);
        self.until_ms.min(most_ms)
    }
}

/// The rests of a site, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub struct Rests(Vec<Rest>);

impl Rests {
    /// Begins a rest of a URL, for this reader at first.
    pub fn begin(&mut self, url: u64, reader: u64, rest_ms: u64, now_ms: u64) {
        let is_same = |rest: &Rest| rest.url == url && rest.reader == reader;
        self.0
            .retain(|rest| rest.until_ms > now_ms && !is_same(rest));
        let is_own = |rest: &Rest| rest.reader == reader;
        if self.0.iter().filter(|rest| is_own(rest)).count() >= RESTS_OF_READER_MAX
            && let Some(at) = self.0.iter().position(is_own)
        {
            self.0.remove(at);
        }
        if self.0.len() >= RESTS_MAX {
            self.0.remove(0);
        }
        self.0.push(Rest {
            url,
            reader,
            began_ms: now_ms,
            until_ms: now_ms.saturating_add(rest_ms),
        });
    }

    /// Ends the rest of a URL that has worked for this reader.
    pub fn end(&mut self, url: u64, reader: u64) {
        self.0
            .retain(|rest| rest.url != url || rest.reader != reader);
    }

    /// Returns for how many more milliseconds a reader may not request a URL,
    /// or `None`. That is until its own rest ends, or, where [`DISTINCT_MIN`]
    /// readers have one, until fewer have one.
    pub fn left_ms(&self, url: u64, reader: u64, now_ms: u64) -> Option<u64> {
        let of_url = || self.0.iter().filter(|rest| rest.url == url);
        let own = of_url().find(|rest| rest.reader == reader);
        let own_ms = own.map_or(0, |rest| rest.until_ms);
        let ends = || of_url().map(Rest::shared_until_ms);
        let lasts = |ms: u64| ends().filter(|end| *end >= ms).count() >= DISTINCT_MIN;
        let shared_ms = ends().filter(|end| lasts(*end)).max();
        let until_ms = own_ms.max(shared_ms.unwrap_or(0));
        until_ms.checked_sub(now_ms).filter(|ms| *ms > 0)
    }

    /// Whether there are no rests now.
    pub fn is_empty(&self, now_ms: u64) -> bool {
        self.0.iter().all(|rest| rest.until_ms <= now_ms)
    }
}
