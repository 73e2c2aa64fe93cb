//! Limits of what settings may ask for, and their defaults.

/// How many bytes all copies in isolate memory may have together, if nothing
/// else is said: an eighth of an isolate's 128 MB.
pub const MEMORY_BYTES: u64 = 16_000_000;

/// And at most, by the settings: half of an isolate's memory.
pub const MEMORY_BYTES_MAX: u64 = 64_000_000;

/// How many pages an order may have fetched: as many as may wait at all, 33
/// minutes' work.
pub const PAGES_MAX: usize = 10_000;

/// How many URLs an order or the settings may name themselves.
pub const URLS_MAX: usize = 1000;

/// How many sitemaps they may name.
pub const SITEMAPS_MAX: usize = 20;

/// How fast calls may follow each other: a bucket of tokens, one a call, that
/// fills at a steady rate. Cloudflare keeps one for each account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Tokens that come in a minute, at least 1.
    pub requests_per_minute: u64,
    /// How many tokens it holds, at least 1.
    pub bucket: u64,
}

impl Pace {
    /// The Free plan's. (Pro: 300 a minute, 25; Business: 600, 50;
    /// Enterprise: 3,000, 500.)
    pub const FREE: Self = Self {
        requests_per_minute: 5,
        bucket: 25,
    };
}

/// A day, in milliseconds. Quotas count by days in UTC.
pub const DAY_MS: u64 = 86_400_000;
