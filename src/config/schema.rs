//! The schema of `concaudit.toml`, for editors.

use serde_json::{Map, Value, json};

use super::{Level, TIME_LIMIT, Threshold, Thresholds};

/// The schema, as it is committed in `schema/`.
pub fn schema(rules: &[&str]) -> serde_json::Result<String> {
    let levels: Vec<&str> = Level::ALL.iter().map(|(name, _)| *name).collect();
    let level = json!({ "enum": levels });
    let rules_of = |what: &str| {
        let properties: Map<String, Value> =
            rules.iter().map(|rule| ((*rule).to_owned(), level.clone())).collect();
        json!({
            "type": "object",
            "description": what,
            "properties": properties,
            "additionalProperties": false,
        })
    };
    let thresholds_of = |what: &str| {
        let time = json!({
            "type": "string",
            "description": "a time, as `250ms` or `1m 30s`",
            "pattern": "^\\s*(\\d+\\s*[a-zA-Zµ]+\\s*)+$",
        });
        let number = json!({ "type": "integer", "minimum": 0 });
        let mut thresholds = Thresholds::default();
        let mut properties: Map<String, Value> = thresholds
            .each()
            .into_iter()
            .map(|(name, threshold)| {
                let kind = match threshold {
                    Threshold::Time(_) => time.clone(),
                    Threshold::Number(_) => number.clone(),
                };
                (name.to_owned(), kind)
            })
            .collect();
        properties.insert(TIME_LIMIT.to_owned(), time);
        json!({
            "type": "object",
            "description": what,
            "properties": properties,
            "additionalProperties": false,
        })
    };
    let text = |what: &str| json!({ "type": "string", "minLength": 1, "description": what });
    let date = "the last day, as 2027-01-31";
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "concaudit.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "thresholds": thresholds_of("from when on something is worth a finding"),
            "rules": rules_of("what becomes of the findings of each rule"),
            "allow": {
                "type": "array",
                "description": "findings that are known and do not count",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["rule", "site", "reason"],
                    "properties": {
                        "rule": { "enum": rules },
                        "site": text("a glob over the file or the function of a place"),
                        "reason": text("why they do not count"),
                        "owner": text("who is to be asked"),
                        "until": { "description": date, "type": "string", "format": "date" },
                    },
                },
            },
            "override": {
                "type": "array",
                "description": "what is set otherwise for some tests; the last that fits counts",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "anyOf": [{ "required": ["package"] }, { "required": ["test"] }],
                    "properties": {
                        "package": text("a glob over the package of the test"),
                        "test": text("a glob over the path of the test in its binary"),
                        "thresholds": thresholds_of("thresholds in these tests"),
                        "rules": rules_of("levels in these tests"),
                    },
                },
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&schema)?;
    text.push('\n');
    Ok(text)
}
