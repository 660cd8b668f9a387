//! What the script needs: the tests, and which finding was seen in which.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::report::{
    paint::sanitize,
    summary::{Distribution, Report},
};

/// Pairs of a finding and a test that the filters know, so that the file stays small.
const MAX_PAIRS: usize = 100_000;

/// Names once, and numbers in place of names.
pub fn data(report: &Report) -> Value {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut binaries: Vec<&str> = Vec::new();
    let mut tests: Vec<Value> = Vec::with_capacity(report.tests.len());
    for (number, test) in report.tests.iter().enumerate() {
        numbers.insert(test.full_name(), number);
        let binary =
            binaries.iter().rposition(|known| *known == test.binary).unwrap_or_else(|| {
                binaries.push(&test.binary);
                binaries.len() - 1
            });
        let longest = |what: &Option<Distribution>| what.as_ref().map_or(0, |it| it.longest_ms);
        tests.push(json!([
            binary,
            sanitize(&test.name),
            test.outcome.name(),
            test.duration_ms,
            test.peak_tasks,
            longest(&test.polls),
            longest(&test.lock_waits),
            longest(&test.lock_holds),
        ]));
    }
    let each = (MAX_PAIRS / report.findings.len().max(1)).max(10);
    let findings: Vec<Vec<usize>> = report
        .findings
        .iter()
        .map(|finding| {
            finding.tests.iter().filter_map(|test| numbers.get(test).copied()).take(each).collect()
        })
        .collect();
    let is_cut = report.findings.iter().any(|finding| finding.tests.len() > each);
    json!({
        "binaries": binaries.iter().map(|binary| sanitize(binary)).collect::<Vec<_>>(),
        "tests": tests,
        "findings": findings,
        "cut": is_cut.then_some(each),
    })
}
