//! What a probe found, for people and as JSON.

use super::finding::{Finding, Severity};
use super::session::Stop;
use crate::cli::output::{self, BAD, GOOD, STRONG, WARNING, plain, styled};
use crate::http::url::Url;
use serde_json::json;
use std::io;

/// The findings, and what could not be checked.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    notes: Vec<String>,
    is_incomplete: bool,
}

impl Report {
    /// Adds a fault.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Says what was not checked.
    pub fn note(&mut self, text: &str) {
        self.is_incomplete = true;
        self.notes.push(text.to_owned());
    }

    /// Says why the probe ended early.
    pub fn stop(&mut self, stop: &Stop) {
        self.note(&stop.to_string());
    }

    /// The number of faults.
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    /// Whether there is nothing to say yet.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.notes.is_empty()
    }

    /// Prints the faults, the worst ones first.
    pub fn print(&mut self, url: &Url, requests: u32, is_json: bool) -> io::Result<()> {
        self.findings.sort_by_key(|finding| finding.severity);
        if is_json {
            return output::json(&json!({
                "url": url.to_text(),
                "requests": requests,
                "complete": !self.is_incomplete,
                "notes": self.notes,
                "findings": self.findings,
            }));
        }
        self.findings.iter().try_for_each(print_finding)?;
        for note in &self.notes {
            output::line(format!("{} {}", styled(WARNING, "note:"), plain(note)))?;
        }
        match self.findings.is_empty() {
            true => output::line(format!(
                "{}: {} by {requests} requests",
                url.to_text(),
                styled(GOOD, "no fault was found")
            )),
            false => Ok(()),
        }
    }
}

fn print_finding(finding: &Finding) -> io::Result<()> {
    let style = match finding.severity {
        Severity::High => BAD,
        Severity::Medium => WARNING,
        Severity::Low => STRONG,
    };
    let name = finding.kind.word();
    let severity = styled(style, finding.severity.word());
    output::line(format!("{severity}  {}", styled(STRONG, name)))?;
    output::line(format!("  {}", plain(&finding.what)))?;
    for (number, evidence) in (1..).zip(&finding.evidence) {
        let mut lines = evidence.request.lines();
        let first = plain(lines.next().unwrap_or_default());
        output::line(format!("  {number}. {first}"))?;
        for line in lines {
            output::line(format!("     {}", plain(line)))?;
        }
        output::line(format!("     -> {}", plain(&evidence.response)))?;
    }
    output::line(format!("  origin:   {}", finding.remedy.origin))?;
    output::line(format!("  edgekeep: {}\n", finding.remedy.edgekeep))
}
