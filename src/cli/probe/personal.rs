//! Responses that are cached although they belong to one reader.

use super::baseline::Baseline;
use super::exchange::ProbeExchange;
use super::finding::{Evidence, Finding, Kind};
use super::report::Report;
use super::session::{Session, Stop};
use crate::http::cache_control::CacheControl;
use std::collections::BTreeSet;

/// Cookies on which pages depend without a session.
const PREFERENCES: [&str; 10] = [
    "lang", "locale", "theme", "currency", "country", "name", "username", "email", "cart",
    "visitor",
];

/// Cookies of sessions. A good cache passes such a request, so that they are not
/// sent together with the others.
const SESSIONS: [&str; 7] = [
    "session",
    "sessionid",
    "sid",
    "user",
    "userid",
    "token",
    "PHPSESSID",
];

/// The shortest word that tells one page from another, in characters.
const WORD_CHARS_MIN: usize = 4;

/// What is in the page with the cookie, and not without it.
pub type Words = BTreeSet<String>;

/// Checks the stored page: it has no cookie, and may be stored.
pub fn check_stored(baseline: &Baseline, report: &mut Report) {
    let (first, second) = (&baseline.first, &baseline.second);
    let Some(hit) = &baseline.hit else {
        return;
    };
    let cookie = second.fields.get("set-cookie");
    if let Some(cookie) = cookie.filter(|cookie| first.fields.get("set-cookie") == Some(*cookie)) {
        let name = cookie.split('=').next().unwrap_or_default();
        let evidence = vec![
            Evidence::of(first, &format!("set-cookie: {name}=…")),
            Evidence::of(second, &format!("the same set-cookie, {hit}")),
        ];
        let what = format!("each reader of the cached page gets the same cookie {name}");
        report.add(Finding::new(Kind::StoredSetCookie, what, evidence));
    }
    let control = CacheControl::of(&second.fields);
    if control.private || control.no_store {
        let text = second.fields.joined("cache-control").unwrap_or_default();
        let evidence = vec![
            Evidence::of(first, &format!("cache-control: {text}")),
            Evidence::of(second, hit),
        ];
        let what = format!("the page says Cache-Control: {text}, and is a hit");
        report.add(Finding::new(Kind::StoredPrivate, what, evidence));
    }
}

/// The words that only the owner of the cookie sees; `None` without a cookie or
/// if there are none.
pub fn words_of_cookie(
    session: &mut Session,
    cookie: Option<&str>,
    report: &mut Report,
) -> Result<Option<Words>, Stop> {
    let Some(cookie) = cookie else {
        return Ok(None);
    };
    // Two of each, so that words that change with each response do not count.
    let mut pages = Vec::new();
    for is_with in [true, false, true, false] {
        let page = session.page();
        let page = if is_with {
            page.with(&[("cookie", cookie)])
        } else {
            page
        };
        pages.push(words_of(&session.send(page)?));
    }
    let [a, without_a, b, without_b] = pages.as_slice() else {
        return Ok(None);
    };
    let is_personal = |word: &&String| {
        b.contains(*word) && !without_a.contains(*word) && !without_b.contains(*word)
    };
    let words: Words = a.iter().filter(is_personal).cloned().collect();
    if words.is_empty() {
        report.note(
            "The page with the cookie has nothing that the page without it has not: is the cookie \
             valid, and the URL a personal page?",
        );
        return Ok(None);
    }
    Ok(Some(words))
}

fn words_of(exchange: &ProbeExchange) -> Words {
    let words = exchange.body.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| word.chars().count() >= WORD_CHARS_MIN);
    words.map(str::to_owned).collect()
}

/// A word of the cookie's owner that a response has.
pub fn personal_word(words: &Words, exchange: &ProbeExchange) -> Option<String> {
    let of_page = words_of(exchange);
    words.iter().find(|word| of_page.contains(*word)).cloned()
}

/// Requests one URL with two cookies.
pub fn check_cookies(
    session: &mut Session,
    signed_in: Option<(&str, &Words)>,
    report: &mut Report,
) -> Result<(), Stop> {
    if let Some((cookie, words)) = signed_in {
        let page = session.page();
        let with = session.send(page.with(&[("cookie", cookie)]))?;
        let without = session.send(page)?;
        if let Some(word) = personal_word(words, &without) {
            let shown = format!("with the word {} of the cookie's owner", masked(&word));
            report.add(shared(&with, &without, &shown));
            return Ok(());
        }
    }
    for names in [PREFERENCES.as_slice(), SESSIONS.as_slice()] {
        let page = session.page();
        let (one, other) = (session.unique(), session.unique());
        let cookies = |value: &str| {
            let pairs = names.iter().map(|name| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join("; ")
        };
        let first = session.send(page.with(&[("cookie", &cookies(&one))]))?;
        let second = session.send(page.with(&[("cookie", &cookies(&other))]))?;
        if let Some(place) = second.place_of(&one) {
            report.add(shared(
                &first,
                &second,
                &format!("with the first one's {place}"),
            ));
            return Ok(());
        }
    }
    Ok(())
}

fn shared(first: &ProbeExchange, second: &ProbeExchange, shown: &str) -> Finding {
    let what = "a request with another cookie gets what was made for the first one".to_owned();
    let evidence = vec![Evidence::of(first, ""), Evidence::of(second, shown)];
    Finding::new(Kind::SharedCookieContent, what, evidence)
}

/// The beginning of a word that may be secret.
pub fn masked(word: &str) -> String {
    let start: String = word.chars().take(2).collect();
    format!("{start}…")
}
