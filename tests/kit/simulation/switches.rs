//! The defences of the promises, and how the simulated world takes each
//! away: always from outside, in what the host, the disk or the world does.

use super::attack::{Failure, Position};
use super::promises::Promise;

macro_rules! switches {
    ($($name:ident, $promise:ident, $what:literal;)*) => {
        /// A defence that is taken away.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Switch {
            $(#[doc = $what] $name,)*
        }

        impl Switch {
            /// All of them.
            pub const ALL: &[Switch] = &[$(Switch::$name,)*];

            /// What the world does when it is on.
            pub fn what(self) -> &'static str {
                match self { $(Switch::$name => $what,)* }
            }

            /// The promise that is broken then.
            pub fn breaks(self) -> Promise {
                match self { $(Switch::$name => Promise::$promise,)* }
            }
        }
    };
}

switches! {
    // What an entry notes.
    SeenAfterFill, Hard, "a fill notes the purge number when it is stored, not before the origin was asked";
    SeenAfter304, Hard, "a 304 renews an entry with the number of when it is stored";
    SeenOfCopy, Hard, "a copy from KV to the Cache API gets the number of when it is stored";
    SeenOfCopyAtOnce, Soft, "a copy from KV to the Cache API gets the number of when it is made";
    TagsOf304, Hard, "a 304 that leaves tags out takes them from the entry";
    // When the index is looked at.
    IndexNotRenewedAfterRead, Hard, "the time that reading a tier takes does not age the index";
    IndexNotRenewedAfterOrigin, Hard, "the time that the origin takes does not age the index";
    IndexNotAskedAfterOrigin, Hard, "what was judged before the origin was asked holds when it fails";
    BoundNotKept, Hard, "isolates ask as if max_purge_lag were a minute";
    EmptyIndexTrusted, Hard, "an isolate that starts takes its empty index for complete";
    OrderNotObeyedAtOnce, Hard, "the answer to an order does not tell the order itself";
    // What news are worth.
    NewsDatedByArrival, Hard, "news count from when they came, not from when they were asked for";
    FailureCountsAsNews, Hard, "a question that failed makes the index young";
    FirstPageIsAll, Hard, "the first page of news counts as all";
    FloorNotTold, Hard, "news come without the floor";
    // What the isolates of a data centre tell each other.
    MarkerCountsAsNew, Hard, "the marker counts as new whenever it is read";
    MarkerByOwnClock, Hard, "the marker's time is read by the reader's own clock";
    LivesOfLedgerNotTold, Hard, "the clocks of the ledger's lives count as one";
    ClockComparedAtArrival, Hard, "the ledger's clock is compared when its answer comes";
    MarkerForgets, Hard, "a marker drops marks and does not say so";
    GapsNotNoticed, Hard, "a marker says that it begins at the beginning";
    CutNotesTaken, Hard, "a note that was cut off is taken";
    MarkerNotShared, Cost, "isolates do not tell each other";
    ReceiptClosesGap, Agreement, "an order alone makes an index complete that knew all before it";
    // What the ledger does.
    LedgerForgetsIds, Receipts, "the ledger forgets ids";
    DigestNotCompared, Receipts, "a used id with another body counts as a repeat";
    NumbersByClock, Hard, "numbers are the ledger's time";
    DroppedMarksLeaveNoFloor, Hard, "marks are dropped and the floor stays";
    NewLedgerStartsAtZero, Hard, "a new ledger starts at number 0";
    LivesCountedFromOne, Hard, "a new ledger counts its lives from 1";
    LedgerSwallowsErrors, Hard, "a mark that could not be written is taken as written";
    // Outages and writes.
    OutageAlwaysServes, Hard, "on_ledger_outage is always serve";
    OutageNotTold, Hard, "answers do not say that the index is old";
    WritesOrderNothing, Write, "a write orders nothing";
    WriteEndsWithClient, Write, "a write that its client leaves is not ended";
    // Variants and parts.
    OneSlotForAllTiers, Return, "a variant lies beside another in all tiers if it does in one, and is copied to where it lay";
    PartsTiedByNothing, Whole, "parts of different bodies seem to be of one";
    // Unruly origins: in storms.
    LengthNotCompared, Whole, "a body is stored whatever length its head says";
    BrokenBodiesKept, Whole, "what came of a body that broke off is stored";
    StaleIfErrorIgnored, Outlived, "nothing is served stale because the origin fails";
    KvNeverFinds, Outlived, "what only KV holds is not found";
    MustRevalidateIgnored, Windows, "must-revalidate does not forbid stale answers";
    CopiesAreNew, Windows, "a copy from KV to the Cache API is as young as if the origin had sent it";
    OriginsTimeNotCounted, Windows, "the time that the origin took does not count, nor the Age that it tells";
    UpstreamAgeIgnored, Windows, "the Age that the origin tells does not count";
    TimeLimitIgnored, Wait, "origin_timeout is not kept";
    LimitNotKept, Load, "an isolate may have as many requests in flight as there are";
    NobodyWaits, Collapsed, "each request asks the origin for itself";
    // Private pages: in storms.
    PrivateStored, Private, "what is private is stored";
    NoStoreStored, Private, "no-store is ignored";
    CookiesStored, Private, "what sets a cookie is stored";
    AuthorizedStored, Private, "answers to requests with Authorization are stored";
    SessionSentUnkeyed, Private, "the origin sees a session that is not in the key";
    // Attacks.
    LeaversNotSeen, Neighbour, "what a request holds whose client has left is not freed";
    UploadsCountAsSent, Neighbour, "what fails by a client's broken upload counts as the origin's failure";
    ReaderNotTold, Neighbour, "each request seems to come from another reader";
    WritesAreOrders, Neighbour, "the marks of writes count among those of orders that may purge all";
    ScopeNotTold, Neighbour, "the orders of a limited key widen to everything";
    RedirectsCount, Neighbour, "a redirect of any status invalidates its target";
    RefusalsForgiven, Neighbour, "a status that blames the request counts as one that blames the page";
    IdsOfOneKey, Receipts, "the ids of all keys are of one";
    EdgeTtlForAll, Private, "an answer to credentials may be stored as if the origin had said public";
    CommaHidesCookie, Private, "a cookie behind a comma is not found";
}

impl Switch {
    /// Whether it matters in storms.
    pub fn of_storms(self) -> bool {
        self as usize >= Self::LengthNotCompared as usize && !self.of_attacks()
    }

    /// Whether it matters in attacks.
    pub fn of_attacks(self) -> bool {
        self as usize >= Self::LeaversNotSeen as usize
    }

    /// The attacker against which it stands.
    pub fn position(self) -> Option<Position> {
        Some(match self {
            Self::LeaversNotSeen => Position::Leaver,
            Self::UploadsCountAsSent => Position::Uploader,
            Self::ReaderNotTold => Position::Prober(Failure::BadGateway),
            Self::ScopeNotTold => Position::Key,
            Self::WritesAreOrders => Position::Writer,
            Self::RedirectsCount => Position::Redirector,
            Self::RefusalsForgiven => Position::OddReader,
            Self::IdsOfOneKey => Position::Guesser,
            Self::EdgeTtlForAll | Self::CommaHidesCookie => Position::Members,
            _ => return None,
        })
    }

    /// Whether the ledger must be lost sometimes for it to matter.
    pub fn wants_loss(self) -> bool {
        matches!(
            self,
            Self::NewLedgerStartsAtZero | Self::LivesCountedFromOne
        )
    }
}
