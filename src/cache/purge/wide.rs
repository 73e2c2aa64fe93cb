//! What purges widen to, where there are too many of them to be kept one by
//! one: all that a key may purge, or a share of all hosts.
//!
//! An entry carries no marks of these: the index (`cache::purge::index`) compares them
//! with the entry's host and tags, and only if the entry is older than they
//! are. So a key's patterns may change at any time, and reach what was stored
//! before.

use super::selector::Selector;
use crate::cache::matching::key_scope::KeyScope;
use crate::http::url;
use std::fmt;

/// One of [`BUCKETS`] shares of all hosts. Its text is `bucket:17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostBucket(u16);

/// How many buckets there are: 1,024 marks of 20 bytes at most, and a purge of
/// one reaches a thousandth of all hosts.
pub const BUCKETS: u16 = 1024;

/// How the text of a bucket begins.
pub const BUCKET: &str = "bucket:";

impl HostBucket {
    /// The bucket that a host falls into, on all its ports.
    pub fn of_host(host: &str) -> Self {
        let mark = Selector::Host(url::host_name(host).to_owned()).mark();
        // Of 64 bits the upper ten, which a u16 holds.
        Self(u16::try_from(mark >> (64 - BUCKETS.ilog2())).unwrap_or_default())
    }

    /// Reads the text form.
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

/// What is purged beyond marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wide {
    /// All that a key may purge.
    Scope(KeyScope),
    /// All pages of a bucket's hosts.
    Bucket(HostBucket),
}

impl Wide {
    /// Reads the text form of one of them.
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
