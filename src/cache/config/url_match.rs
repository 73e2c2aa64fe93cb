//! Matching of URLs by rules.

use super::settings::RuleSettings;
use crate::cache::matching::glob::Glob;
use crate::http::url::{self, Url};

/// The number of hexadecimal digits of a digest in a file name: Django writes
/// 12, bundlers 8 to 64. With a smaller number, some words would match.
const DIGEST_DIGITS: std::ops::RangeInclusive<usize> = 8..=64;

/// The conditions under which a rule matches a URL. All must be true.
#[derive(Clone, Debug)]
pub struct Scope {
    host: Glob,
    path: Glob,
    /// The path pattern of a profile's rule, which must match as well.
    within: Option<Glob>,
    hashed: bool,
}

impl Scope {
    /// The scope of a rule.
    pub(crate) fn of(rule: &RuleSettings) -> Self {
        Self {
            host: Glob::new(&url::host_pattern(rule.host.as_deref().unwrap_or("*"))),
            path: path_glob(rule),
            within: None,
            hashed: rule.hashed == Some(true),
        }
    }

    /// The URLs of this scope that a rule of a profile also matches. `None` if
    /// there cannot be any.
    pub(crate) fn within(&self, beneath: &RuleSettings) -> Option<Self> {
        let within = path_glob(beneath);
        self.path.may_overlap(&within).then(|| Self {
            within: Some(within),
            hashed: self.hashed || beneath.hashed == Some(true),
            ..self.clone()
        })
    }

    /// Whether a URL (with a canonical path) is in this scope.
    pub fn holds(&self, url: &Url) -> bool {
        self.path.matches(&url.path)
            && self.within.as_ref().is_none_or(|p| p.matches(&url.path))
            && self.host.matches(url.host_name())
            && (!self.hashed || is_hashed(&url.path))
    }
}

fn path_glob(rule: &RuleSettings) -> Glob {
    let path = rule.path.as_deref().unwrap_or("*");
    Glob::new(&url::canonical_path_pattern(path))
}

/// Whether a file name contains a digest, as in `blog.55e7cbb9ba48.css`: a part
/// between two dots, of hexadecimal digits. A part of decimal digits only is a
/// date or a number, and does not count.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    // Without the part before the first dot and the file's extension.
    let inner = name.rsplit_once('.').and_then(|(n, _)| n.split_once('.'));
    let digest = |part: &str| {
        DIGEST_DIGITS.contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_hexdigit())
            && !part.bytes().all(|b| b.is_ascii_digit())
    };
    inner.is_some_and(|(_, parts)| parts.split('.').any(digest))
}
