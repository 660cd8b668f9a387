//! The expectations are complete, and the report as a whole is right.

use std::collections::BTreeSet;

use crate::support::{Test, Workspace};

fn missing(workspace: Workspace, expected: &[&[&str]]) -> Vec<String> {
    let expected: BTreeSet<&str> = expected.iter().copied().flatten().copied().collect();
    let report = &workspace.audit().report;
    report
        .tests
        .iter()
        .map(Test::full_name)
        .filter(|name| !expected.contains(name.as_str()))
        .collect()
}

#[test]
fn every_test_of_the_fixtures_has_an_expectation() {
    use crate::{lingering as l, surroundings as s};
    let expected = [
        l::unit_tests::TESTS,
        l::client::TESTS,
        l::server::TESTS,
        l::timer::TESTS,
        l::runtime::TESTS,
        l::blocking::TESTS,
        l::owners::TESTS,
        l::nested::TESTS,
        l::tree::TESTS,
        l::whose::TESTS,
        crate::long_held::TESTS,
        crate::lock_order::TESTS,
        crate::thread_locks::orders::TESTS,
        crate::thread_locks::holds::TESTS,
        crate::recursive_lock::TESTS,
        crate::silent_panic::TESTS,
        crate::spawn_storm::TESTS,
        crate::orphaned_task::TESTS,
        crate::lost_waker::TESTS,
        crate::lock_across_await::TESTS,
        crate::blocking_call::TESTS,
        crate::blocking_poll::polls::TESTS,
        crate::blocking_poll::signals::TESTS,
        crate::leaked::threads::TESTS,
        crate::leaked::children::TESTS,
        crate::leaked::files::TESTS,
        crate::leaked::calls::TESTS,
        crate::variants::TESTS,
        crate::yielding::TESTS,
        s::environment::TESTS,
        s::subscriber::TESTS,
        s::children::TESTS,
        s::binary::TESTS,
        s::members::TESTS,
        &[s::UNIT],
    ];
    assert_eq!(missing(Workspace::Rules, &expected), [""; 0]);
    assert_eq!(missing(Workspace::OldTokio, &[crate::old_tokio::TESTS]), [""; 0]);
    assert_eq!(missing(Workspace::StdOnly, &[crate::std_only::TESTS]), [""; 0]);
    let expected = [crate::recursive_lock::stuck::TESTS, crate::lost_waker::roots::TESTS];
    assert_eq!(missing(Workspace::Stuck, &expected), [""; 0]);
    let expected = [
        crate::deadlock::one::TESTS,
        crate::deadlock::many::TESTS,
        crate::deadlock::own::TESTS,
        crate::deadlock::bound::TESTS,
        crate::deadlock::runtimes::TESTS,
        crate::deadlock::threads::TESTS,
    ];
    assert_eq!(missing(Workspace::Deadlock, &expected), [""; 0]);
    let expected = [
        crate::hung_test::waits::TESTS,
        crate::hung_test::one::TESTS,
        crate::hung_test::many::TESTS,
        crate::hung_test::starved::TESTS,
        crate::hung_test::threads::TESTS,
    ];
    assert_eq!(missing(Workspace::Hung, &expected), [""; 0]);
    let expected = [crate::futurelock::one::TESTS, crate::futurelock::many::TESTS];
    assert_eq!(missing(Workspace::Futurelock, &expected), [""; 0]);
    let expected = [crate::precision::TESTS, crate::precision::rightly::TESTS];
    assert_eq!(missing(Workspace::Precision, &expected), [""; 0]);
}

#[test]
fn the_verdict_on_the_fixtures_is_findings() {
    let audit = Workspace::Rules.audit();
    audit.finished.assert_code(1);
    let report = &audit.report;
    assert_eq!(report.schema_version, 1);
    assert_eq!(report.summary.tests_failed, 0);
    assert_eq!(report.summary.tests_run, report.tests.len() as u64);
    assert_eq!(report.summary.tests_skipped, 1, "the ignored one");
    assert!(report.coverage.instrumented.iter().any(|it| it.starts_with("tokio 1.54")));
    for test in &report.tests {
        assert!(!test.truncated, "{} ended without its last update", test.full_name());
    }
}

#[test]
fn findings_are_sorted_and_complete() {
    let report = &Workspace::Rules.audit().report;
    let rank = |severity: &str| ["error", "warning", "note"].iter().position(|it| *it == severity);
    assert!(report.findings.is_sorted_by_key(|finding| rank(&finding.severity)));
    let fingerprints: BTreeSet<&str> =
        report.findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
    for finding in &report.findings {
        assert_eq!(finding.locations[0].role, "primary", "{finding}");
        assert!(!finding.message.is_empty() && !finding.message.ends_with('.'), "{finding}");
        assert!(finding.tests.is_sorted() && !finding.tests.is_empty(), "{finding}");
        assert!(finding.occurrences >= finding.tests.len() as u64, "{finding}");
    }
    assert_eq!(fingerprints.len(), report.findings.len(), "fingerprints are unique");
}

#[test]
fn an_audit_changes_nothing_in_the_project() {
    for workspace in [
        Workspace::Rules,
        Workspace::OldTokio,
        Workspace::Behaviour,
        Workspace::StdOnly,
        Workspace::Stuck,
        Workspace::Deadlock,
        Workspace::Futurelock,
        Workspace::Hung,
    ] {
        let [before, after] = &workspace.audit().trees;
        assert_eq!(before, after, "{workspace:?}");
    }
}
