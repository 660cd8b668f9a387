//! GitHub's
//! [workflow commands](https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions),
//! which put findings beside the lines of a pull request.

use std::fmt::Write as _;

use super::{
    format::Context,
    summary::Report,
    text::{in_repository, located, paragraphs},
};
use crate::finding::Severity;

/// A command for each finding that counts, the most severe first: GitHub shows ten of each
/// severity.
pub fn render(report: &Report, context: Context<'_>) -> String {
    let mut text = String::new();
    for finding in report.findings.iter().filter(|finding| context.shows(finding)) {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let _ = write!(text, "::{command} ");
        // A file that the repository does not have cannot be annotated.
        if let Some(place) = located(finding).filter(|place| place.absolute_path.is_none()) {
            let _ = write!(
                text,
                "file={},line={},",
                property(&in_repository(report, &place.file)),
                place.line
            );
            if let Some(column) = place.column {
                let _ = write!(text, "col={column},");
            }
        }
        let title = property(&finding.rule);
        let _ = writeln!(text, "title={title}::{}", data(&paragraphs(finding)));
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
