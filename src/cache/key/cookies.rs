//! Cookies of requests and responses: how they are read and removed, and which
//! of them prevent storing a response.

use crate::cache::config::rule::Rule;
use crate::cache::matching::glob::Glob;
use crate::cache::profiles::session_cookies::{is_csrf_cookie, is_of_session};
use crate::http::fields::Fields;
use crate::http::list;

/// Removes the cookies of a request for whose name `fits` is true. Each is
/// removed up to the next `;`, with what follows a comma in it.
pub fn drop(fields: &mut Fields, fits: impl Fn(&str) -> bool) {
    if !pairs(fields).any(|(name, _)| fits(name)) {
        return;
    }
    let mut left: Vec<&str> = Vec::new();
    for text in fields.all("cookie").flat_map(|line| line.split(';')) {
        let cut = cookies_of(text).find(|(_, name, _)| fits(name));
        let kept = cut.map_or(text, |(at, _, _)| text.get(..at).unwrap_or_default());
        left.push(kept.trim_matches([' ', '\t', ',']));
    }
    left.retain(|text| !text.is_empty());
    let left = left.join("; ");
    fields.remove("cookie");
    if !left.is_empty() {
        fields.add("cookie", left);
    }
}

/// Whether a response sets a cookie that matches one of `names`.
pub fn sets(fields: &Fields, names: &[Glob]) -> bool {
    set_by(fields).any(|name| names.iter().any(|glob| glob.matches(name)))
}

/// The names of the cookies that a response sets: the name at the start of each
/// line, and each name after a comma, because a proxy may have joined several
/// lines by commas. (After the comma of an `Expires` there is no name.)
fn set_by(fields: &Fields) -> impl Iterator<Item = &str> {
    fields.all("set-cookie").flat_map(|line| {
        let end = line.find(['=', ';']).unwrap_or(line.len());
        let first = line.get(..end);
        let behind = line.split(',').skip(1).filter_map(|part| {
            let pair = part.split(';').next().unwrap_or_default();
            pair.split_once('=').map(|(name, _)| name)
        });
        first.into_iter().chain(behind).map(list::trim)
    })
}

/// A cookie that a response sets and that `strip_set_cookie` does not remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptCookie<'a> {
    /// The rule's `strip_set_cookie` does not name it.
    Unnamed(&'a str),
    /// It is a session cookie or belongs to a CSRF token: the body may be for
    /// one user, so the response is never made storable.
    OfSession(&'a str),
}

/// The first cookie of a response that its rule does not remove, session
/// cookies first. `None` if all are removed: the response may be stored without
/// its `Set-Cookie`.
pub fn kept<'a>(fields: &'a Fields, rule: &Rule) -> Option<KeptCookie<'a>> {
    let is_csrf = |name: &str| rule.csrf_cookies.iter().any(|glob| glob.matches(name));
    let is_own = |name: &&str| {
        is_of_session(name) || is_csrf_cookie(name) || rule.is_bypass_cookie(name) || is_csrf(name)
    };
    let names = &rule.strip_set_cookie;
    let is_unnamed = |name: &&str| !names.iter().any(|glob| glob.matches(name));
    let own = || set_by(fields).find(is_own).map(KeptCookie::OfSession);
    let unnamed = || set_by(fields).find(is_unnamed).map(KeptCookie::Unnamed);
    own().or_else(unnamed)
}

/// The cookies of a request as (name, value), in order (RFC 6265 §4.2.1).
///
/// The runtime joins several lines of a request by `, `, and a value may contain
/// a comma, too. So a name may follow a `;` or a `,`, and a value extends to the
/// next `;`. Then no cookie is hidden by another one, and different values stay
/// different.
pub fn pairs(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields
        .all("cookie")
        .flat_map(|line| line.split(';'))
        .flat_map(cookies_of)
        .map(|(_, name, value)| (name, value))
        .filter(|(name, value)| !name.is_empty() || !value.is_empty())
}

const BLANKS: [char; 2] = [' ', '\t'];

/// The possible cookies of a text without `;`, as (offset, name, value): a name
/// and a value, or a value alone, at its start; and each name after a comma.
fn cookies_of(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    // All values end at the end of the text. Trimming the end of each value
    // would read the text once for each comma: a second for 100 KB of commas
    // and spaces.
    let text = text.trim_end_matches(BLANKS);
    let mut at = 0;
    text.split(',').filter_map(move |part| {
        let start = at;
        at += part.len() + 1;
        let first = start == 0;
        let rest = text.get(start..).unwrap_or_default();
        let named = match first {
            true => rest.split_once('='),
            false => part.find('=').and_then(|end| {
                let value = rest.get(end + 1..)?;
                Some((part.get(..end)?, value))
            }),
        };
        match named {
            Some((name, value)) => {
                Some((start, list::trim(name), value.trim_start_matches(BLANKS)))
            }
            None => first.then(|| (start, "", rest.trim_start_matches(BLANKS))),
        }
    })
}
