//! One report of several: of shards, of which each ran a part of the tests.

use std::collections::BTreeMap;

use super::{
    assemble::by_importance,
    json::SCHEMA_VERSION,
    summary::{Coverage, ProjectInfo, Report, Summary, TestOutcome, TestReport},
};
use crate::finding::{
    BaselineState, Details, Finding, LockGraph, LockOrder, Variant, group::MAX_VARIANTS,
};

/// Why reports cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to join.
    #[error("there is no report")]
    Nothing,
    /// They are of different projects.
    #[error("one is of the project {one}, another one of {other}")]
    Projects {
        /// The first one's.
        one: String,
        /// The first that differs.
        other: String,
    },
}

/// Joins reports. A cause that several have seen is one finding, with the tests of all and
/// the text of the worst; what the run was worth is added up.
pub fn merge(reports: Vec<Report>) -> Result<Report, MergeError> {
    let names: Vec<&String> = reports.iter().map(|report| &report.project.name).collect();
    let Some(one) = names.first() else { return Err(MergeError::Nothing) };
    if let Some(other) = names.iter().find(|name| *name != one) {
        return Err(MergeError::Projects { one: (*one).clone(), other: (*other).clone() });
    }
    let first = &reports[0];
    let (tool, name) = (first.tool.clone(), first.project.name.clone());
    let folder = first.project.folder.clone();
    let skipped = skipped(&reports);

    let mut packages = Vec::new();
    let mut findings: BTreeMap<(String, String), Finding> = BTreeMap::new();
    let mut tests: BTreeMap<String, TestReport> = BTreeMap::new();
    let mut coverage = Coverage::default();
    let mut summary = Summary::default();
    let mut graphs = Vec::new();
    for report in reports {
        graphs.extend(report.lock_graph);
        packages.extend(report.project.packages);
        for finding in report.findings {
            let key = (finding.rule.clone(), finding.fingerprint.clone());
            match findings.remove(&key) {
                Some(known) => findings.insert(key, join(known, finding)),
                None => findings.insert(key, finding),
            };
        }
        for test in report.tests {
            let name = test.full_name();
            let is_worse = |known: &TestReport| {
                known.outcome == TestOutcome::Passed && test.outcome != TestOutcome::Passed
            };
            if tests.get(&name).is_none_or(is_worse) {
                tests.insert(name, test);
            }
        }
        add_coverage(&mut coverage, report.coverage);
        add_numbers(&mut summary, &report.summary);
    }
    packages.sort();
    packages.dedup();
    let mut findings: Vec<Finding> = findings.into_values().collect();
    // An allowance that one shard needed has its use.
    let used: Vec<(String, u32)> = findings
        .iter()
        .flat_map(|finding| &finding.suppressed)
        .map(|suppression| (suppression.file.clone(), suppression.line))
        .collect();
    findings.retain(|finding| {
        !(finding.rule == "unused-allow"
            && matches!(finding.details, Details::Allowance { .. })
            && finding
                .locations
                .iter()
                .any(|place| used.contains(&(place.file.clone(), place.line))))
    });
    findings.sort_by(by_importance);
    let tests: Vec<TestReport> = tests.into_values().collect();
    summary.count(&findings, &tests);
    summary.tests_skipped = skipped.saturating_sub(summary.tests_run);
    Ok(Report {
        schema_version: SCHEMA_VERSION,
        tool,
        project: ProjectInfo { name, packages, folder },
        summary,
        findings,
        tests,
        coverage,
        lock_graph: join_graphs(graphs),
    })
}

/// One graph with the orders of all.
fn join_graphs(graphs: Vec<LockGraph>) -> Option<LockGraph> {
    let mut joined: Option<LockGraph> = None;
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut known: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for graph in graphs {
        let all = joined.get_or_insert_default();
        all.left_out += graph.left_out;
        let of: Vec<usize> = graph
            .locks
            .into_iter()
            .map(|lock| {
                *numbers.entry(lock).or_insert_with_key(|lock| {
                    all.locks.push(lock.clone());
                    all.locks.len() - 1
                })
            })
            .collect();
        for order in graph.orders {
            let (Some(&from), Some(&to)) = (of.get(order.from), of.get(order.to)) else { continue };
            if let Some(&at) = known.get(&(from, to)) {
                all.orders[at].tests += order.tests;
            } else {
                known.insert((from, to), all.orders.len());
                all.orders.push(LockOrder { from, to, ..order });
            }
        }
    }
    joined
}

/// How many tests there are: shards of one run know of all of them, and so have one number;
/// other reports are of different tests.
fn skipped(reports: &[Report]) -> u64 {
    let totals =
        || reports.iter().map(|report| report.summary.tests_run + report.summary.tests_skipped);
    let most = totals().max().unwrap_or(0);
    if totals().all(|total| total == most) { most } else { totals().sum() }
}

/// One cause in two reports.
fn join(one: Finding, other: Finding) -> Finding {
    let rank = |finding: &Finding| (finding.severity, finding.confidence);
    let (mut worse, other) = if rank(&other) > rank(&one) { (other, one) } else { (one, other) };
    worse.occurrences += other.occurrences;
    worse.further_occurrences += other.further_occurrences;
    worse.tests.extend(other.tests.iter().cloned());
    worse.tests.sort();
    worse.tests.dedup();
    // What counts in one of them counts.
    if other.suppressed.is_empty() {
        worse.suppressed.clear();
    }
    if other.baseline == Some(BaselineState::New) {
        worse.baseline = other.baseline;
    }
    let mut ways = ways(&worse);
    let is_one = ways.len() == 1;
    for way in self::ways(&other) {
        let places = |way: &Variant| -> Vec<(String, u32)> {
            way.locations.iter().map(|place| (place.file.clone(), place.line)).collect()
        };
        match ways.iter().position(|known| places(known) == places(&way)) {
            Some(index) => {
                let known = &mut ways[index];
                known.occurrences += way.occurrences;
                known.tests.extend(way.tests);
                known.tests.sort();
                known.tests.dedup();
            }
            None if ways.len() < MAX_VARIANTS => ways.push(way),
            None => worse.further_occurrences += way.occurrences,
        }
    }
    worse.variants = if is_one && ways.len() == 1 { Vec::new() } else { ways };
    worse
}

/// The ways in which a cause was seen, where there is only one, too.
fn ways(finding: &Finding) -> Vec<Variant> {
    if !finding.variants.is_empty() {
        return finding.variants.clone();
    }
    vec![Variant {
        severity: finding.severity,
        message: finding.message.clone(),
        locations: finding.locations.clone(),
        stacks: finding.stacks.clone(),
        notes: finding.notes.clone(),
        tests: finding.tests.clone(),
        occurrences: finding.occurrences,
        details: finding.details.clone(),
    }]
}

fn add_coverage(all: &mut Coverage, one: Coverage) {
    let Coverage {
        instrumented,
        not_instrumented,
        not_run,
        first_party_losses,
        unaudited_tests,
        truncated_tests,
        truncated_processes,
        dropped_order_edges,
        dropped_stacks,
        dropped_tasks,
        alike_tasks,
        dropped_holds,
        dropped_events,
    } = one;
    for (all, one) in [
        (&mut all.instrumented, instrumented),
        (&mut all.not_instrumented, not_instrumented),
        (&mut all.not_run, not_run),
        (&mut all.first_party_losses, first_party_losses),
        (&mut all.unaudited_tests, unaudited_tests),
        (&mut all.truncated_tests, truncated_tests),
    ] {
        all.extend(one);
        all.sort();
        all.dedup();
    }
    all.truncated_processes += truncated_processes;
    all.dropped_order_edges += dropped_order_edges;
    all.dropped_stacks += dropped_stacks;
    all.dropped_tasks += dropped_tasks;
    all.alike_tasks += alike_tasks;
    all.dropped_holds += dropped_holds;
    all.dropped_events += dropped_events;
}

/// Times are the longest of all, since shards run side by side.
fn add_numbers(all: &mut Summary, one: &Summary) {
    all.tasks += one.tasks;
    all.threads += one.threads;
    all.locks += one.locks;
    all.acquisitions += one.acquisitions;
    all.drains += one.drains;
    all.drain_ms += one.drain_ms;
    all.tests_not_started += one.tests_not_started;
    all.build_ms = all.build_ms.max(one.build_ms);
    all.test_ms = all.test_ms.max(one.test_ms);
    all.interrupted |= one.interrupted;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::report::human::tests::report_of_every_rule;

    #[test]
    fn a_report_joined_with_itself_has_its_findings_once() {
        let mut report = report_of_every_rule();
        // Of distinct causes.
        report.findings.retain(|finding| finding.severity > Severity::Note);
        let merged = merge(vec![report.clone(), report.clone()]).expect("one project");
        assert_eq!(merged.findings.len(), report.findings.len());
        for (merged, one) in merged.findings.iter().zip(&report.findings) {
            assert_eq!(merged.occurrences, 2 * one.occurrences);
            assert_eq!((&merged.tests, &merged.message), (&one.tests, &one.message));
            assert!(merged.variants.is_empty(), "{merged:?}");
        }
        assert_eq!(merged.summary.tests_run, report.summary.tests_run);
        assert_eq!(merged.summary.errors, 2);
    }

    #[test]
    fn the_worse_text_is_that_of_the_finding() {
        let one = report_of_every_rule();
        let mut other = one.clone();
        other.findings.truncate(1);
        let milder = &mut other.findings[0];
        milder.severity = Severity::Note;
        milder.message = "milder".to_owned();
        milder.tests = vec!["another".to_owned()];
        milder.locations[0].line += 1;
        let merged = merge(vec![other, one.clone()]).expect("one project");
        let joined = &merged.findings[0];
        assert_eq!((joined.severity, &joined.message), (Severity::Error, &one.findings[0].message));
        assert!(joined.tests.contains(&"another".to_owned()));
        assert_eq!(joined.variants.len(), 2);
    }

    #[test]
    fn reports_of_two_projects_are_not_joined() {
        let one = report_of_every_rule();
        let mut other = one.clone();
        other.project.name = "other".to_owned();
        assert!(merge(vec![one, other]).is_err());
        assert!(merge(vec![]).is_err());
    }
}
