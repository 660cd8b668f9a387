//! Tests that take their process with them, or would take the runner's.

use std::time::Duration;

use crate::support::{Workspace, check, process_is_alive, silent, wait_until};

fn outcome(name: &str, expected: &str) {
    let audit = Workspace::Behaviour.audit();
    let full_name = format!("behaviour::misbehaviour {name}");
    let test = audit.report.test(&full_name).unwrap_or_else(|| panic!("{name} was not run"));
    assert_eq!(test.outcome, expected, "{name}\n{}", audit.finished);
}

macro_rules! outcomes {
    ($($name:ident => $expected:literal;)*) => {
        $(#[test] fn $name() { outcome(stringify!($name), $expected); })*
    };
}

outcomes! {
    a_well_behaved_test_passes => "passed";
    a_test_that_leaves_a_task_passes => "passed";
    a_failed_assertion_fails => "failed";
    an_abort_is_a_signal => "signalled";
    a_segmentation_fault_is_a_signal => "signalled";
    a_test_that_is_killed_is_a_signal => "signalled";
    an_exit_in_the_middle_is_what_its_code_says => "passed";
    an_exit_with_a_code_in_the_middle_fails => "failed";
    eight_megabytes_of_output_pass => "passed";
    output_that_is_no_text_passes => "passed";
    a_test_that_closes_every_descriptor_passes => "passed";
    a_hanging_test_runs_into_its_time_limit => "timed-out";
    a_test_that_stands_still_is_ended_before_that => "hung";
    a_blocked_test_runs_into_its_time_limit => "timed-out";
    a_test_that_ignores_the_polite_signal_is_killed => "timed-out";
}

#[test]
fn failing_tests_are_exit_code_100_and_the_report_is_there() {
    let audit = Workspace::Behaviour.audit();
    audit.finished.assert_code(100);
    assert_eq!(audit.report.summary.tests_failed, 10);
    assert_eq!(audit.report.summary.tests_skipped, 1);
}

#[test]
fn a_failed_test_blames_nobody_for_the_tasks_that_its_panic_left() {
    let name = "a_failed_test_leaves_what_its_panic_left";
    outcome(name, "failed");
    check(Workspace::Behaviour, &format!("behaviour::misbehaviour {name}"), &silent());
}

#[test]
fn a_killed_test_is_not_taken_for_clean() {
    let report = &Workspace::Behaviour.audit().report;
    for name in ["an_abort_is_a_signal", "a_test_that_is_killed_is_a_signal"] {
        let name = format!("behaviour::misbehaviour {name}");
        assert!(report.test(&name).expect("it was run").truncated, "{name}");
        check(Workspace::Behaviour, &name, &silent());
    }
}

#[test]
fn the_output_of_a_failed_test_is_shown_and_that_of_a_passed_one_is_not() {
    let finished = &Workspace::Behaviour.audit().finished;
    finished.assert_says(&["what the test said before it failed", "four is not five"]);
    assert!(!finished.stderr.contains("......................"), "eight megabytes of dots");
}

#[test]
fn children_that_outlive_their_test_hold_nothing_up_and_are_ended() {
    let name = "children_that_outlive_their_test_do_not_hold_it_up";
    outcome(name, "passed");
    let report = &Workspace::Behaviour.audit().report;
    let test = report.test(&format!("behaviour::misbehaviour {name}")).expect("it was run");
    assert!(test.duration_ms < 20_000, "it waited for its children: {test:?}");
    let gone = || (!process_is_alive("sleep", "120.0625")).then_some(());
    wait_until("the children to be gone", Duration::from_secs(10), gone);
}
