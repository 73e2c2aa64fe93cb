//! Limits and defaults of settings.

/// The default of `memory_bytes`, the bytes of all entries in isolate memory: an
/// eighth of an isolate's 128 MB.
pub const MEMORY_BYTES: u64 = 16_000_000;

/// The largest `memory_bytes`: half of an isolate's memory.
pub const MEMORY_BYTES_MAX: u64 = 64_000_000;

/// The largest number of pages that an order to warm fetches. As many may wait
/// in all: 33 minutes of work.
pub const PAGES_MAX: usize = 10_000;

/// The largest number of URLs in an order to warm, or in the settings.
pub const URLS_MAX: usize = 1000;

/// The largest number of sitemaps in an order to warm, or in the settings.
pub const SITEMAPS_MAX: usize = 20;

/// A rate limit of calls: a token bucket that fills at a steady rate; a call
/// takes one token. Cloudflare has one bucket for each account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The tokens that are added in a minute; at least 1.
    pub requests_per_minute: u64,
    /// The tokens in a full bucket; at least 1.
    pub bucket: u64,
}

impl Pace {
    /// The rate limit of Cloudflare's Free plan. (Pro: 300 a minute, bucket 25;
    /// Business: 600, 50; Enterprise: 3,000, 500.)
    pub const FREE: Self = Self {
        requests_per_minute: 5,
        bucket: 25,
    };
}

/// A day in milliseconds. Daily quotas count days in UTC.
pub const DAY_MS: u64 = 86_400_000;
