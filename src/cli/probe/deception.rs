//! Paths that look like a file to the cache and like the page to the origin.

use super::baseline::Baseline;
use super::exchange::ProbeExchange;
use super::finding::{Evidence, Finding, Kind};
use super::personal::{Words, masked, personal_word};
use super::report::Report;
use super::session::{Session, Stop};

/// A path and the end of its query. `{page}` is the page's path without a slash
/// at its end, and `{file}` a unique name.
const TRICKS: [(&str, &str); 28] = [
    ("{page}/{file}.css", ""),
    ("{page}/{file}.js", ""),
    ("{page}/{file}.jpg", ""),
    ("{page}/{file}.ico", ""),
    ("{page}/{file}.woff2", ""),
    ("{page}%2F{file}.css", ""),
    ("{page};{file}.css", ""),
    ("{page};{file}.js", ""),
    ("{page};/{file}.css", ""),
    ("{page}%3B{file}.css", ""),
    ("{page}.css", ""),
    ("{page}.{file}.css", ""),
    ("{page}.", ""),
    ("{page}./{file}.css", ""),
    ("{page}%00{file}.css", ""),
    ("{page}%00", ""),
    ("{page}%0A{file}.css", ""),
    ("{page}%09{file}.css", ""),
    ("{page}%20{file}.css", ""),
    ("{page}%3F{file}.css", ""),
    ("{page}%23{file}.css", ""),
    ("{page}%5C{file}.css", ""),
    ("{page}!{file}.css", ""),
    ("{page}/..%2Fstatic%2F{file}.css", ""),
    ("{page}/%2e%2e%2Fassets%2F{file}.js", ""),
    ("/static/..%2F{rest}", ""),
    ("/assets/..%2F{rest}", ""),
    ("{page}", "&/{file}.css"),
];

/// Tries all paths. With a cookie, a finding is proved: content of its owner
/// comes back without it. Without one, a page that is not cached is cached
/// under another path.
pub fn check(
    session: &mut Session,
    baseline: &Baseline,
    signed_in: Option<(&str, &Words)>,
    report: &mut Report,
) -> Result<(), Stop> {
    let is_told = signed_in.is_some();
    if !is_told && (baseline.hit.is_some() || baseline.first.status != 200) {
        // What all readers share cannot be stolen, and an error is no page.
        return Ok(());
    }
    for trick in TRICKS {
        let found = match signed_in {
            Some((cookie, words)) => try_signed_in(session, trick, cookie, words)?,
            None => try_anonymous(session, trick, baseline)?,
        };
        if let Some(finding) = found {
            report.add(finding);
            // The others have the same cause, and each would store the page.
            return Ok(());
        }
    }
    Ok(())
}

fn request(session: &mut Session, (path, tail): (&str, &str)) -> super::exchange::ProbeRequest {
    let file = session.unique();
    let page = session.url().path.clone();
    let page = page.trim_end_matches('/');
    let filled = |text: &str| {
        text.replace("{page}", page)
            .replace("{rest}", page.trim_start_matches('/'))
            .replace("{file}", &file)
    };
    let (path, tail) = (filled(path), filled(tail));
    let path = if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    };
    session.at(&path, &tail)
}

fn try_signed_in(
    session: &mut Session,
    trick: (&str, &str),
    cookie: &str,
    words: &Words,
) -> Result<Option<Finding>, Stop> {
    let page = request(session, trick);
    let with = session.send(page.with(&[("cookie", cookie)]))?;
    if personal_word(words, &with).is_none() {
        return Ok(None);
    }
    let without = session.send(page)?;
    let Some(word) = personal_word(words, &without) else {
        return Ok(None);
    };
    // Another page of errors may have the word, too.
    let fresh = request(session, trick);
    let fresh = session.send(fresh)?;
    if fresh.body.contains(&word) {
        return Ok(None);
    }
    let shown = format!("with the word {} of the cookie's owner", masked(&word));
    Ok(Some(finding(&with, &without, &shown)))
}

fn try_anonymous(
    session: &mut Session,
    trick: (&str, &str),
    baseline: &Baseline,
) -> Result<Option<Finding>, Stop> {
    let page = request(session, trick);
    let first = session.send(page.clone())?;
    if !first.is_like(&baseline.first) {
        return Ok(None);
    }
    let second = session.send(page)?;
    let Some(hit) = second
        .hit_mark()
        .filter(|_| second.is_like(&baseline.first))
    else {
        return Ok(None);
    };
    Ok(Some(finding(&first, &second, &hit)))
}

fn finding(first: &ProbeExchange, second: &ProbeExchange, shown: &str) -> Finding {
    let what = "the page is cached under a path that looks like a file, so that anyone can read \
                there what a reader got who followed such a link";
    let evidence = vec![Evidence::of(first, "the page"), Evidence::of(second, shown)];
    Finding::new(Kind::PathDeception, what.to_owned(), evidence)
}
