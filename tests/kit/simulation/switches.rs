//! The defences behind the promises, and how the simulated world switches each
//! off: always from outside, in the host, the disk or the world.

use super::attack::{Failure, Position};
use super::promises::Promise;

macro_rules! switches {
    ($($name:ident, $promise:ident, $what:literal;)*) => {
        /// A defence that is switched off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Switch {
            $(#[doc = $what] $name,)*
        }

        impl Switch {
            /// All of them.
            pub const ALL: &[Switch] = &[$(Switch::$name,)*];

            /// The behaviour of the world without the defence.
            pub fn what(self) -> &'static str {
                match self { $(Switch::$name => $what,)* }
            }

            /// The promise that is broken without the defence.
            pub fn breaks(self) -> Promise {
                match self { $(Switch::$name => Promise::$promise,)* }
            }
        }
    };
}

switches! {
    // The sequence number and tags of an entry.
    SeenAfterFill, Hard, "a fill records the sequence number when it is stored, not before the request to the origin";
    SeenAfter304, Hard, "an entry updated by a 304 gets the sequence number at the time of storing";
    SeenOfCopy, Hard, "a copy from KV to the Cache API gets the sequence number at the time of storing";
    SeenOfCopyAtOnce, Soft, "a copy from KV to the Cache API gets the sequence number at the time of copying";
    TagsDroppedBy304, Hard, "a 304 without tags removes the tags of the entry";
    // When the purge index is read.
    IndexNotRenewedAfterRead, Hard, "the time that reading a tier takes does not age the index";
    IndexNotRenewedAfterOrigin, Hard, "the time that the origin takes does not age the index";
    IndexNotCheckedAfterOrigin, Hard, "the purge index is not read again after the origin fails";
    LagNotKept, Hard, "isolates query the ledger as if max_purge_lag were a minute";
    EmptyIndexTrusted, Hard, "a new isolate treats its empty index as complete";
    OrderNotAppliedAtOnce, Hard, "the reply to an order does not contain the order itself";
    // The age and completeness of a feed.
    FeedDatedByArrival, Hard, "the age of a feed counts from its arrival, not from the query";
    FailureCountsAsFeed, Hard, "a failed query refreshes the index";
    FirstPageIsAll, Hard, "the first page of a feed counts as complete";
    FloorNotSent, Hard, "a feed has no floor";
    // Snapshots shared by the isolates of a data centre.
    SnapshotCountsAsNew, Hard, "the snapshot counts as new at each read";
    SnapshotByOwnClock, Hard, "the snapshot's time is read as a time of the isolate's own clock";
    LedgerRunsNotCompared, Hard, "times of different ledger instances are compared";
    ClockComparedAtArrival, Hard, "the ledger's clock is compared at the arrival of its response";
    SnapshotDropsMarks, Hard, "a snapshot drops marks, but claims to be complete";
    GapsIgnored, Hard, "a snapshot claims to begin at the first purge";
    CutNotesAccepted, Hard, "a truncated note is accepted";
    SnapshotNotShared, Cost, "isolates share no snapshots";
    ReceiptClosesGap, Agreement, "a receipt closes the gap before its order";
    // The ledger.
    IdsNotStored, Receipts, "the ledger does not find ids";
    DigestNotCompared, Receipts, "a used id with another body counts as a repeat";
    NumbersByClock, Hard, "sequence numbers are the ledger's time";
    DroppedMarksLeaveNoFloor, Hard, "marks are dropped, and the floor does not rise";
    NewLedgerStartsAtZero, Hard, "a new ledger starts at number 0";
    LedgerRunsStartAtOne, Hard, "a new ledger counts its runs from 1";
    LedgerIgnoresErrors, Hard, "a failed write of a mark counts as successful";
    // Outages and writes.
    OutageAlwaysServes, Hard, "on_ledger_outage is always serve";
    OutageNotReported, Hard, "responses do not report that the index is old";
    WritesDoNotPurge, Write, "a write purges nothing";
    WriteEndsWithClient, Write, "the purge of a write ends when its client aborts";
    // Variants and parts.
    OneSlotForAllTiers, Return, "a variant is stored in one slot for all tiers, and copied to the slot in which KV has it";
    PartsNotCompared, Whole, "parts of different bodies are joined";
    // Failing origins, in storms.
    LengthNotCompared, Whole, "a body is stored even if its length differs from its head";
    BrokenBodiesStored, Whole, "a body that broke off is stored";
    StaleIfErrorIgnored, StaleIfError, "no stale response is served when the origin fails";
    KvAlwaysMisses, StaleIfError, "KV returns no entry";
    MustRevalidateIgnored, Windows, "must-revalidate does not forbid stale responses";
    CopiesCountAsNew, Windows, "a copy from KV to the Cache API counts as received at the time of copying";
    OriginTimeNotCounted, Windows, "neither the origin's response time nor its Age counts";
    UpstreamAgeIgnored, Windows, "the origin's Age does not count";
    TimeLimitIgnored, Wait, "origin_timeout is not kept";
    ConcurrencyLimitIgnored, Load, "an isolate has no limit of requests in flight";
    CollapsingOff, Collapsed, "requests are not collapsed";
    // Private pages, in storms.
    PrivateStored, Private, "private responses are stored";
    NoStoreStored, Private, "no-store is ignored";
    CookiesStored, Private, "responses with Set-Cookie are stored";
    AuthorizedStored, Private, "responses to requests with Authorization are stored";
    SessionSentUnkeyed, Private, "the origin receives a session that is not in the cache key";
    // Attacks.
    AbortsIgnored, Neighbour, "an aborted request does not release its permits and flights";
    UploadsCountAsSent, Neighbour, "a failed upload of a client counts as a failure of the origin";
    ReaderNotIdentified, Neighbour, "each request has another client address";
    WritesCountAsOrders, Neighbour, "marks of writes count towards the limit of orders that may purge everything";
    ScopeNotSent, Neighbour, "the orders of a limited key widen to everything";
    RedirectsInvalidate, Neighbour, "a redirect of any status invalidates its target";
    RefusalsBlamePage, Neighbour, "a 4xx status that concerns only the request counts for the page";
    IdsSharedByKeys, Receipts, "all keys share their ids";
    EdgeTtlForAll, Private, "responses to requests with credentials are stored as if they were public";
    CommaHidesCookie, Private, "a cookie behind a comma is not found";
}

impl Switch {
    /// Whether storms show its effect.
    pub fn of_storms(self) -> bool {
        self as usize >= Self::LengthNotCompared as usize && !self.of_attacks()
    }

    /// Whether attacks show its effect.
    pub fn of_attacks(self) -> bool {
        self as usize >= Self::AbortsIgnored as usize
    }

    /// The attack that it defends against.
    pub fn position(self) -> Option<Position> {
        Some(match self {
            Self::AbortsIgnored => Position::Leaver,
            Self::UploadsCountAsSent => Position::Uploader,
            Self::ReaderNotIdentified => Position::Prober(Failure::BadGateway),
            Self::ScopeNotSent => Position::Key,
            Self::WritesCountAsOrders => Position::Writer,
            Self::RedirectsInvalidate => Position::Redirector,
            Self::RefusalsBlamePage => Position::OddReader,
            Self::IdsSharedByKeys => Position::Guesser,
            Self::EdgeTtlForAll | Self::CommaHidesCookie => Position::Members,
            _ => return None,
        })
    }

    /// Whether only the loss of the ledger's database shows its effect.
    pub fn needs_ledger_loss(self) -> bool {
        matches!(
            self,
            Self::NewLedgerStartsAtZero | Self::LedgerRunsStartAtOne
        )
    }
}
