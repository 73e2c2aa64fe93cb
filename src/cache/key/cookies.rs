//! Request cookies: which exist, and which belong to a session.

use crate::cache::config::rule::Rule;
use crate::cache::matching::glob::Glob;
use crate::cache::profiles::session_cookies::{is_of_session, names_forgery};
use crate::http::fields::Fields;
use crate::http::list;

/// Takes cookies out of a request whose name `fits`: each up to the next `;`,
/// with what stands behind a comma in it.
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

/// Whether an answer sets a cookie that fits one of `names`.
pub fn sets(fields: &Fields, names: &[Glob]) -> bool {
    set_by(fields).any(|name| names.iter().any(|glob| glob.matches(name)))
}

/// The names of the cookies that an answer sets: the one at the start of each
/// line, and whatever has a name behind a comma, by which a proxy may have
/// folded several lines into one. (The comma of an `Expires` has none.)
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

/// A cookie that an answer sets and that `strip_set_cookie` leaves in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptCookie<'a> {
    /// The rule does not name it.
    Unnamed(&'a str),
    /// It is of a session, or goes with a token against forged requests: the
    /// body may be that reader's own, so the answer is never made storable.
    OfSession(&'a str),
}

/// The first cookie of an answer that its rule does not take from it, one of a
/// session before others; `None` if there is none, so that the answer may be
/// stored without its `Set-Cookie`.
pub fn kept<'a>(fields: &'a Fields, rule: &Rule) -> Option<KeptCookie<'a>> {
    let is_csrf = |name: &str| rule.csrf_cookies.iter().any(|glob| glob.matches(name));
    let is_own = |name: &&str| {
        is_of_session(name) || names_forgery(name) || rule.is_bypass_cookie(name) || is_csrf(name)
    };
    let names = &rule.strip_set_cookie;
    let is_unnamed = |name: &&str| !names.iter().any(|glob| glob.matches(name));
    let own = || set_by(fields).find(is_own).map(KeptCookie::OfSession);
    let unnamed = || set_by(fields).find(is_unnamed).map(KeptCookie::Unnamed);
    own().or_else(unnamed)
}

/// The cookies of a request as (name, value), in order (RFC 6265 §4.2.1).
///
/// The runtime joins several lines of a request by `, `, which a value may hold
/// as well. So a name is looked for behind `;` and behind `,`, and a value goes
/// on to the next `;`: no cookie hides behind another one, and no two values
/// look alike that differ.
pub fn pairs(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields
        .all("cookie")
        .flat_map(|line| line.split(';'))
        .flat_map(cookies_of)
        .map(|(_, name, value)| (name, value))
        .filter(|(name, value)| !name.is_empty() || !value.is_empty())
}

const BLANKS: [char; 2] = [' ', '\t'];

/// What a text without `;` may hold: at its start a name and a value, or a value
/// alone; and whatever has a name behind a comma. With the offset of each.
fn cookies_of(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    // All values end where it does. Trimming the end of each would read it once
    // for each comma: a second for 100 KB of commas and spaces.
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
