//! `edgekeep probe`: looks for faults of the cache in front of a site.
//!
//! Each trial has a URL of its own: the page with a query parameter that no
//! reader sends. So a fault that is found harms no page that readers see.

pub mod args;
pub mod baseline;
pub mod deception;
pub mod exchange;
pub mod finding;
pub mod lifetimes;
pub mod negotiation;
pub mod personal;
pub mod poisoning;
pub mod report;
pub mod request_fields;
pub mod session;

use crate::cli::failure::Failure;
use crate::cli::orders::send_error::SendError;
use crate::cli::output;
use crate::cli::system;
use crate::http::url::Url;
use args::ProbeArgs;
use baseline::{Baseline, KeyedQuery};
use report::Report;
use session::{Session, Stop};

/// Probes a page, and prints what was found.
pub fn run(args: &ProbeArgs) -> Result<(), Failure> {
    let url = Url::parse(&args.url)
        .map_err(|error| Failure::Usage(format!("the URL {} {error}", args.url)))?;
    let cookie = args.cookie_file.as_deref().map(read_cookie).transpose()?;
    confirm(args, &url)?;
    let mut session = Session::new(&url, args).map_err(Failure::Usage)?;
    let mut report = Report::default();
    let end = probe(&mut session, args, cookie.as_deref(), &mut report);
    if let Err(Stop::OutOfReach(problem)) = &end
        && report.is_empty()
    {
        return Err(Failure::Send(SendError::OutOfReach {
            site: format!("{}://{}", url.scheme, url.host),
            attempts: session.sent(),
            problem: problem.clone(),
        }));
    }
    if let Err(stop) = &end {
        report.stop(stop);
    }
    report.print(&url, session.sent(), args.json)?;
    match report.count() {
        0 => Ok(()),
        1 => Err(Failure::Found("1 fault was found".to_owned())),
        count => Err(Failure::Found(format!("{count} faults were found"))),
    }
}

/// Runs the checks, the cheap ones first.
fn probe(
    session: &mut Session,
    args: &ProbeArgs,
    cookie: Option<&str>,
    report: &mut Report,
) -> Result<(), Stop> {
    let baseline = Baseline::measure(session)?;
    lifetimes::check(session, &baseline, report)?;
    personal::check_stored(&baseline, report);
    negotiation::check_not_modified(session, &baseline, report)?;
    match (&baseline.keyed, args.live) {
        (KeyedQuery::Yes, _) | (_, true) => {}
        (KeyedQuery::No, false) => {
            report.note(
                "The cache key ignores the query, so a trial could change the page that readers \
                 see: no request fields, cookies, paths and HEAD were tried. With --live they are.",
            );
            return Ok(());
        }
        (KeyedQuery::Unknown, false) => {
            report.note(
                "No response says whether it comes from a cache, so the probe cannot see whether \
                 a trial would change the page that readers see: no request fields, cookies, \
                 paths and HEAD were tried. With --live they are.",
            );
            return Ok(());
        }
    }
    if !baseline.is_stable {
        report.note(
            "Two requests for the page had different responses, so a field is found only if its \
             value comes back.",
        );
    }
    negotiation::check(session, &baseline, report)?;
    let words = personal::words_of_cookie(session, cookie, report)?;
    personal::check_cookies(session, cookie.zip(words.as_ref()), report)?;
    poisoning::check(session, &baseline, report)?;
    deception::check(session, &baseline, cookie.zip(words.as_ref()), report)
}

/// The value of `Cookie` in a file.
fn read_cookie(file: &str) -> Result<String, Failure> {
    let text = system::read_text(file);
    let text = text.map_err(|problem| Failure::Usage(format!("{file} {problem}")))?;
    let text = text.trim();
    let value = match text.split_once(':') {
        Some((name, value)) if name.eq_ignore_ascii_case("cookie") => value.trim(),
        _ => text,
    };
    if value.is_empty() || !value.contains('=') || value.contains(char::is_control) {
        let problem = "must hold one line, as a browser sends it: name=value; name=value";
        return Err(Failure::Usage(format!("{file} {problem}")));
    }
    Ok(value.to_owned())
}

/// Asks whether the site is the user's own.
fn confirm(args: &ProbeArgs, url: &Url) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if !system::is_terminal() {
        let problem = "probe only a site that is your own, and say so with --yes";
        return Err(Failure::Usage(problem.to_owned()));
    }
    let host = &url.host;
    output::note(format!(
        "Up to {} requests will look for faults of {host}. Is it your own site? [y/N]",
        args.requests
    ));
    match system::read_line().trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Usage("nothing was sent".to_owned())),
    }
}
