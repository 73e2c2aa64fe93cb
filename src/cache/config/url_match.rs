//! Which URLs a rule is for.

use super::settings::RuleSettings;
use crate::cache::matching::glob::Glob;
use crate::http::url::{self, Url};

/// How many hexadecimal digits make a digest in a file's name: Django writes
/// 12, bundlers 8 to 64. With fewer, words would be taken for one.
const DIGEST_DIGITS: std::ops::RangeInclusive<usize> = 8..=64;

/// What must hold of a URL so that a rule is for it.
#[derive(Clone, Debug)]
pub struct Scope {
    host: Glob,
    path: Glob,
    /// The path of a profile's rule, which must hold as well.
    within: Option<Glob>,
    hashed: bool,
}

impl Scope {
    /// The URLs of a rule.
    pub(crate) fn of(rule: &RuleSettings) -> Self {
        Self {
            host: Glob::new(&url::host_pattern(rule.host.as_deref().unwrap_or("*"))),
            path: path_glob(rule),
            within: None,
            hashed: rule.hashed == Some(true),
        }
    }

    /// Those of them that a rule of a profile is for, too; `None` if there can
    /// be none.
    pub(crate) fn within(&self, beneath: &RuleSettings) -> Option<Self> {
        let within = path_glob(beneath);
        self.path.may_meet(&within).then(|| Self {
            within: Some(within),
            hashed: self.hashed || beneath.hashed == Some(true),
            ..self.clone()
        })
    }

    /// Whether a URL of canonical path is one of them.
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

/// Whether a file's name carries a digest of its bytes, as in
/// `blog.55e7cbb9ba48.css`: a part between two dots, of hexadecimal digits.
/// Decimal digits alone are a date or a number, and not taken for one.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    // Neither what stands before the first dot nor the file's type.
    let inner = name.rsplit_once('.').and_then(|(n, _)| n.split_once('.'));
    let digest = |part: &str| {
        DIGEST_DIGITS.contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_hexdigit())
            && !part.bytes().all(|b| b.is_ascii_digit())
    };
    inner.is_some_and(|(_, parts)| parts.split('.').any(digest))
}
