//! What the notes of log lines say that the origin did not get.

use std::collections::BTreeMap;

/// The largest number of distinct names. Clients choose those of cookies.
const NAMES_MAX: usize = 1000;

/// The longest name in characters: as long as a note has it.
const NAME_CHARS_MAX: usize = 64;

/// A part of a request that was withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WithheldPart {
    /// A field that `Vary` names.
    Field,
    /// A cookie.
    Cookie,
}

/// How many requests each name was withheld of.
#[derive(Debug, Default)]
pub struct Withheld(BTreeMap<(WithheldPart, String), u64>);

impl Withheld {
    /// Reads a note of `flow::fetch::withheld`.
    pub fn add(&mut self, note: &str) {
        let between = |start: &str, end: &str| {
            let rest = note.split_once(start)?.1;
            Some(rest.split_once(end)?.0)
        };
        let (part, names) = match note.split(':').next() {
            Some("vary-on-dropped") => (
                WithheldPart::Field,
                between("varies on ", ", which the origin"),
            ),
            Some("cookie-withheld") => {
                (WithheldPart::Cookie, between("the cookies ", ". If pages"))
            }
            _ => return,
        };
        for name in names.unwrap_or_default().split(", ") {
            let key = (part, name.trim().to_owned());
            let fits = !key.1.is_empty() && key.1.chars().count() <= NAME_CHARS_MAX;
            if fits && (self.0.len() < NAMES_MAX || self.0.contains_key(&key)) {
                let count = self.0.entry(key).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    /// The names and their requests.
    pub fn names(&self) -> impl Iterator<Item = (WithheldPart, &str, u64)> {
        let all = self.0.iter();
        all.map(|((part, name), count)| (*part, name.as_str(), *count))
    }
}
