//! Cascades: the purge of one tag also purges other tags. For example, the purge
//! of an article also purges the pages that list it.
//!
//! With `tag = "article:*"`, `carries = ["home", "feed"]`, an order that names
//! `article:7` also purges `home` and `feed`, and the tags that these carry.
//! Cycles are refused when the settings are read.

use super::error::{RulesError, wrong};
use super::settings::CascadeSettings;
use crate::cache::matching::glob::Glob;
use crate::cache::matching::tag::{RESERVED_TAG_PREFIX, is_reserved_tag, is_tag};
use std::collections::{HashMap, HashSet};

/// The largest number of cascades. Each costs a glob match for each tag of an
/// order: 50 x 1,000 matches of about 50 ns are 3 ms.
const CASCADES_MAX: usize = 50;

/// The largest number of tags that a cascade carries. 50 x 20 = 1,000 carried
/// tags at most double what an order writes to the ledger.
const CARRIES_MAX: usize = 20;

/// The largest number of steps from a tag to a tag that its purge also purges.
pub const CASCADE_DEPTH_MAX: usize = 8;

/// The largest cascade of an order, in bytes of all tags in [`Carried`]: in a
/// receipt, it adds as much as half an order.
pub const CASCADE_BYTES_MAX: usize = 64 * 1024;

/// The tags of an order that carry others, each with the tags that it carries.
pub type Carried = Vec<(String, Vec<String>)>;

/// The checked cascades, in the order of the settings.
#[derive(Debug, Default)]
pub struct Cascades(Vec<(Glob, Vec<String>)>);

impl Cascades {
    /// Checks the settings. Errors contain the path of the field.
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

    /// Checks that no cascade has a cycle or more than
    /// [`CASCADE_DEPTH_MAX`] steps.
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

    /// The number of steps from the last tag of `trail` to the furthest tag
    /// that it carries. `known` caches the results, so that each tag is visited
    /// once.
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

    /// The tags that a tag carries in one step, possibly with duplicates.
    fn carried_by(&self, tag: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(glob, _)| glob.matches(tag))
            .flat_map(|(_, carries)| carries.iter().map(String::as_str))
    }

    /// All tags that these tags carry, in the order in which they are found.
    /// Appends to `cascade` which tag carries which others. `None` if that
    /// would be longer than [`CASCADE_BYTES_MAX`].
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
