//! Pages without a lifetime or a validator, and errors that live long.

use super::baseline::Baseline;
use super::exchange::ProbeExchange;
use super::finding::{Evidence, Finding, Kind};
use super::report::Report;
use super::session::{Session, Stop};
use crate::http::cache_control::CacheControl;
use crate::http::date;

/// The longest lifetime of an error that is no fault, in seconds: the page may
/// be there again after a minute.
const ERROR_SECONDS_MAX: u64 = 60;

/// The fields by which an origin says how long a response lives.
const LIFETIME_FIELDS: [&str; 4] = [
    "cache-control",
    "cdn-cache-control",
    "surrogate-control",
    "expires",
];

/// Checks the page, and a page that does not exist.
pub fn check(session: &mut Session, baseline: &Baseline, report: &mut Report) -> Result<(), Stop> {
    let page = &baseline.first;
    if page.status == 200 {
        check_page(page, report);
    }
    let name = session.unique();
    let missing = session.at(&format!("/{name}"), "");
    let first = session.send(missing.clone())?;
    let seconds = lifetime(&first);
    if first.status < 400 || seconds <= ERROR_SECONDS_MAX {
        return Ok(());
    }
    let second = session.send(missing)?;
    if second.status < 400 {
        return Ok(());
    }
    if let Some(hit) = second.hit_mark() {
        let status = second.status;
        let what = format!(
            "a response {status} is cached for {seconds} seconds: a page that is new or back is not seen so long"
        );
        let control = first.fields.joined("cache-control").unwrap_or_default();
        let evidence = vec![
            Evidence::of(&first, &format!("cache-control: {control}")),
            Evidence::of(&second, &hit),
        ];
        report.add(Finding::new(Kind::LongLivedError, what, evidence));
    }
    Ok(())
}

fn check_page(page: &ProbeExchange, report: &mut Report) {
    let has_any = |names: &[&str]| names.iter().any(|name| page.fields.has(name));
    let has_validator = has_any(&["etag", "last-modified"]);
    if !has_any(&LIFETIME_FIELDS) {
        let also = if has_validator {
            ""
        } else {
            ", and no validator"
        };
        let what = format!("the page has no Cache-Control and no Expires{also}: caches guess");
        let evidence = vec![Evidence::of(page, "no lifetime")];
        report.add(Finding::new(Kind::MissingLifetime, what, evidence));
        return;
    }
    let seconds = lifetime(page);
    if seconds > 0 && !has_validator {
        let what = format!(
            "the page lives {seconds} seconds and has no ETag and no Last-Modified: it is sent whole each time that it expires"
        );
        let control = page.fields.joined("cache-control").unwrap_or_default();
        let evidence = vec![Evidence::of(page, &format!("cache-control: {control}"))];
        report.add(Finding::new(Kind::MissingValidator, what, evidence));
    }
}

/// How long a response may be cached, in seconds; 0 if it may not.
fn lifetime(page: &ProbeExchange) -> u64 {
    let (control, _) = CacheControl::effective(&page.fields);
    if control.no_store || control.private {
        return 0;
    }
    let by_expires = || {
        let seconds = |name: &str| page.fields.get(name).and_then(date::parse);
        let (expires, now) = (seconds("expires")?, seconds("date")?);
        Some(expires.saturating_sub(now))
    };
    let stated = control.s_maxage.or(control.max_age);
    stated.or_else(by_expires).unwrap_or_default()
}
