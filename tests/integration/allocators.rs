//! Whatever allocates, the audit neither gets in its way nor is blinded by it.

use std::collections::BTreeSet;

use crate::support::{Report, Tool};

#[test]
fn programs_get_on_and_are_audited_under_any_allocator() {
    let finished =
        Tool::new("allocators").args(&["--locked", "--fail-on", "never", "--format", "json"]).run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!((report.summary.tests_run, report.summary.tests_failed), (19, 0), "{finished}");
    for test in &report.tests {
        assert_eq!(
            (test.processes, test.truncated),
            (1, false),
            "{}\n{finished}",
            test.full_name()
        );
    }

    let binaries: BTreeSet<_> = report.tests.iter().map(|test| &test.binary).collect();
    for binary in binaries {
        let test = format!("{binary} two_locks_taken_in_both_orders_are_a_cycle");
        let found: Vec<_> = report.of_test(&test).map(|finding| finding.rule.as_str()).collect();
        assert_eq!(found, ["lock-order-cycle"], "{binary}\n{finished}");
    }
    let others = report.findings.iter().filter(|finding| finding.rule != "lock-order-cycle");
    assert_eq!(others.count(), 0, "{finished}");

    let of_allocators = |missed: &&String| missed.contains("locks of the global allocator");
    let missed = &report.coverage.not_instrumented;
    assert_eq!(missed.iter().filter(of_allocators).count(), 1, "{missed:#?}");
}
