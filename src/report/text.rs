//! A finding as plain text, for formats with a place for one.

use std::fmt::Write as _;

use super::summary::Report;
use crate::finding::{Finding, Location};

/// The place that a reader is sent to: the first that is the project's own, else the first.
pub fn located(finding: &Finding) -> Option<&Location> {
    let own = finding.locations.iter().find(|place| place.absolute_path.is_none());
    own.or_else(|| finding.locations.first())
}

/// A file of the workspace as the root of the repository sees it.
pub fn in_repository(report: &Report, file: &str) -> String {
    match report.project.folder.as_str() {
        "" => file.to_owned(),
        folder => format!("{folder}/{file}"),
    }
}

/// What it says, its notes and its help, in paragraphs.
pub fn paragraphs(finding: &Finding) -> String {
    let mut text = finding.message.clone();
    for note in &finding.notes {
        text.push_str("\n- ");
        text.push_str(note);
    }
    if !finding.help.is_empty() {
        text.push_str("\n\nhelp: ");
        text.push_str(&finding.help);
    }
    if !finding.tests.is_empty() {
        text.push_str("\n\nseen in: ");
        text.push_str(&tests(finding));
    }
    text
}

/// The tests in which it was seen: a few by name.
pub fn tests(finding: &Finding) -> String {
    const NAMED: usize = 3;
    let mut text = finding.tests.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = finding.tests.len().checked_sub(NAMED) {
        let _ = write!(text, " and {more} more");
    }
    text
}

/// `src/lib.rs:7`, of the place that a reader is sent to; empty where there is none.
pub fn place(finding: &Finding) -> String {
    located(finding).map(Location::position).unwrap_or_default()
}
