//! `blocking-call`: what stops a runtime, and what is free to block.

use crate::support::{Expected, Tool, Workspace, expectations, note, silent, warning};

const RULE: &str = "blocking-call";
const TESTS_OWN: &str = "blocking-call/tests/calls.rs";
const LIB: &str = "blocking-call/src/lib.rs";

/// On a machine that is late, the holder's 50 ms may grow until they count.
fn waits_for_a_busy_lock(marker: &'static str) -> Expected {
    warning(RULE, LIB, marker).besides(&["long-held-lock"])
}

expectations! { Workspace::Rules, "blocking-call::calls ";
    a_task_that_sleeps_stops_its_runtime => warning(RULE, LIB, "sleeps");
    a_task_that_sleeps_stops_its_worker => warning(RULE, LIB, "sleeps");
    a_task_that_sleeps_briefly_is_fine => silent();
    a_blocking_task_may_sleep => silent();
    a_task_may_sleep_where_it_says_so => silent();
    a_thread_may_sleep => silent();
    a_test_without_a_runtime_may_sleep => silent();
    a_root_that_sleeps_is_only_noted => note(RULE, LIB, "sleeps-in-a-root").by("library");
    a_task_that_the_test_lets_sleep_is_only_noted
        => note(RULE, "blocking-call/tests/calls.rs", "sleeps-in-the-test");
    a_task_that_waits_for_a_busy_lock_stops_its_runtime => waits_for_a_busy_lock("locks");
    a_task_that_waits_for_a_busy_read_write_lock_stops_its_runtime
        => waits_for_a_busy_lock("reads");
    a_task_that_waits_for_a_busy_parking_lot_lock_stops_its_runtime
        => waits_for_a_busy_lock("locks-parked");
    a_task_that_tries_a_busy_lock_is_fine => silent();
    a_task_that_takes_a_free_lock_is_fine => silent();
    a_blocking_task_may_wait_for_a_busy_lock => silent();
    a_task_that_waits_for_a_condition_stops_its_runtime
        => warning(RULE, LIB, "waits-for-a-condition");
    a_task_that_joins_a_thread_stops_its_runtime => warning(RULE, LIB, "joins");
    a_task_that_joins_a_thread_that_is_done_is_fine => silent();
    a_blocking_task_may_join_a_thread => silent();
    a_task_that_receives_from_a_thread_stops_its_runtime => warning(RULE, LIB, "receives");
    a_task_that_receives_what_is_there_is_fine => silent();
    a_task_that_meets_a_thread_stops_its_runtime => warning(RULE, LIB, "meets");
    a_task_that_parks_its_thread_stops_its_runtime => warning(RULE, LIB, "parks");
    a_test_that_sleeps_in_its_body_stops_the_tasks_of_its_runtime
        => warning(RULE, TESTS_OWN, "sleeps-beside-a-task").by("test").with(|finding| {
            let details = &finding.details;
            if details["runtime"] == "current-thread" && details["others"] == 1 {
                Ok(())
            } else {
                Err("not on a current-thread runtime with another task".to_owned())
            }
        });
    a_test_that_awaits_its_sleep_beside_a_task_is_fine => silent();
    a_test_that_sleeps_alone_is_only_noted => note(RULE, TESTS_OWN, "sleeps-alone");
    a_test_that_sleeps_after_its_tasks_have_ended_is_only_noted
        => note(RULE, TESTS_OWN, "sleeps-afterwards");
    a_test_that_sleeps_beside_its_workers_is_only_noted
        => note(RULE, TESTS_OWN, "sleeps-beside-workers").with(|finding| {
            if finding.details["runtime"] == "multi-thread" {
                Ok(())
            } else {
                Err("not on a multi-thread runtime".to_owned())
            }
        });
    a_test_that_waits_for_a_thread_beside_a_task_is_only_noted
        => note(RULE, TESTS_OWN, "joins-in-the-test");
    a_root_that_sleeps_among_tasks_is_a_warning => warning(RULE, LIB, "sleeps-among-tasks");
    a_root_of_another_thread_that_sleeps_is_only_noted
        => note(RULE, TESTS_OWN, "sleeps-elsewhere");
}

#[test]
fn a_test_that_sleeps_beside_its_workers_is_named_without_v() {
    let test = "a_test_that_sleeps_beside_its_workers_is_only_noted";
    let finished = Tool::new("").args(&["-p", "blocking-call", "--exact", test]).run();
    finished.assert_code(0);
    let named = "blocking-call at blocking-call/tests/calls.rs:";
    assert!(finished.stdout.contains(named), "{finished}");
}
