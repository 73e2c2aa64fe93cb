//! The recent outcomes of requests to an origin: how many failed, of how many
//! paths and readers. The circuit breaker opens by their share, which one URL
//! or one reader cannot bring about alone.

use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;

/// How long an outcome counts: a minute. Longer than the default limit for a
/// response head, so that the timeouts of an origin that hangs come together.
pub const WINDOW_MS: u64 = 60_000;

/// How many outcomes are kept, each of another pair of path and reader; the
/// oldest is replaced of the reader who has most. 128 of 40 bytes for each of a thousand sites are 5 MB.
pub const OUTCOMES_MAX: usize = 128;

/// How many of them one reader may have, and one path: an eighth. So it takes
/// four readers with nothing but failures to make them the half.
pub const OUTCOMES_OF_ONE_MAX: usize = OUTCOMES_MAX / 8;

/// The breaker opens only if so many paths fail, and so many readers meet
/// failures.
pub const DISTINCT_MIN: usize = 3;

/// Who asked for what, as digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSource {
    /// The path, without the query: a reader can vary a page's query at will,
    /// and what a broken page answers is the same for each.
    pub path: u64,
    /// The reader. A request of an unknown reader counts as the reader of its
    /// path.
    pub reader: u64,
}

/// A digest, for comparisons only.
pub fn digest(text: impl AsRef<[u8]>) -> u64 {
    let digest = Sha256::digest(text);
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(bytes)
}

/// The digest of a reader, by its IP address. Of an IPv6 address the first 56
/// bits count: that is what a household usually has to itself and can vary
/// (RFC 6177 §2 names it; some providers give no more than a /64, none less).
/// Beyond it, in the /48 of a company, other customers may be.
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
    /// Failures since it last succeeded; 0 for a success.
    failures: u64,
    /// The `Retry-After` of the last failure; 0 if it had none.
    retry_after_ms: u64,
}

/// What the recent outcomes say of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathState {
    /// There are none.
    Unknown,
    /// It works.
    Works,
    /// It fails.
    Fails,
}

/// The recent outcomes of one site's requests to its origin, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(Vec<Outcome>);

/// What the outcomes in the window come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Failed requests.
    pub failures: u64,
    /// Paths.
    pub paths: usize,
    /// Those of which the last outcome is a failure.
    pub failing_paths: usize,
    /// Readers.
    pub readers: usize,
    /// Those of whom the last outcome is a failure.
    pub failing_readers: usize,
    /// The time for which at least half of the failures asked by `Retry-After`;
    /// 0 if fewer did.
    pub retry_after_ms: u64,
}

impl Share {
    /// Whether it is the origin that fails, not a page or a reader.
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

    /// Takes out what is recorded of a pair, and drops what is too old.
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
            // Nobody's only outcome makes room for another one's second.
            let most = self.most_of_a_reader();
            self.drop_oldest(|other| most == Some(other.source.reader));
        }
        self.0.push(outcome);
    }

    /// Who has most outcomes; of several the one with the oldest.
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

    /// What the outcomes come to.
    pub fn share(&self, now_ms: u64) -> Share {
        let mut recent = self.0.as_slice();
        // The oldest are first.
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
        let asked = |ms: u64| failed().filter(|other| other.retry_after_ms >= ms).count();
        let pauses = failed()
            .map(|outcome| outcome.retry_after_ms)
            .filter(|ms| *ms > 0);
        share.retry_after_ms = pauses.filter(|ms| asked(*ms) >= half).max().unwrap_or(0);
        share
    }

    /// What is known of a path. It works if it does for at least half of the
    /// readers who have asked for it: the last outcome alone would let one
    /// reader close a page.
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

    /// Forgets the failures: the origin is back.
    pub fn forget_failures(&mut self) {
        self.0.retain(|outcome| outcome.failures == 0);
    }
}

fn is_recent(outcome: &Outcome, now_ms: u64) -> bool {
    now_ms < outcome.at_ms.saturating_add(WINDOW_MS)
}
