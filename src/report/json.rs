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
