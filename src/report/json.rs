//! The JSON report.

use super::summary::Report;

/// The version of the JSON report's format. Adding a field keeps it.
pub const SCHEMA_VERSION: u32 = 1;

/// The report as indented JSON, with a newline at its end.
///
/// Fails only where a value has no JSON form, which none of ours lacks.
pub fn render(report: &Report) -> serde_json::Result<String> {
    let mut json = serde_json::to_string_pretty(report)?;
    json.push('\n');
    Ok(json)
}

/// Why a text is no report that can be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is cut short, or something else.
    #[error("it is no JSON report of cargo-concaudit")]
    NotAReport(#[from] serde_json::Error),
    /// Another version's.
    #[error(
        "it is of version {0} of the format and this tool knows {SCHEMA_VERSION}: use the version \
         of cargo-concaudit that wrote it"
    )]
    OtherVersion(u64),
    /// The numbers contradict each other.
    #[error("it is no JSON report of cargo-concaudit: {0}")]
    Absurd(String),
}

/// Reads what [`render`] has written.
pub fn parse(text: &str) -> Result<Report, ParseError> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema_version: u64,
    }
    // The version first: of another one nothing else may be understood.
    let Version { schema_version } = serde_json::from_str(text)?;
    if schema_version != u64::from(SCHEMA_VERSION) {
        return Err(ParseError::OtherVersion(schema_version));
    }
    let report: Report = serde_json::from_str(text)?;
    if let Some(finding) = report.findings.iter().find(|finding| finding.locations.is_empty()) {
        return Err(ParseError::Absurd(format!("a finding of {} has no place", finding.rule)));
    }
    Ok(report)
}

/// The JSON schema of the report, as it is committed in `schema/`.
pub fn schema() -> serde_json::Result<String> {
    let mut schema = schemars::schema_for!(Report);
    schema.insert("title".to_owned(), "cargo-concaudit report".into());
    let mut json = serde_json::to_string_pretty(&schema)?;
    json.push('\n');
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::human::tests::report_of_every_rule;

    #[test]
    fn the_committed_schema_is_the_schema() {
        let committed = include_str!("../../schema/report.v1.json");
        assert!(
            committed == schema().expect("the schema has a JSON form"),
            "schema/report.v1.json is stale; write it again with \
             `cargo run -- schema > schema/report.v1.json`"
        );
    }

    #[test]
    fn a_report_survives_the_way_through_json() {
        let report = report_of_every_rule();
        let json = render(&report).expect("a report has a JSON form");
        let read: Report = serde_json::from_str(&json).expect("our own JSON can be read");
        assert_eq!(read, report);
    }

    #[test]
    fn the_json_of_a_finding_has_the_documented_fields() {
        let json = render(&report_of_every_rule()).expect("a report has a JSON form");
        insta::assert_snapshot!("json", json);
    }
}
