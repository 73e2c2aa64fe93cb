//! Responses that depend on how the page is requested: encodings, conditions
//! and HEAD.

use super::baseline::Baseline;
use super::exchange::{ProbeExchange, ProbeRequest};
use super::finding::{Evidence, Finding, Kind};
use super::report::Report;
use super::session::{Session, Stop};
use crate::http::list;

/// The fields that a 304 must have if the 200 has them (RFC 9110 §15.4.5).
const FIELDS_OF_304: [&str; 4] = ["cache-control", "content-location", "expires", "vary"];

/// Requests the page with and without compression, and by HEAD. What is stored
/// by these trials may be wrong for readers.
pub fn check(session: &mut Session, baseline: &Baseline, report: &mut Report) -> Result<(), Stop> {
    check_encoding(session, report)?;
    check_head(session, baseline, report)
}

fn encoding(exchange: &ProbeExchange) -> Option<&str> {
    let coding = exchange.fields.get("content-encoding");
    coding.filter(|coding| !coding.eq_ignore_ascii_case("identity"))
}

/// Requests one URL with and without compression.
fn check_encoding(session: &mut Session, report: &mut Report) -> Result<(), Stop> {
    let page = session.page();
    let packed = session.send(page.with(&[("accept-encoding", "gzip")]))?;
    let Some(coding) = encoding(&packed).map(str::to_owned) else {
        return Ok(());
    };
    let whole = session.send(page.with(&[("accept-encoding", "identity")]))?;
    let vary = packed.fields.joined("vary").unwrap_or_default();
    let names = ["accept-encoding", "*"];
    let varies =
        list::members(&vary).any(|name| names.contains(&name.to_ascii_lowercase().as_str()));
    let is_same = encoding(&whole) == Some(coding.as_str());
    if whole.status == 0 || (varies && !is_same) {
        return Ok(());
    }
    let what = match is_same {
        true => format!("a request that accepts no compression gets {coding}"),
        false => "the page is compressed or not, and Vary does not name Accept-Encoding".to_owned(),
    };
    let shown = |exchange: &ProbeExchange| {
        let coding = encoding(exchange).unwrap_or("none");
        let vary = exchange.fields.joined("vary");
        format!(
            "content-encoding: {coding}, vary: {}",
            vary.as_deref().unwrap_or("none")
        )
    };
    let evidence = vec![
        Evidence::of(&packed, &shown(&packed)),
        Evidence::of(&whole, &shown(&whole)),
    ];
    report.add(Finding::new(Kind::MissingVary, what, evidence));
    Ok(())
}

/// Revalidates the page, and compares the fields.
pub fn check_not_modified(
    session: &mut Session,
    baseline: &Baseline,
    report: &mut Report,
) -> Result<(), Stop> {
    let page = &baseline.second;
    let condition = match (page.fields.get("etag"), page.fields.get("last-modified")) {
        (Some(etag), _) => ("if-none-match", etag),
        (None, Some(time)) => ("if-modified-since", time),
        (None, None) => return Ok(()),
    };
    let answer = session.send(page.request.with(&[condition]))?;
    if answer.status != 304 {
        return Ok(());
    }
    let text = |exchange: &ProbeExchange, name: &str| {
        exchange
            .fields
            .joined(name)
            .unwrap_or_else(|| "none".to_owned())
    };
    let differs = |name: &&str| match page.fields.has(name) {
        true => text(page, name) != text(&answer, name),
        false => false,
    };
    let opaque =
        |exchange: &ProbeExchange| text(exchange, "etag").trim_start_matches("W/").to_owned();
    let mut names: Vec<&str> = FIELDS_OF_304
        .into_iter()
        .filter(|name| differs(name))
        .collect();
    if page.fields.has("etag") && opaque(page) != opaque(&answer) {
        names.push("etag");
    }
    let Some(first) = names.first() else {
        return Ok(());
    };
    let what = format!("a 304 has other fields than the 200: {}", names.join(", "));
    let shown = |exchange: &ProbeExchange| format!("{first}: {}", text(exchange, first));
    let evidence = vec![
        Evidence::of(page, &shown(page)),
        Evidence::of(&answer, &shown(&answer)),
    ];
    report.add(Finding::new(Kind::NotModifiedDiffers, what, evidence));
    Ok(())
}

/// Requests a URL by HEAD and then by GET: they agree, and the GET has a body.
fn check_head(session: &mut Session, baseline: &Baseline, report: &mut Report) -> Result<(), Stop> {
    let page = session.page();
    let head = session.send(ProbeRequest {
        is_head: true,
        ..page.clone()
    })?;
    let get = session.send(page)?;
    if head.status == 0 || get.status == 0 {
        return Ok(());
    }
    let Some(problem) = difference(&head, &get, baseline) else {
        return Ok(());
    };
    let what = format!("HEAD and GET differ: {problem}");
    let evidence = vec![Evidence::of(&head, ""), Evidence::of(&get, &problem)];
    report.add(Finding::new(Kind::HeadDiffers, what, evidence));
    Ok(())
}

/// What differs. Fields that differ between two GETs do not count.
fn difference(head: &ProbeExchange, get: &ProbeExchange, baseline: &Baseline) -> Option<String> {
    if get.body.is_empty() && !baseline.first.body.is_empty() && get.status == head.status {
        return Some("GET after HEAD has no body".to_owned());
    }
    if head.status != get.status {
        return Some(format!("status {} and {}", head.status, get.status));
    }
    let is_steady =
        |name: &str| baseline.first.fields.joined(name) == baseline.other.fields.joined(name);
    let (name, of_head, of_get) = ["content-type", "cache-control", "etag", "content-length"]
        .into_iter()
        .filter(|name| is_steady(name))
        .filter_map(|name| Some((name, head.fields.joined(name)?, get.fields.joined(name)?)))
        .find(|(_, of_head, of_get)| of_head != of_get)?;
    Some(format!("{name} {of_head} and {of_get}"))
}
