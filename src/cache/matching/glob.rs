//! Patterns with `*`, as in Cloudflare's routes: `*` matches any run of
//! characters, `/` included.

/// A pattern. Matching takes at most pattern length times text length steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// The pattern of this text.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text that matches both patterns may exist. `false` is certain,
    /// `true` is not.
    pub fn may_overlap(&self, other: &Self) -> bool {
        match (self.0.split_once('*'), other.0.split_once('*')) {
            (None, _) => other.matches(&self.0),
            (_, None) => self.matches(&other.0),
            (Some((ours, _)), Some((theirs, _))) => {
                ours.starts_with(theirs) || theirs.starts_with(ours)
            }
        }
    }

    /// Whether the pattern matches the whole text, case-sensitively.
    pub fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }
}

/// Whether `pattern` matches the whole of `text`, case-sensitively.
pub fn matches(pattern: &str, text: &str) -> bool {
    // Fast path for `*suffix`: compares only the end of a long text.
    if let Some(end) = pattern.strip_prefix('*')
        && !end.contains('*')
    {
        return text.ends_with(end);
    }
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // The positions from which to retry if the text does not match what
    // follows the last star: the star then matches one more character.
    // Earlier stars need no retry.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            // Most patterns end with a star.
            (Some(b'*'), _) if p + 1 == pattern.len() => return true,
            (Some(b'*'), _) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            (Some(wanted), Some(found)) if wanted == found => {
                p += 1;
                t += 1;
            }
            (None, None) => return true,
            _ => match retry {
                Some((after_star, from)) if from < text.len() => {
                    retry = Some((after_star, from + 1));
                    p = after_star;
                    t = from + 1;
                }
                _ => return false,
            },
        }
    }
}
