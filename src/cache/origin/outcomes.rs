//! Recent outcomes of requests to an origin: how many failed, for how many
//! paths and readers. The circuit breaker opens by the share of failures. One
//! URL or one reader cannot reach that share alone.

use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;

/// How long an outcome counts, in milliseconds: a minute. This is longer than
/// the default timeout for a response head, so that the timeouts of an origin
/// that hangs are counted together.
pub const WINDOW_MS: u64 = 60_000;

/// The largest number of outcomes that are kept, each of another pair of path
/// and reader. When full, the oldest outcome of the reader with the most is
/// replaced. 128 of 40 bytes for each of a thousand sites are 5 MB.
pub const OUTCOMES_MAX: usize = 128;

/// The largest number of outcomes of one reader, and of one path: an eighth. So
/// at least four readers with nothing but failures are needed for half of the
/// outcomes.
pub const OUTCOMES_OF_ONE_MAX: usize = OUTCOMES_MAX / 8;

/// The breaker opens only if at least so many paths fail, for at least so many
/// readers.
pub const DISTINCT_MIN: usize = 3;

/// The path and the reader of a request, as digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSource {
    /// The path without the query: a reader can vary a page's query at will,
    /// and a broken page fails for every query.
    pub path: u64,
    /// The reader. If it is unknown, the path stands for it.
    pub reader: u64,
}

/// Returns a digest, for comparisons only.
pub fn digest(text: impl AsRef<[u8]>) -> u64 {
    let digest = Sha256::digest(text);
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(bytes)
}

/// Returns the digest of a reader's IP address. Of an IPv6 address the first 56
/// bits count: the range that a household usually has to itself and can vary
/// (RFC 6177 §2 names it; some providers assign only a /64, none less). A
/// shorter prefix, such as the /48 of a company, may include other customers.
pub fn reader_of(address: &str) -> u64 {
    match address.trim().parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            digest((u128::from(address) >> 72).to_be_bytes())
        }
        _ => digest(address.trim()),
    }
}

/// The last outcome of a pair of path and reader.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    source: RequestSource,
    at_ms: u64,
    /// Failures since the last success; 0 for a success.
    failures: u64,
    /// `Retry-After` of the last failure; 0 if it had none.
    retry_after_ms: u64,
}

/// State of a path by its recent outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathState {
    /// No outcomes.
    Unknown,
    /// It works.
    Works,
    /// It fails.
    Fails,
}

/// The recent outcomes of one site's requests to its origin, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(Vec<Outcome>);

/// Summary of the outcomes in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Failed requests.
    pub failures: u64,
    /// Distinct paths.
    pub paths: usize,
    /// Paths whose last outcome is a failure.
    pub failing_paths: usize,
    /// Distinct readers.
    pub readers: usize,
    /// Readers whose last outcome is a failure.
    pub failing_readers: usize,
    /// The longest pause that at least half of the failures asked for by
    /// `Retry-After`, in milliseconds; 0 if fewer asked for one.
    pub retry_after_ms: u64,
}

impl Share {
    /// Whether the origin as a whole fails, and not only a page or a reader.
    pub fn is_of_origin(&self) -> bool {
        let at_least_half = |part: usize, whole: usize| part.saturating_mul(2) >= whole;
        self.failing_paths >= DISTINCT_MIN
            && self.failing_readers >= DISTINCT_MIN
            && at_least_half(self.failing_paths, self.paths)
            && at_least_half(self.failing_readers, self.readers)
    }
}

impl Outcomes {
    /// Records a success.
    pub fn record_success(&mut self, source: RequestSource, now_ms: u64) {
        self.take(source, now_ms);
        self.push(Outcome {
            source,
            at_ms: now_ms,
            failures: 0,
            retry_after_ms: 0,
        });
    }

    /// Records a failure, with its `Retry-After`, if it has one.
    pub fn record_failure(
        &mut self,
        source: RequestSource,
        retry_after_ms: Option<u64>,
        now_ms: u64,
    ) {
        let before = self.take(source, now_ms);
        self.push(Outcome {
            source,
            at_ms: now_ms,
            failures: before
                .map_or(0, |outcome| outcome.failures)
                .saturating_add(1),
            retry_after_ms: retry_after_ms.unwrap_or(0),
        });
    }

    /// Removes and returns the outcome of a pair, and drops expired outcomes.
    fn take(&mut self, source: RequestSource, now_ms: u64) -> Option<Outcome> {
        self.0.retain(|outcome| is_recent(outcome, now_ms));
        let at = self.0.iter().position(|other| other.source == source)?;
        Some(self.0.remove(at))
    }

    fn push(&mut self, outcome: Outcome) {
        let RequestSource { path, reader } = outcome.source;
        let of_reader = |other: &Outcome| other.source.reader == reader;
        let of_path = |other: &Outcome| other.source.path == path;
        if self.count(of_reader) >= OUTCOMES_OF_ONE_MAX {
            self.drop_oldest(of_reader);
        }
        if self.count(of_path) >= OUTCOMES_OF_ONE_MAX {
            self.drop_oldest(of_path);
        }
        if self.0.len() >= OUTCOMES_MAX {
            // The only outcome of a reader never makes room for the second one
            // of another.
            let most = self.most_of_a_reader();
            self.drop_oldest(|other| most == Some(other.source.reader));
        }
        self.0.push(outcome);
    }

    /// Returns the reader with the most outcomes; among equals the one with the
    /// oldest.
    fn most_of_a_reader(&self) -> Option<u64> {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for outcome in &self.0 {
            let count = counts.entry(outcome.source.reader).or_default();
            *count = count.saturating_add(1);
        }
        let most = counts.values().max();
        let mut readers = self.0.iter().map(|outcome| outcome.source.reader);
        readers.find(|reader| counts.get(reader) == most)
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.0.iter().filter(|outcome| which(outcome)).count()
    }

    fn drop_oldest(&mut self, which: impl Fn(&Outcome) -> bool) {
        if let Some(at) = self.0.iter().position(which) {
            self.0.remove(at);
        }
    }

    /// Returns the summary of the outcomes in the window.
    pub fn share(&self, now_ms: u64) -> Share {
        let mut recent = self.0.as_slice();
        // The oldest outcomes are first.
        while let [oldest, rest @ ..] = recent
            && !is_recent(oldest, now_ms)
        {
            recent = rest;
        }
        let all = recent;
        let mut share = Share::default();
        while let [outcome, later @ ..] = recent {
            recent = later;
            let failed = usize::from(outcome.failures > 0);
            if !later
                .iter()
                .any(|other| other.source.path == outcome.source.path)
            {
                share.paths = share.paths.saturating_add(1);
                share.failing_paths = share.failing_paths.saturating_add(failed);
            }
            if !later
                .iter()
                .any(|other| other.source.reader == outcome.source.reader)
            {
                share.readers = share.readers.saturating_add(1);
                share.failing_readers = share.failing_readers.saturating_add(failed);
            }
            share.failures = share.failures.saturating_add(outcome.failures);
        }
        let failed = || all.iter().filter(|outcome| outcome.failures > 0);
        let half = failed().count().div_ceil(2);
        let at_least = |ms: u64| failed().filter(|other| other.retry_after_ms >= ms).count();
        let pauses = failed()
            .map(|outcome| outcome.retry_after_ms)
            .filter(|ms| *ms > 0);
        share.retry_after_ms = pauses.filter(|ms| at_least(*ms) >= half).max().unwrap_or(0);
        share
    }

    /// Returns the state of a path. It works if it works for at least half of
    /// its readers: by the last outcome alone, one reader could close a page.
    pub fn state(&self, path: u64, now_ms: u64) -> PathState {
        let of_path = |other: &&Outcome| other.source.path == path && is_recent(other, now_ms);
        let (mut successes, mut failures) = (0_usize, 0_usize);
        for outcome in self.0.iter().filter(of_path) {
            match outcome.failures {
                0 => successes = successes.saturating_add(1),
                _ => failures = failures.saturating_add(1),
            }
        }
        match (successes, failures) {
            (0, 0) => PathState::Unknown,
            (successes, failures) if successes >= failures => PathState::Works,
            _ => PathState::Fails,
        }
    }

    /// Drops the failures, because the origin works again.
    pub fn forget_failures(&mut self) {
        self.0.retain(|outcome| outcome.failures == 0);
    }
}

fn is_recent(outcome: &Outcome, now_ms: u64) -> bool {
    now_ms < outcome.at_ms.saturating_add(WINDOW_MS)
}
