//! Facts about a stored response.

use crate::cache::key::variant::Choice;
use crate::cache::ledger::sequence::PurgeState;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::reuse::{ReuseVerdict, Unusable};
use crate::cache::purge::groups;
use crate::cache::purge::index::{By, PurgeIndex};
use crate::cache::purge::selector::selectors;
use crate::http::json_object::pairs;
use crate::http::url::Url;
use serde::Serialize;

/// A stored response, as the lookup of a request judges it. Times are in
/// seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CopyFacts {
    /// Its key in the Cache API, or the digest of its slot.
    pub slot: String,
    /// How the request may use it ([`verdict_word`]).
    pub verdict: &'static str,
    /// Its status code.
    pub status: u16,
    /// Current age (RFC 9111 §4.2.3).
    pub age: u64,
    /// Freshness lifetime minus age: negative if stale. A purge does not change
    /// it.
    pub ttl: i64,
    /// Freshness lifetime.
    pub lifetime: u64,
    /// The window after the lifetime in which it is served and refreshed.
    pub stale_while_revalidate: u64,
    /// The window after the lifetime in which it is served if the origin fails.
    pub stale_if_error: u64,
    /// Length of the body in bytes.
    pub length: Option<u64>,
    /// The `ETag`.
    pub etag: Option<String>,
    /// The `Last-Modified`.
    pub last_modified: Option<String>,
    /// The request fields that chose it as a variant, with their values.
    #[serde(serialize_with = "pairs::serialize")]
    pub vary: Vec<Choice>,
    /// Its tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The sequence number that its isolate had seen before the fill. A purge
    /// with a larger one applies.
    pub filled_under: u64,
    /// The purge that applies, if any.
    pub purge: Option<PurgeFacts>,
}

/// A purge that applies to a stored response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PurgeFacts {
    /// `hard` or `soft`.
    pub effect: &'static str,
    /// Its sequence number; `None` for a write that the ledger has not
    /// confirmed.
    pub sequence: Option<u64>,
    /// The selector that matches.
    pub by: String,
}

impl CopyFacts {
    /// The facts about an entry in a slot. `index` is `None` if the purge state
    /// is unknown.
    pub fn of(
        slot: &str,
        entry: &Entry,
        verdict: &'static str,
        index: Option<&PurgeIndex>,
        now_ms: u64,
    ) -> Self {
        let (terms, age) = (&entry.terms, entry.age(now_ms));
        let seconds = |seconds| i64::try_from(seconds).unwrap_or(i64::MAX);
        let field = |name| entry.fields.get(name).map(str::to_owned);
        Self {
            slot: slot.to_owned(),
            verdict,
            status: entry.status,
            age,
            ttl: seconds(terms.lifetime).saturating_sub(seconds(age)),
            lifetime: terms.lifetime,
            stale_while_revalidate: terms.stale_while_revalidate,
            stale_if_error: terms.stale_if_error,
            length: entry.length,
            etag: field("etag"),
            last_modified: field("last-modified"),
            vary: entry.choices.clone(),
            tags: entry.tags.clone(),
            filled_under: entry.seen,
            purge: index.and_then(|index| purge_of(entry, index)),
        }
    }
}

/// The purge that applies to an entry. It is `None` exactly if the entry is
/// alive ([`Entry::purge_state`]).
fn purge_of(entry: &Entry, index: &PurgeIndex) -> Option<PurgeFacts> {
    if index.unconfirmed.purges(entry.fetched()) {
        return Some(PurgeFacts {
            effect: "hard",
            sequence: None,
            by: "a write that the ledger has not confirmed".to_owned(),
        });
    }
    let cause = index.cause_of(entry.purgeable())?;
    Some(PurgeFacts {
        effect: match cause.effect {
            PurgeState::Hard => "hard",
            PurgeState::Soft | PurgeState::Alive => "soft",
        },
        sequence: Some(cause.sequence),
        by: match cause.by {
            By::Floor => "everything, or a purge so old that it counts as that".to_owned(),
            By::Mark(mark) => selector_of(entry, mark),
            By::Scope(scope) => scope.to_string(),
            By::Bucket(bucket) => bucket.to_string(),
        },
    })
}

/// The text of the selector that has this mark. An entry stores only marks, so
/// the selectors are made again, from its key, tags and groups.
fn selector_of(entry: &Entry, mark: u64) -> String {
    let url = entry.key.lines().next().unwrap_or_default();
    let groups = groups::named(&entry.fields, "cache-groups");
    let names = Url::parse(url).map(|url| selectors(&url, &entry.tags, &groups));
    let mut names = names.unwrap_or_default().into_iter();
    let found = names.find(|name| name.mark() == mark);
    found.map_or_else(|| format!("mark:{mark:016x}"), |name| name.to_string())
}

/// The word for how a request may use a stored response.
pub fn verdict_word(verdict: &ReuseVerdict) -> &'static str {
    match verdict {
        ReuseVerdict::Fresh(_) => "fresh",
        ReuseVerdict::Early(_) => "early-refresh",
        ReuseVerdict::WhileRevalidate(_) => "stale-while-revalidate",
        ReuseVerdict::Stale { on_error: true, .. } => "stale-if-error",
        ReuseVerdict::Stale { .. } => "revalidate",
        ReuseVerdict::OtherVariant(_) => "other-variant",
        ReuseVerdict::Unusable(Unusable::OtherKey) => "other-key",
        ReuseVerdict::Unusable(Unusable::Purged) => "purged",
        ReuseVerdict::Unusable(Unusable::Unauthorized) => "unauthorized",
    }
}
