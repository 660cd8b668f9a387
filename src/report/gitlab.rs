//! GitLab's [code quality report](https://docs.gitlab.com/ci/testing/code_quality/), a subset
//! of Code Climate's.

use serde_json::{Value, json};

use super::{
    summary::Report,
    text::{in_repository, located, paragraphs},
};
use crate::finding::{Finding, Severity};

/// An array with an element for each finding that counts.
pub fn render(report: &Report) -> serde_json::Result<String> {
    let issues: Vec<Value> = report
        .findings
        .iter()
        .filter(|finding| finding.counts())
        .map(|finding| issue(report, finding))
        .collect();
    let mut text = serde_json::to_string_pretty(&issues)?;
    text.push('\n');
    Ok(text)
}

fn issue(report: &Report, finding: &Finding) -> Value {
    let place = located(finding);
    json!({
        "description": paragraphs(finding),
        "check_name": finding.rule,
        // One finding of a rule may have the functions of another rule's.
        "fingerprint": format!("{}-{}", finding.rule, finding.fingerprint),
        "severity": match finding.severity {
            Severity::Error => "critical",
            Severity::Warning => "major",
            Severity::Note => "info",
        },
        "location": {
            "path": place.map_or_else(String::new, |place| in_repository(report, &place.file)),
            "lines": { "begin": place.map_or(1, |place| place.line.max(1)) },
        },
    })
}
