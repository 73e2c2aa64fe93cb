//! Request fields that are not in the key and change the response.

use super::baseline::Baseline;
use super::exchange::ProbeExchange;
use super::finding::{Evidence, Finding, Kind};
use super::report::Report;
use super::request_fields::{REQUEST_FIELDS, Sample, SentField};
use super::session::{Session, Stop};

type Field = (&'static str, Sample);

/// How many fields a request has if there are not enough requests for each field
/// alone. A group in which any field matters is split in halves.
const GROUP: usize = 8;

/// The requests that are kept for paths and for the confirmation of findings.
const KEPT_REQUESTS: usize = 100;

/// Tries all fields, each alone if there are enough requests.
pub fn check(session: &mut Session, baseline: &Baseline, report: &mut Report) -> Result<(), Stop> {
    let wanted = REQUEST_FIELDS
        .len()
        .saturating_mul(2)
        .saturating_add(KEPT_REQUESTS);
    let size = if session.left() as usize >= wanted {
        1
    } else {
        GROUP
    };
    let mut found = Vec::new();
    let groups = REQUEST_FIELDS.len().div_ceil(size);
    for group in 0..groups {
        // Fields of one name are in different groups.
        let fields: Vec<Field> = REQUEST_FIELDS
            .into_iter()
            .skip(group)
            .step_by(groups)
            .collect();
        try_group(session, baseline, report, &fields, &mut found)?;
    }
    Ok(())
}

/// The two requests of a trial.
struct Trial {
    fields: Vec<SentField>,
    with: ProbeExchange,
    without: ProbeExchange,
}

impl Trial {
    /// Requests a new URL with fields, and then without them.
    fn run(session: &mut Session, fields: &[Field]) -> Result<Self, Stop> {
        let page = session.page();
        let url = session.url().clone();
        let made = fields.iter();
        let fields: Vec<SentField> = made
            .map(|field| SentField::new(*field, &url, &session.unique()))
            .collect();
        let sent: Vec<(&str, &str)> = fields
            .iter()
            .map(|field| (field.name, field.value.as_str()))
            .collect();
        let with = session.send(page.with(&sent))?;
        let without = session.send(page)?;
        Ok(Self {
            fields,
            with,
            without,
        })
    }

    /// Where a value came back to the request without the field.
    fn canary_place(&self) -> Option<String> {
        let canaries = self.fields.iter().filter_map(|field| field.canary.as_ref());
        canaries
            .into_iter()
            .find_map(|canary| self.without.place_of(canary))
    }

    /// Whether the request without the field got another kind of response than
    /// the page has.
    fn has_other_response(&self, baseline: &Baseline) -> bool {
        baseline.is_stable && self.without.status != 0 && !self.without.is_like(&baseline.first)
    }

    /// Whether a field changed its own response, which may hide the effect of
    /// the others.
    fn is_changed(&self, baseline: &Baseline) -> bool {
        !self.with.is_like(&baseline.first)
    }
}

fn try_group(
    session: &mut Session,
    baseline: &Baseline,
    report: &mut Report,
    fields: &[Field],
    found: &mut Vec<&'static str>,
) -> Result<(), Stop> {
    let trial = Trial::run(session, fields)?;
    let place = trial.canary_place();
    let is_suspect = place.is_some() || trial.has_other_response(baseline);
    if let [(name, _)] = fields {
        if is_suspect && !found.contains(name) {
            let finding = match place {
                Some(place) => Some(poisoned_content(name, &trial, &place)),
                None => confirm(session, baseline, fields, &trial)?,
            };
            if let Some(finding) = finding {
                report.add(finding);
                found.push(name);
            }
        }
        return Ok(());
    }
    if is_suspect || trial.is_changed(baseline) {
        let (left, right) = fields.split_at(fields.len() / 2);
        try_group(session, baseline, report, left, found)?;
        try_group(session, baseline, report, right, found)?;
    }
    Ok(())
}

fn poisoned_content(name: &str, trial: &Trial, place: &str) -> Finding {
    let what =
        format!("{name} is not in the cache key, and its value comes back to a request without it");
    let evidence = vec![
        Evidence::of(&trial.with, ""),
        Evidence::of(&trial.without, &format!("with {place}")),
    ];
    Finding::new(Kind::PoisonedContent, what, evidence)
}

/// Repeats a trial, to tell it from a page that changes by itself: the field
/// must matter again, and the page without it must be as before.
fn confirm(
    session: &mut Session,
    baseline: &Baseline,
    fields: &[Field],
    trial: &Trial,
) -> Result<Option<Finding>, Stop> {
    let again = Trial::run(session, fields)?;
    let page = session.page();
    let plain = session.send(page)?;
    let is_same = again.without.is_like(&trial.without) || again.canary_place().is_some();
    if !is_same || !again.has_other_response(baseline) || !plain.is_like(&baseline.first) {
        return Ok(None);
    }
    let name = again
        .fields
        .first()
        .map(|field| field.name)
        .unwrap_or_default();
    let shown = |exchange: &ProbeExchange| match exchange.fields.get("location") {
        Some(location) => format!("location: {location}"),
        None => String::new(),
    };
    let what = format!(
        "{name} is not in the cache key, and the response to it comes back to a request without it"
    );
    let mut usual = plain;
    usual.request.url = format!("{} (a URL of its own)", usual.request.url);
    let evidence = vec![
        Evidence::of(&again.with, &shown(&again.with)),
        Evidence::of(&again.without, &shown(&again.without)),
        Evidence::of(&usual, "as the page is"),
    ];
    Ok(Some(Finding::new(Kind::PoisonedResponse, what, evidence)))
}
