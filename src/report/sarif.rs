//! [SARIF 2.1.0](https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), as code
//! scanning reads it.
//!
//! GitHub takes at most 1,000 locations of a result and 10,000 steps of its flows, and
//! wants paths relative to the root of the repository.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    summary::Report,
    text::{located, paragraphs},
};
use crate::{
    finding::{BaselineState, Finding, LabelledStack, Location, Role, Severity, StackFrame},
    rules::{RULES, page},
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What paths are relative to.
const ROOT: &str = "%SRCROOT%";
const MAX_LOCATIONS: usize = 1_000;
const MAX_STEPS: usize = 10_000;
/// The kind of our fingerprint; another one gets another number.
const FINGERPRINT: &str = "concaudit/v1";

/// The report as a log of one run.
pub fn render(report: &Report) -> serde_json::Result<String> {
    let mut rules: Vec<(&str, Value)> = RULES
        .iter()
        .map(|rule| (rule.name(), rule_of(rule.name(), rule.summary(), rule.default_severity())))
        .collect();
    // What is wrong with the settings is found by no rule.
    for finding in &report.findings {
        if !rules.iter().any(|(name, _)| *name == finding.rule) {
            let rule = rule_of(&finding.rule, &finding.help, finding.severity);
            rules.push((&finding.rule, rule));
        }
    }
    let index = |rule: &str| rules.iter().position(|(name, _)| *name == rule);
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| result(report, finding, index(&finding.rule)))
        .collect();
    let rules: Vec<&Value> = rules.iter().map(|(_, rule)| rule).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": report.tool.name,
                    "semanticVersion": report.tool.version,
                    "rules": rules,
                },
            },
            "automationDetails": { "id": format!("concaudit/{}/", report.project.name) },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {
                ROOT: { "description": { "text": "The root of the repository." } },
            },
            "invocations": [invocation(report)],
            "results": results,
        }],
    });
    let mut text = serde_json::to_string_pretty(&log)?;
    text.push('\n');
    Ok(text)
}

fn rule_of(name: &str, summary: &str, severity: Severity) -> Value {
    // "LockOrderCycle"
    let mut pascal = String::with_capacity(name.len());
    for word in name.split('-') {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        pascal.push_str(&first.to_uppercase());
        pascal.push_str(rest);
    }
    let mut rule = json!({
        "id": name,
        "name": pascal,
        "shortDescription": { "text": sentence(summary) },
        "defaultConfiguration": { "level": severity.name() },
        "properties": { "tags": ["concurrency", "reliability"] },
    });
    if let Some(page) = page(name) {
        rule["help"] = json!({ "text": page, "markdown": page });
    }
    let home = env!("CARGO_PKG_REPOSITORY");
    if !home.is_empty() {
        rule["helpUri"] = json!(format!("{home}/blob/main/docs/rules/{name}.md"));
    }
    rule
}

/// With a capital at its beginning and a full stop at its end.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let text: String = first.chain(letters).collect();
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// Whether the run got through, and what keeps it from being the whole truth.
fn invocation(report: &Report) -> Value {
    let coverage = &report.coverage;
    let notification =
        |level: &str, text: &str| json!({ "level": level, "message": { "text": text } });
    let lost = coverage
        .not_instrumented
        .iter()
        .map(|what| notification("warning", &format!("not audited: {what}")));
    let silent = coverage
        .unaudited_tests
        .iter()
        .map(|test| notification("warning", &format!("no process of {test} was heard of")));
    let verdict = report.summary.verdict.iter().map(|verdict| notification("error", verdict));
    let notifications: Vec<Value> = verdict.chain(lost).chain(silent).collect();
    let mut invocation = json!({
        "executionSuccessful": report.summary.verdict.is_none(),
        "toolExecutionNotifications": notifications,
    });
    if let Some(code) = report.summary.exit_code {
        invocation["exitCode"] = json!(code);
    }
    invocation
}

fn result(report: &Report, finding: &Finding, index: Option<usize>) -> Value {
    let root = &report.project.folder;
    // A line of the repository can be annotated; another one cannot.
    let main: Vec<Value> =
        located(finding).map(|place| physical(root, place)).into_iter().collect();
    let related: Vec<Value> = finding
        .locations
        .iter()
        .take(MAX_LOCATIONS)
        .enumerate()
        .filter(|(_, place)| place.role == Role::Secondary || !place.label.is_empty())
        .map(|(id, place)| {
            let mut location = physical(root, place);
            location["id"] = json!(id);
            location["message"] = json!({ "text": place.label });
            location
        })
        .collect();
    let mut result = json!({
        "ruleId": finding.rule,
        "level": finding.severity.name(),
        "message": { "text": paragraphs(finding) },
        "locations": main,
        "relatedLocations": related,
        "partialFingerprints": { FINGERPRINT: finding.fingerprint },
        "occurrenceCount": finding.occurrences,
        "properties": {
            "confidence": finding.confidence,
            "origin": finding.origin,
            "tests": finding.tests,
        },
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    let flows = thread_flows(root, &finding.stacks);
    if !flows.is_empty() {
        result["codeFlows"] = json!([{
            "message": { "text": "who takes part, a stack each" },
            "threadFlows": flows,
        }]);
    }
    if !finding.suppressed.is_empty() {
        let suppressions = finding.suppressed.iter().map(|suppression| {
            let is_comment =
                std::path::Path::new(&suppression.file).extension().is_some_and(|it| it == "rs");
            json!({
                "kind": if is_comment { "inSource" } else { "external" },
                "status": "accepted",
                "justification": suppression.to_string(),
                "location": {
                    "physicalLocation": {
                        "artifactLocation": artifact(root, &suppression.file, None),
                        "region": { "startLine": suppression.line },
                    },
                },
            })
        });
        result["suppressions"] = suppressions.collect();
    }
    if let Some(state) = finding.baseline {
        result["baselineState"] = json!(match state {
            BaselineState::New => "new",
            BaselineState::Known => "unchanged",
        });
    }
    result
}

/// One per stack, from the outermost frame to the innermost, as the calls were made.
fn thread_flows(root: &str, stacks: &[LabelledStack]) -> Vec<Value> {
    let mut left = MAX_STEPS;
    let stacks = stacks.iter().filter(|stack| stack.frames.iter().any(|it| it.file.is_some()));
    stacks
        .enumerate()
        .filter_map(|(index, stack)| {
            let steps: Vec<Value> = stack
                .frames
                .iter()
                .rev()
                .filter(|frame| frame.file.is_some())
                .take(left)
                .map(|frame| step(root, frame))
                .collect();
            left -= steps.len();
            let flow = json!({
                "id": index.to_string(),
                "message": { "text": stack.label },
                "locations": steps,
            });
            (!steps.is_empty()).then_some(flow)
        })
        .collect()
}

fn step(root: &str, frame: &StackFrame) -> Value {
    let file = frame.file.as_deref().unwrap_or_default();
    let mut place = json!({
        "artifactLocation": artifact(root, file, frame.absolute_path.as_deref()),
    });
    if let Some(line) = frame.line.filter(|line| *line > 0) {
        place["region"] = json!({ "startLine": line });
    }
    json!({
        "importance": if frame.first_party { "essential" } else { "unimportant" },
        "location": {
            "physicalLocation": place,
            "message": { "text": frame.function },
            "logicalLocations": [{ "fullyQualifiedName": frame.function, "kind": "function" }],
        },
    })
}

fn physical(root: &str, place: &Location) -> Value {
    let mut region = json!({ "startLine": place.line.max(1) });
    if let Some(column) = place.column.filter(|column| *column > 0) {
        region["startColumn"] = json!(column);
    }
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": artifact(root, &place.file, place.absolute_path.as_deref()),
            "region": region,
        },
    });
    if !place.function.is_empty() {
        location["logicalLocations"] =
            json!([{ "fullyQualifiedName": place.function, "kind": "function" }]);
    }
    location
}

/// Relative to the root of the repository, in which the workspace is the folder `root`, or absolute where the file lies elsewhere.
fn artifact(root: &str, file: &str, absolute: Option<&str>) -> Value {
    match absolute {
        Some(absolute) => json!({ "uri": format!("file://{}", encoded(absolute)) }),
        None if root.is_empty() => json!({ "uri": encoded(file), "uriBaseId": ROOT }),
        None => json!({ "uri": encoded(&format!("{root}/{file}")), "uriBaseId": ROOT }),
    }
}

/// A path as a part of a URI.
fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
