//! The ledger's response to a query for purges, and its text form.
//!
//! The text is sent from the ledger to isolates. It is also stored in the Cache
//! API as a snapshot, for the other isolates of the data centre. The first line
//! has the numbers, each further line a mark, and a full stop ends the text.
//! The mark of a write begins with `w`; wide purges have a text
//! (`cache::purge::wide`):
//!
//! ```text
//! N1 0 9 1 0 0 3 1795424400000
//! 00c3…f1 7 0
//! w18d0…07 8 0
//! scope:h=*.a.test,t=a-* 9 0
//! .
//! ```
//!
//! Earlier versions reject the last two kinds of lines. The ledger sends them
//! [`PurgeFeed::plain`].

use super::selector::{EVERYTHING, mark_of};
use super::wide::Wide;
use crate::cache::config::limits::DAY_MS;
use crate::cache::ledger::sequence::Numbers;
use crate::cache::ledger::wire::{Receipt, numbers};
use std::collections::HashMap;
use std::fmt::Write;

/// A time of the ledger's clock.
///
/// Clocks of different machines may differ by minutes. So a time is compared
/// only with times of the same clock. Each query shows an isolate how far the
/// ledger's clock is ahead of its own (`flow::purge::sync`), and `run`
/// distinguishes the clocks of the ledger's successive instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerTime {
    /// The instance of the ledger's object: about the time when it started, so
    /// that a lost ledger and the next one never have the same value.
    pub run: u64,
    /// Milliseconds since 1970, by the clock of that instance.
    pub ms: u64,
}

/// The purges with sequence numbers above `after`, up to `sequence`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgeFeed {
    /// The start: purges up to this number are not included.
    pub after: u64,
    /// The number up to which it is complete.
    pub sequence: u64,
    /// Whether no later purges existed when it was made. If false, query again
    /// from `sequence`.
    pub complete: bool,
    /// The floor: all entries with a smaller number are purged, hard or softly.
    pub floor: Numbers,
    /// When it was made.
    pub at: LedgerTime,
    /// How many entries all isolates have written to KV on the day of `at`, if
    /// writes are counted (`cache::store::kv_write_budget`).
    pub kv_writes: Option<u64>,
    /// Marks purged by orders, with their largest numbers.
    pub marks: Vec<(u64, Numbers)>,
    /// Marks purged by writes, with their largest numbers.
    pub writes: Vec<(u64, Numbers)>,
    /// Wide purges, with their largest numbers.
    pub wide: Vec<(Wide, Numbers)>,
}

/// The text is not a purge feed, or is truncated.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a purge feed, or cut off")]
pub struct InvalidFeed;

/// Format versions: without the count of KV writes, and with it as one more
/// number. The ledger sends the second only to isolates that ask for the count.
/// Isolates of earlier versions that find it in the snapshot ignore it.
const VERSION: &str = "N1";
const VERSION_WITH_KV: &str = "N2";

/// The largest number in a feed. The ledger accesses its database through
/// JavaScript, which is exact up to 2^53 - 1. Sequence numbers begin at the
/// milliseconds since 1970, so they reach this in 287,000 years.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// The largest number of marks in one feed, beyond those of its last order.
/// 20,000 lines of 46 bytes are 0.9 MB; a row of SQLite in a Durable Object
/// holds 2 MB.
pub const FEED_MARKS_MAX: usize = 20_000;

impl PurgeFeed {
    /// Returns the text form.
    pub fn encode(&self) -> String {
        let mut text = self.first_line();
        for (mark, numbers) in &self.marks {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{mark:016x} {} {}", numbers.hard, numbers.soft);
        }
        for (mark, numbers) in &self.writes {
            let _ = writeln!(text, "w{mark:016x} {} {}", numbers.hard, numbers.soft);
        }
        for (wide, numbers) in &self.wide {
            let _ = writeln!(text, "{wide} {} {}", numbers.hard, numbers.soft);
        }
        text.push('.');
        text
    }

    /// Returns the first line of the text form. The ledger writes the other
    /// lines itself.
    pub fn first_line(&self) -> String {
        let (Numbers { hard, soft }, LedgerTime { run, ms }) = (self.floor, self.at);
        let complete = u8::from(self.complete);
        let (after, sequence) = (self.after, self.sequence);
        let numbers = format!("{after} {sequence} {complete} {hard} {soft} {run} {ms}");
        match self.kv_writes {
            None => format!("{VERSION} {numbers}\n"),
            Some(writes) => format!("{VERSION_WITH_KV} {numbers} {writes}\n"),
        }
    }

    /// Parses the text form.
    pub fn decode(text: &str) -> Result<Self, InvalidFeed> {
        let mut lines = text.split('\n');
        let first = lines.next().and_then(Self::numbers);
        let mut feed = first.filter(Self::is_sound).ok_or(InvalidFeed)?;
        for line in &mut lines {
            if line == "." {
                return lines.next().map_or(Ok(feed), |_| Err(InvalidFeed));
            }
            let parsed = read_line(line).filter(|(_, numbers)| numbers.newest() <= feed.sequence);
            match parsed.ok_or(InvalidFeed)? {
                (Line::Mark(mark), numbers) => feed.marks.push((mark, numbers)),
                (Line::Write(mark), numbers) => feed.writes.push((mark, numbers)),
                (Line::Wide(wide), numbers) => feed.wide.push((wide, numbers)),
            }
        }
        Err(InvalidFeed)
    }

    /// Whether the numbers are possible. With a number far ahead, an isolate
    /// would miss all purges up to it.
    fn is_sound(&self) -> bool {
        let largest = self.sequence.max(self.floor.newest());
        let largest = largest.max(self.kv_writes.unwrap_or(0));
        self.after <= self.sequence && largest <= NUMBER_MAX
    }

    fn numbers(line: &str) -> Option<Self> {
        let (version, rest) = line.split_once(' ')?;
        let numbers: Option<Vec<u64>> = rest.split(' ').map(|n| n.parse().ok()).collect();
        let mut numbers = numbers?;
        let kv_writes = match version {
            VERSION => None,
            VERSION_WITH_KV => Some(numbers.pop()?),
            _ => return None,
        };
        let [after, sequence, complete, hard, soft, run, ms] = numbers.try_into().ok()?;
        Some(Self {
            after,
            sequence,
            complete: complete == 1,
            floor: Numbers { hard, soft },
            at: LedgerTime { run, ms },
            kv_writes,
            ..Self::default()
        })
    }

    /// How many lines the text form has beyond the first.
    pub fn len(&self) -> usize {
        let marks = self.marks.len().saturating_add(self.writes.len());
        marks.saturating_add(self.wide.len())
    }

    /// Whether it has no marks and no wide purges; it may still have a floor.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the numbers alone: a feed that begins at `sequence`.
    #[must_use]
    pub fn without_marks(&self) -> Self {
        Self {
            after: self.sequence,
            marks: Vec::new(),
            writes: Vec::new(),
            wide: Vec::new(),
            ..*self
        }
    }

    /// Returns the feed for versions that do not support marks of writes and
    /// wide purges. Marks of writes become marks, and wide purges become a
    /// floor: that purges too much, never too little.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.marks.append(&mut self.writes);
        for (_, numbers) in self.wide.drain(..) {
            self.floor.raise(numbers);
        }
        self
    }

    /// Returns the purges of one order, without those before it. It never makes
    /// an index complete: the order's selectors may have been purged before,
    /// and the ledger sends only the later number of both.
    pub fn of_receipt(receipt: &Receipt) -> Self {
        let sequence = receipt.sequence;
        let of_write = receipt.key.is_none();
        let mut feed = Self {
            after: sequence,
            sequence,
            ..Self::default()
        };
        for (names, soft) in [(&receipt.hard, false), (&receipt.soft, true)] {
            for name in names {
                let raised = numbers(sequence, soft);
                match name.as_str() {
                    EVERYTHING => feed.floor.raise(raised),
                    name if of_write => feed.writes.push((mark_of(name), raised)),
                    name => feed.marks.push((mark_of(name), raised)),
                }
            }
        }
        feed
    }

    /// Returns this feed and a later one, merged, if they connect.
    pub fn followed_by(&self, later: &Self) -> Option<Self> {
        if later.after > self.sequence || later.sequence < self.sequence {
            return None;
        }
        let mut floor = later.floor;
        floor.raise(self.floor);
        // The feed of an order has no count; the last count stays valid for its
        // day.
        let same_day = self.at.ms / DAY_MS == later.at.ms / DAY_MS;
        Some(Self {
            after: self.after.min(later.after),
            floor,
            kv_writes: later.kv_writes.or(self.kv_writes.filter(|_| same_day)),
            marks: joined(&self.marks, &later.marks),
            writes: joined(&self.writes, &later.writes),
            wide: joined_wide(&self.wide, &later.wide),
            ..*later
        })
    }
}

/// Merges two lists of marks. Each mark keeps its largest numbers.
fn joined(one: &[(u64, Numbers)], other: &[(u64, Numbers)]) -> Vec<(u64, Numbers)> {
    let mut marks: HashMap<u64, Numbers> = one.iter().copied().collect();
    for (mark, numbers) in other {
        marks.entry(*mark).or_default().raise(*numbers);
    }
    marks.into_iter().collect()
}

fn joined_wide(one: &[(Wide, Numbers)], other: &[(Wide, Numbers)]) -> Vec<(Wide, Numbers)> {
    let mut all = one.to_vec();
    for (wide, numbers) in other {
        match all.iter_mut().find(|(known, _)| known == wide) {
            Some((_, known)) => known.raise(*numbers),
            None => all.push((wide.clone(), *numbers)),
        }
    }
    all
}

/// The content of a line.
enum Line {
    Mark(u64),
    Write(u64),
    Wide(Wide),
}

fn read_line(line: &str) -> Option<(Line, Numbers)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let hard = words.next()?.parse().ok()?;
    let soft = words.next()?.parse().ok()?;
    if words.next().is_some() {
        return None;
    }
    let mark = |digits: &str| {
        let whole = digits.len() == 16;
        whole.then(|| u64::from_str_radix(digits, 16).ok())?
    };
    let line = match name.strip_prefix('w') {
        Some(digits) => Line::Write(mark(digits)?),
        None if name.contains(':') => Line::Wide(Wide::read(name)?),
        None => Line::Mark(mark(name)?),
    };
    Some((line, Numbers { hard, soft }))
}
