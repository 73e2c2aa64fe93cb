//! Parser of the regular expressions that Varnish clients send, if they
//! describe a list of texts: `^/blog/.*`, `((^|,)cat_p_7(,|$))` and
//! alternations of these, but not `.*\.css`.
//!
//! Nothing is matched here. An expression is expanded into its list of texts,
//! each with what may precede and follow it. An expression that cannot be
//! expanded is an error, never a guess. A dot without a quantifier is read as a
//! literal dot: plug-ins send URLs and tags unescaped.

use super::order::{ORDER_BYTES_MAX, SELECTORS_MAX};

/// The longest pattern, in bytes: twice the limit of a field in Varnish
/// (`http_req_hdr_len`, 8 KB by default), at which its clients split.
pub const PATTERN_BYTES_MAX: usize = 16 * 1024;

/// The greatest depth of nested groups. Magento's have two levels.
const DEPTH_MAX: usize = 8;

/// The largest number of joins of texts for one pattern: 50 for each of the
/// texts that it may contain. A branch of Magento's, `((^|,)cat_p_7(,|$))`,
/// takes 4. A join takes about 20 ns, so all of them 1 ms. Without this limit,
/// 1,000 branches and `$` 14,000 times would take 14 million joins within
/// [`PATTERN_BYTES_MAX`].
pub const JOINS_MAX: usize = 50 * SELECTORS_MAX;

/// One of the texts in a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    /// Whether the text must be at the start (`^`).
    pub anchored: bool,
    /// The text, unescaped.
    pub text: String,
    /// What may follow the text.
    pub end: End,
}

/// What may follow a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Unspecified, so anything.
    #[default]
    Open,
    /// Anything (`.*`).
    Rest,
    /// Nothing, or a `/` and anything.
    Below,
    /// Nothing, or a `?` and anything.
    Queries,
    /// Nothing (`$`), or a separator of tags.
    Closed,
}

/// Why a pattern cannot be expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// Its form is not supported.
    Unknown,
    /// It contains more than [`SELECTORS_MAX`] texts, more than
    /// [`ORDER_BYTES_MAX`] bytes of them, is longer than [`PATTERN_BYTES_MAX`],
    /// or takes more than [`JOINS_MAX`] joins.
    TooLarge,
}

/// Groups that stand for a boundary after a text, with the `?` behind the group
/// where it is required. Sources: Magento 2 (`((^|,)%s(,|$))`), FOSHttpCache
/// (`(%s)(,.+)?$`), Drupal's VCL examples.
const BOUNDARIES: [(&str, End); 18] = [
    ("(,|$)", End::Closed),
    ("($|,)", End::Closed),
    ("(\\s|$)", End::Closed),
    ("($|\\s)", End::Closed),
    ("( |$)", End::Closed),
    ("($| )", End::Closed),
    ("(,.+)?", End::Closed),
    ("(,.*)?", End::Closed),
    ("(/|$)", End::Below),
    ("($|/)", End::Below),
    ("(/.*)?", End::Below),
    ("(/.+)?", End::Below),
    ("(/.*|$)", End::Below),
    ("(\\?|$)", End::Queries),
    ("($|\\?)", End::Queries),
    ("(\\?.*)?", End::Queries),
    ("(\\?.+)?", End::Queries),
    ("(\\?.*|$)", End::Queries),
];

/// Groups that stand for a boundary before a text.
const STARTS: [&str; 6] = ["(^|,)", "(,|^)", "(^|\\s)", "(\\s|^)", "(^| )", "( |^)"];

/// Returns the texts in a pattern.
pub fn expand(pattern: &str) -> Result<Vec<Branch>, PatternError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(PatternError::TooLarge);
    }
    let mut reader = Reader {
        rest: pattern,
        joins: 0,
    };
    let branches = reader.alternatives(0)?;
    match reader.rest.is_empty() {
        true => Ok(branches),
        false => Err(PatternError::Unknown),
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// How many joins were made so far.
    joins: usize,
}

impl Reader<'_> {
    /// Consumes `text` if the rest begins with it.
    fn takes(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Consumes a text that begins with `(` if the rest begins with it, or with
    /// the same group in non-capturing form (`(?:`).
    fn takes_group(&mut self, text: &str) -> bool {
        let inner = text.strip_prefix('(').unwrap_or(text);
        let quiet = self.rest.strip_prefix("(?:");
        match quiet.and_then(|rest| rest.strip_prefix(inner)) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => self.takes(text),
        }
    }

    /// Parses `a|b|c`, up to a `)` or the end.
    fn alternatives(&mut self, depth: usize) -> Result<Vec<Branch>, PatternError> {
        if depth > DEPTH_MAX {
            return Err(PatternError::Unknown);
        }
        let mut all = Vec::new();
        loop {
            all.extend(self.sequence(depth)?);
            check_size(&all)?;
            if !self.takes("|") {
                return Ok(all);
            }
        }
    }

    /// Parses a sequence of elements, up to a `|`, a `)` or the end.
    fn sequence(&mut self, depth: usize) -> Result<Vec<Branch>, PatternError> {
        let mut left = vec![Branch::default()];
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let right = self.element(depth)?;
            let more = left.len().saturating_mul(right.len());
            self.joins = self.joins.saturating_add(more);
            if self.joins > JOINS_MAX {
                return Err(PatternError::TooLarge);
            }
            left = product(left, &right)?;
        }
        Ok(left)
    }

    fn element(&mut self, depth: usize) -> Result<Vec<Branch>, PatternError> {
        let end = |end| {
            Ok(vec![Branch {
                end,
                ..Branch::default()
            }])
        };
        if STARTS.iter().any(|group| self.takes_group(group)) || self.takes("^") {
            return Ok(vec![Branch {
                anchored: true,
                ..Branch::default()
            }]);
        }
        if let Some((_, found)) = BOUNDARIES.iter().find(|(group, _)| self.takes_group(group)) {
            return end(*found);
        }
        if self.takes("$") {
            return end(End::Closed);
        }
        if self.takes(".*") || self.takes(".+") {
            self.takes("?");
            return end(End::Rest);
        }
        if self.takes_group("(") {
            let group = self.alternatives(depth.saturating_add(1))?;
            let closed = self.takes(")") && !self.rest.starts_with(['*', '+', '?', '{']);
            return closed.then_some(group).ok_or(PatternError::Unknown);
        }
        // Some clients send a glob: `/blog/*`.
        if self.takes("*") {
            return end(End::Rest);
        }
        // `^/about/?$`
        if self.takes("/?") {
            return end(End::Below);
        }
        self.literal()
    }

    /// Parses characters up to the next one with a special meaning.
    fn literal(&mut self) -> Result<Vec<Branch>, PatternError> {
        let mut text = String::new();
        loop {
            let mut chars = self.rest.chars();
            let char = match chars.next() {
                Some('\\') => match chars.next() {
                    Some(escaped) if escaped.is_ascii_punctuation() => escaped,
                    _ => return Err(PatternError::Unknown),
                },
                Some('.') if chars.as_str().starts_with(['*', '+']) => break,
                Some('/') if chars.as_str().starts_with('?') => break,
                None | Some('^' | '$' | '(' | ')' | '|' | '*') => break,
                Some('[' | ']' | '{' | '}' | '+' | '?') => return Err(PatternError::Unknown),
                Some(char) => char,
            };
            // A quantifier after the character. Only `/*` is supported, as a
            // glob.
            match chars.as_str().chars().next() {
                Some('?' | '+' | '{') => return Err(PatternError::Unknown),
                Some('*') if char != '/' => return Err(PatternError::Unknown),
                _ => {}
            }
            text.push(char);
            self.rest = chars.as_str();
        }
        match text.is_empty() {
            true => Err(PatternError::Unknown),
            false => Ok(vec![Branch {
                text,
                ..Branch::default()
            }]),
        }
    }
}

/// Returns each of `left` joined with each of `right`.
fn product(left: Vec<Branch>, right: &[Branch]) -> Result<Vec<Branch>, PatternError> {
    if let [one] = right {
        let joined: Result<Vec<Branch>, _> = left.into_iter().map(|a| join(a, one)).collect();
        let joined = joined?;
        check_size(&joined)?;
        return Ok(joined);
    }
    if left.len().saturating_mul(right.len()) > SELECTORS_MAX {
        return Err(PatternError::TooLarge);
    }
    let mut joined = Vec::new();
    let mut bytes: usize = 0;
    for a in &left {
        for b in right {
            let branch = join(a.clone(), b)?;
            bytes = bytes.saturating_add(branch.text.len());
            if bytes > ORDER_BYTES_MAX {
                return Err(PatternError::TooLarge);
            }
            joined.push(branch);
        }
    }
    Ok(joined)
}

fn check_size(branches: &[Branch]) -> Result<(), PatternError> {
    let bytes: usize = branches.iter().map(|branch| branch.text.len()).sum();
    match branches.len() > SELECTORS_MAX || bytes > ORDER_BYTES_MAX {
        true => Err(PatternError::TooLarge),
        false => Ok(()),
    }
}

/// Returns `a` followed by `b`.
fn join(mut a: Branch, b: &Branch) -> Result<Branch, PatternError> {
    let a_is_empty = a.text.is_empty() && a.end == End::Open;
    let only_ends = b.text.is_empty() && !b.anchored;
    match (a.end, b.end) {
        _ if b.anchored && (!a_is_empty || a.anchored) => Err(PatternError::Unknown),
        (End::Open, _) => {
            a.anchored |= b.anchored;
            a.text.push_str(&b.text);
            a.end = b.end;
            Ok(a)
        }
        // What ends or continues here may also end here.
        (_, End::Open | End::Closed) if only_ends => Ok(a),
        _ => Err(PatternError::Unknown),
    }
}
