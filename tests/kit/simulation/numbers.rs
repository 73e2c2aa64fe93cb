//! Sums over the traffic of a world.

use super::page::Bytes;
use super::promises::{has_detail, parameter, status_of};
use super::waves::Kind;
use edgekeep::flow::response::reply::Answer;
use std::collections::BTreeMap;

/// Sums over the requests of one kind of wave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub answers: u64,
    /// Responses from the cache, without a request to the origin.
    pub hits: u64,
    /// Responses from another request's fetch.
    pub collapsed: u64,
    /// Stale responses, with or without a request to the origin.
    pub stale: u64,
    /// Responses with 5xx.
    pub errors: u64,
    /// Requests to the origin, including background refreshes.
    pub origin: u64,
    /// The longest wait for a response.
    pub wait_ms: u64,
    /// The most requests that one isolate had in flight to one origin.
    pub in_flight: u64,
}

pub type Numbers = BTreeMap<Kind, Sums>;

impl Sums {
    /// Counts a response.
    pub fn add_answer(&mut self, answer: &Answer<Bytes>, wait_ms: u64) {
        let has = |wanted| status_of(answer).split("; ").any(|word| word == wanted);
        let hit = has("hit");
        let old = hit && parameter(answer, "ttl").is_some_and(|ttl| ttl <= 0);
        self.answers += 1;
        self.hits += u64::from(hit);
        self.collapsed += u64::from(has("collapsed"));
        self.stale += u64::from(old || has_detail(answer, "stale-if-error"));
        self.errors += u64::from(answer.status >= 500);
        self.wait_ms = self.wait_ms.max(wait_ms);
    }

    pub fn add(&mut self, other: &Self) {
        self.answers += other.answers;
        self.hits += other.hits;
        self.collapsed += other.collapsed;
        self.stale += other.stale;
        self.errors += other.errors;
        self.origin += other.origin;
        self.wait_ms = self.wait_ms.max(other.wait_ms);
        self.in_flight = self.in_flight.max(other.in_flight);
    }
}

/// Adds the numbers of one world to those of others.
pub fn add(all: &mut Numbers, one: &Numbers) {
    for (kind, sums) in one {
        all.entry(*kind).or_default().add(sums);
    }
}

/// The numbers as a table.
pub fn table(numbers: &Numbers) -> String {
    let mut text = format!(
        "{:>8} {:>9} {:>7} {:>10} {:>7} {:>7} {:>8} {:>10} {:>10}\n",
        "wave", "answers", "hits", "collapsed", "stale", "5xx", "origin", "in flight", "wait"
    );
    for (kind, sums) in numbers {
        let kind = format!("{kind:?}").to_lowercase();
        let percent = |part: u64| 100.0 * part as f64 / sums.answers.max(1) as f64;
        let Sums {
            answers,
            origin,
            in_flight,
            ..
        } = sums;
        let (hits, collapsed, stale, errors) = (
            percent(sums.hits),
            percent(sums.collapsed),
            percent(sums.stale),
            percent(sums.errors),
        );
        let wait = sums.wait_ms as f64 / 1000.0;
        text += &format!(
            "{kind:>8} {answers:>9} {hits:>6.1}% {collapsed:>9.1}% {stale:>6.1}% {errors:>6.1}% \
             {origin:>8} {in_flight:>10} {wait:>8.1} s\n"
        );
    }
    text
}
