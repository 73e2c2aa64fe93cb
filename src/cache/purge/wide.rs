//! Wide purges: what marks widen to when there are too many to keep each of
//! them. A wide purge covers all that a key may purge, or one bucket of hosts.
//!
//! Entries have no marks of wide purges. The index (`cache::purge::index`)
//! matches them with the entry's host and tags, only if the entry is older than
//! the purge. So a key's patterns may change at any time, and match what was
//! stored before.

use super::selector::Selector;
use crate::cache::matching::key_scope::KeyScope;
use crate::http::url;
use std::fmt;

/// One of [`BUCKETS`] disjoint sets of hosts. Its text is `bucket:17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostBucket(u16);

/// The number of buckets. They take 1,024 marks of 20 bytes at most, and a
/// purge of one matches a thousandth of all hosts.
pub const BUCKETS: u16 = 1024;

/// Prefix of a bucket's text.
pub const BUCKET: &str = "bucket:";

impl HostBucket {
    /// Returns the bucket of a host, for all its ports.
    pub fn of_host(host: &str) -> Self {
        let mark = Selector::Host(url::host_name(host).to_owned()).mark();
        // The upper ten of 64 bits, which fit into a u16.
        Self(u16::try_from(mark >> (64 - BUCKETS.ilog2())).unwrap_or_default())
    }

    /// Parses the text form.
    pub fn read(text: &str) -> Option<Self> {
        let number = text.strip_prefix(BUCKET)?.parse().ok()?;
        (number < BUCKETS).then_some(Self(number))
    }
}

impl fmt::Display for HostBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BUCKET}{}", self.0)
    }
}

/// A purge that has no mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wide {
    /// All that a key may purge.
    Scope(KeyScope),
    /// All pages of a bucket's hosts.
    Bucket(HostBucket),
}

impl Wide {
    /// Parses the text form.
    pub fn read(text: &str) -> Option<Self> {
        let bucket = HostBucket::read(text).map(Self::Bucket);
        bucket.or_else(|| KeyScope::read(text).map(Self::Scope))
    }
}

impl fmt::Display for Wide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => scope.fmt(f),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}
