//! Tags that carry others along: a purge of one article is a purge of the
//! pages that list it.
//!
//! `tag = "article:*"`, `carries = ["home", "feed"]`: an order that names
//! `article:7` purges `home` and `feed` too, and what these carry. That this
//! ends is checked when the settings are read.

use super::error::{RulesError, wrong};
use super::settings::CascadeSettings;
use crate::cache::matching::glob::Glob;
use crate::cache::matching::tag::{RESERVED_TAG_PREFIX, is_reserved_tag, is_tag};
use std::collections::{HashMap, HashSet};

/// How many cascades there may be. Each costs a glob match for each tag of an
/// order: 50 x 1,000 matches of some 50 ns are 3 ms.
const CASCADES_MAX: usize = 50;

/// How many tags one of them may carry. 50 x 20 = 1,000 carried tags at most
/// double what an order writes to the ledger.
const CARRIES_MAX: usize = 20;

/// How many steps a tag may carry others by.
pub const CASCADE_DEPTH_MAX: usize = 8;

/// The longest list of what carried what, in bytes of its tags: as much again
/// as half an order in each receipt.
pub const CASCADE_BYTES_MAX: usize = 64 * 1024;

/// Which tags have carried which others.
pub type Carried = Vec<(String, Vec<String>)>;

/// The cascades, in the order of the settings.
#[derive(Debug, Default)]
pub struct Cascades(Vec<(Glob, Vec<String>)>);

impl Cascades {
    /// Checks the settings; errors name the path.
    pub fn check(settings: &[CascadeSettings]) -> Result<Self, RulesError> {
        if settings.len() > CASCADES_MAX {
            return Err(wrong(
                "cascades",
                format!("more than {CASCADES_MAX} cascades"),
            ));
        }
        for (at, cascade) in settings.iter().enumerate() {
            let path = |field: &str| format!("cascades[{at}].{field}");
            const TAG: &str = "a tag is 1 to 1024 printable characters without spaces and commas";
            if !is_tag(&cascade.tag) {
                return Err(wrong(&path("tag"), TAG));
            }
            if cascade.carries.is_empty() || cascade.carries.len() > CARRIES_MAX {
                let problem = format!("must name 1 to {CARRIES_MAX} tags");
                return Err(wrong(&path("carries"), problem));
            }
            for (number, tag) in cascade.carries.iter().enumerate() {
                let path = path(&format!("carries[{number}]"));
                if !is_tag(tag) {
                    return Err(wrong(&path, TAG));
                }
                if is_reserved_tag(tag) {
                    let problem =
                        format!("tags that begin with {RESERVED_TAG_PREFIX} are reserved");
                    return Err(wrong(&path, problem));
                }
                if tag.contains('*') {
                    return Err(wrong(&path, "what is carried is a tag, not a pattern"));
                }
            }
        }
        let compiled = settings
            .iter()
            .map(|cascade| (Glob::new(&cascade.tag), cascade.carries.clone()));
        let cascades = Self(compiled.collect());
        cascades.check_ends()?;
        Ok(cascades)
    }

    /// Checks that following what carries what always ends, and soon.
    fn check_ends(&self) -> Result<(), RulesError> {
        let mut known = HashMap::new();
        for (at, (_, carries)) in self.0.iter().enumerate() {
            for (number, tag) in carries.iter().enumerate() {
                let mut trail = vec![tag.as_str()];
                let steps = self.steps(&mut trail, &mut known);
                let problem = match steps {
                    Ok(steps) if steps < CASCADE_DEPTH_MAX => continue,
                    Ok(_) => format!("leads more than {CASCADE_DEPTH_MAX} steps on"),
                    Err(problem) => problem,
                };
                return Err(wrong(&format!("cascades[{at}].carries[{number}]"), problem));
            }
        }
        Ok(())
    }

    /// By how many steps the last tag of the trail carries others. `known`
    /// remembers them, so that each tag is looked at once.
    fn steps<'a>(
        &'a self,
        trail: &mut Vec<&'a str>,
        known: &mut HashMap<&'a str, usize>,
    ) -> Result<usize, String> {
        let tag = trail.last().copied().unwrap_or_default();
        if let Some(steps) = known.get(tag) {
            return Ok(*steps);
        }
        let mut steps = 0;
        for carried in self.carried_by(tag) {
            if trail.contains(&carried) {
                return Err(format!(
                    "comes back to itself: {} -> {carried}",
                    trail.join(" -> ")
                ));
            }
            if trail.len() >= CASCADE_DEPTH_MAX {
                return Err(format!(
                    "leads more than {CASCADE_DEPTH_MAX} steps on: {}",
                    trail.join(" -> ")
                ));
            }
            trail.push(carried);
            let further = self.steps(trail, known)?;
            trail.pop();
            steps = steps.max(further.saturating_add(1));
        }
        known.insert(tag, steps);
        Ok(steps)
    }

    /// What a tag carries at once; a tag may stand there twice.
    fn carried_by(&self, tag: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(glob, _)| glob.matches(tag))
            .flat_map(|(_, carries)| carries.iter().map(String::as_str))
    }

    /// All that these tags carry along, in the order in which it is found, and
    /// in `cascade` which tag carried which others. `None` if that is longer
    /// than [`CASCADE_BYTES_MAX`].
    pub fn expand<'a>(
        &'a self,
        tags: impl Iterator<Item = &'a str>,
        cascade: &mut Carried,
    ) -> Option<Vec<String>> {
        let mut all = Vec::new();
        if self.0.is_empty() {
            return Some(all);
        }
        let length = |tag: &str, carried: &[String]| {
            tag.len() + carried.iter().map(String::len).sum::<usize>()
        };
        let known = cascade.iter().map(|(tag, carried)| length(tag, carried));
        let mut bytes: usize = known.sum();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut next: Vec<&str> = tags.collect();
        while !next.is_empty() {
            let mut found = Vec::new();
            for tag in next {
                let mut once = HashSet::new();
                let carried = self.carried_by(tag).filter(|tag| once.insert(*tag));
                let carried: Vec<&str> = carried.collect();
                if carried.is_empty() || cascade.iter().any(|(known, _)| known == tag) {
                    continue;
                }
                let names: Vec<String> = carried.iter().map(|tag| (*tag).to_owned()).collect();
                bytes = bytes.saturating_add(length(tag, &names));
                if bytes > CASCADE_BYTES_MAX {
                    return None;
                }
                cascade.push((tag.to_owned(), names));
                found.extend(carried.into_iter().filter(|tag| seen.insert(tag)));
            }
            all.extend(found.iter().map(|tag| (*tag).to_owned()));
            next = found;
        }
        Some(all)
    }
}
