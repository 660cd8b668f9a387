//! `lingering-task`: what counts as left behind, who is blamed, and how bad it
//! is.

use crate::support::Finding;

const RULE: &str = "lingering-task";
const CLIENT: &str = "lingering/src/client.rs";
const SURVIVES: &str = "survives-its-client";

/// A number of the finding's details.
fn number(finding: &Finding, name: &str) -> Option<u64> {
    finding.details.get(name).and_then(serde_json::Value::as_u64)
}

fn has_descendants(finding: &Finding, expected: u64) -> Result<(), String> {
    match number(finding, "descendants") {
        Some(found) if found == expected => Ok(()),
        found => Err(format!("it has {found:?} descendants, not {expected}")),
    }
}

/// The timer of 30 s was started in the test, which took no 10 s.
fn is_due(finding: &Finding) -> Result<(), String> {
    match number(finding, "due_in_ms") {
        Some(20_000..=30_000) => Ok(()),
        found => Err(format!("it is due in {found:?} ms, not in some 30 s")),
    }
}

fn has_await_stack(finding: &Finding) -> Result<(), String> {
    if finding.stacks.iter().any(|stack| stack.label.contains("await")) {
        Ok(())
    } else {
        Err("there is no await stack".to_owned())
    }
}

pub mod unit_tests {
    use super::{CLIENT, RULE, SURVIVES};
    use crate::support::{Workspace, error, expectations, note, silent};

    expectations! { Workspace::Rules, "lingering tests::";
        a_unit_test_that_drops_a_closing_client_leaves_nothing => silent();
        a_unit_test_that_drops_a_surviving_client_leaves_its_task => error(RULE, CLIENT, SURVIVES);
        a_unit_test_that_forgets_its_own_task_is_only_noted
            => note(RULE, "lingering/src/lib.rs", "forgotten-by-a-unit-test");
        what_a_file_for_unit_tests_alone_leaves_is_only_noted
            => note(RULE, "lingering/src/stand_in.rs", "is-of-a-stand-in");
    }
}

pub mod client {
    use super::{CLIENT, RULE, SURVIVES, has_await_stack};
    use crate::support::{Workspace, error, expectations, silent};

    expectations! { Workspace::Rules, "lingering::client ";
        a_client_whose_drop_closes_the_channel_leaves_nothing => silent();
        a_client_whose_drop_closes_the_channel_leaves_nothing_on_many_threads => silent();
        a_client_whose_task_has_a_last_thing_to_do_is_given_the_time => silent();
        a_client_whose_task_has_a_last_thing_to_do_is_given_the_time_on_many_threads => silent();
        a_client_whose_task_holds_its_own_sender_leaves_that_task
            => error(RULE, CLIENT, SURVIVES).with(has_await_stack);
        a_client_whose_task_holds_its_own_sender_leaves_that_task_on_many_threads
            => error(RULE, CLIENT, SURVIVES);
        twenty_clients_that_leave_their_tasks_are_one_finding
            => error(RULE, CLIENT, SURVIVES).with(|finding| {
                if finding.occurrences >= 20 {
                    Ok(())
                } else {
                    Err(format!("seen {} times only", finding.occurrences))
                }
            });
        a_client_that_aborts_its_task_leaves_nothing => silent();
        a_client_that_aborts_its_task_leaves_nothing_on_many_threads => silent();
        a_dropped_join_set_leaves_nothing => silent();
        a_join_set_that_gives_its_tasks_away_leaves_them
            => error(RULE, CLIENT, "detached-from-its-set");
    }
}

pub mod server {
    use super::{RULE, has_descendants};
    use crate::support::{Workspace, error, expectations, note, silent};

    expectations! { Workspace::Rules, "lingering::server ";
        an_abandoned_server_with_a_hundred_connections_is_one_note
            => note(RULE, "lingering/tests/server.rs", "abandons-a-server")
                .with(|finding| has_descendants(finding, 100));
        a_connection_that_ends_with_its_server_leaves_nothing => silent();
        a_connection_that_survives_its_finished_server_is_an_error
            => error(RULE, "lingering/src/server.rs", "survives-its-server");
    }
}

pub mod timer {
    use super::{CLIENT, RULE, SURVIVES, is_due};
    use crate::support::{Workspace, error, expectations, silent, warning};

    expectations! { Workspace::Rules, "lingering::timer ";
        a_reaper_on_a_timer_of_thirty_seconds_is_a_warning
            => warning(RULE, "lingering/src/cache.rs", "reaps-for-ever").with(is_due);
        a_reaper_that_notices_late_is_a_warning
            => warning(RULE, "lingering/src/cache.rs", "reaps-once-more").with(is_due);
        a_reaper_whose_timer_is_over_is_an_error
            => error(RULE, "lingering/src/cache.rs", "reaps-once");
        a_reaper_that_is_told_leaves_nothing => silent();
        a_paused_clock_moves_by_what_was_slept_and_no_more => silent();
        a_paused_clock_does_not_move_between_two_roots => silent();
        a_paused_clock_does_not_move_to_the_timer_of_a_task_that_lives_on
            => warning(RULE, "lingering/src/cache.rs", "reaps-for-ever");
        a_task_is_left_under_a_paused_clock_too => error(RULE, CLIENT, SURVIVES);
    }
}

pub mod runtime {
    use super::{CLIENT, RULE, SURVIVES};
    use crate::support::{Workspace, at_most_a_note, error, expectations, only_notes, silent};

    expectations! { Workspace::Rules, "lingering::runtime ";
        a_task_that_serves_two_roots_and_ends_after_the_second_leaves_nothing => silent();
        a_task_that_serves_two_roots_and_survives_both_is_left => error(RULE, CLIENT, SURVIVES);
        a_runtime_shut_down_in_the_background_leaves_nothing_where_all_is_done => silent();
        a_runtime_shut_down_in_the_background_leaves_its_tasks => error(RULE, CLIENT, SURVIVES);
        a_leaked_runtime_leaves_its_tasks_at_the_end_of_the_process
            => error(RULE, CLIENT, SURVIVES).besides(&["leaked-thread"]);
        a_leaked_runtime_whose_tasks_are_done_leaves_no_more_than_itself
            => at_most_a_note("leaked-thread");
        a_static_runtime_leaves_its_tasks_at_the_end_of_the_process
            => error(RULE, CLIENT, SURVIVES);
        a_task_that_is_woken_right_at_the_end_is_not_left => silent();
        a_task_that_is_woken_right_at_the_end_and_by_a_shutdown_is_not_left => silent();
        a_task_that_a_working_thread_serves_leaves_nothing => silent();
        a_local_client_whose_drop_closes_the_channel_leaves_nothing => silent();
        a_local_client_whose_task_holds_its_own_sender_leaves_that_task
            => error(RULE, "lingering/src/local.rs", "survives-its-local-client");
        a_local_set_within_a_test_that_waits_for_its_tasks_leaves_nothing => silent();
        a_local_set_dropped_at_once_within_a_test_leaves_nobody_the_time_to_finish => silent();
        a_local_set_dropped_within_a_test_leaves_its_surviving_task
            => error(RULE, "lingering/src/local.rs", "survives-its-local-client");
        a_local_set_within_a_test_that_waits_for_its_tasks_leaves_nothing_on_many_threads
            => silent();
        a_local_set_that_runs_twice_and_ends_its_task_then_leaves_nothing => silent();
        a_local_set_that_runs_twice_and_not_to_the_end_of_its_task_leaves_it
            => error(RULE, "lingering/src/local.rs", "survives-its-local-client");
        a_local_set_dropped_before_its_runtime_leaves_its_surviving_task
            => error(RULE, "lingering/src/local.rs", "survives-its-local-client");
        a_task_of_a_static_is_no_more_than_a_note => only_notes();
    }
}

pub mod blocking {
    use super::{RULE, number};
    use crate::support::{Expected, Workspace, error, expectations, note, silent, warning};

    const BLOCKING: &str = "lingering/src/blocking.rs";
    const SURVIVES: &str = "survives-its-journal";

    /// It sleeps for 1.5 s, most of which is left when it is told to stop.
    fn waited_for() -> Expected {
        warning(RULE, BLOCKING, "works-on").with(|finding| {
            match number(finding, "shutdown_waited_ms") {
                Some(1000..) => Ok(()),
                found => Err(format!("the shutdown waited {found:?} ms for it")),
            }
        })
    }

    fn aborted() -> Expected {
        warning(RULE, BLOCKING, "cannot-be-aborted").with(|finding| {
            match number(finding, "aborted_ms") {
                Some(500..) => Ok(()),
                found => Err(format!("it went on for {found:?} ms")),
            }
        })
    }

    expectations! { Workspace::Rules, "lingering::blocking ";
        a_closure_that_ends_with_its_owner_leaves_nothing => silent();
        a_closure_that_ends_with_its_owner_leaves_nothing_on_many_threads => silent();
        a_closure_that_ends_with_its_owner_leaves_nothing_in_the_background => silent();
        a_closure_that_outlives_a_shutdown_in_the_background_is_left
            => error(RULE, BLOCKING, SURVIVES).showing(&["waits-for-its-journal"]);
        a_closure_that_outlives_a_shutdown_in_the_background_is_left_on_many_threads
            => error(RULE, BLOCKING, SURVIVES);
        a_closure_that_outlives_the_limit_of_a_shutdown_is_left
            => error(RULE, BLOCKING, SURVIVES);
        a_closure_on_a_forgotten_runtime_is_left => error(RULE, BLOCKING, SURVIVES);
        a_closure_that_sleeps_for_ever_is_left_with_a_warning
            => warning(RULE, BLOCKING, "watches-for-ever");
        a_closure_that_is_told_to_stop_leaves_nothing => silent();
        a_closure_of_the_test_itself_is_only_noted
            => note(RULE, "lingering/tests/blocking.rs", "parks-in-a-test");
        a_runtime_that_waits_for_long_when_it_is_dropped_says_for_what => waited_for();
        a_runtime_that_waits_for_long_when_it_is_dropped_says_for_what_on_many_threads
            => waited_for();
        a_test_that_waits_for_its_closure_leaves_nothing => silent();
        a_test_that_waits_for_its_closure_leaves_nothing_on_many_threads => silent();
        a_closure_that_ends_while_its_runtime_is_still_there_leaves_nothing => silent();
        a_closure_that_is_aborted_goes_on => aborted();
        a_closure_that_is_aborted_goes_on_on_many_threads => aborted();
    }
}

pub mod owners {
    use super::RULE;
    use crate::support::{
        Expected, Finding, Workspace, error, expectations, note, silent, warning,
    };

    const OWNERS: &str = "lingering/src/owners.rs";

    fn notes(finding: &Finding, expected: &str) -> Result<(), String> {
        if finding.notes.iter().any(|note| note.contains(expected)) {
            Ok(())
        } else {
            Err(format!("no note says {expected:?}"))
        }
    }

    fn tracked() -> Expected {
        error(RULE, OWNERS, "is-tracked-and-deaf")
            .with(|finding| notes(finding, "`TaskTracker` that nobody waited for"))
    }

    fn not_cancelled() -> Expected {
        error(RULE, OWNERS, "waits-for-its-token")
            .with(|finding| notes(finding, "nobody cancelled its token"))
    }

    expectations! { Workspace::Rules, "lingering::owners ";
        a_tracker_that_is_waited_for_leaves_nothing => silent();
        a_tracker_that_is_waited_for_leaves_nothing_on_many_threads => silent();
        a_tracker_that_nobody_waits_for_leaves_its_task => tracked();
        a_tracker_that_nobody_waits_for_leaves_its_task_on_many_threads => tracked();
        a_token_that_nobody_cancels_leaves_its_task => not_cancelled();
        a_token_that_nobody_cancels_leaves_its_task_on_many_threads => not_cancelled();
        a_task_that_goes_on_after_its_token_was_cancelled_is_left
            => error(RULE, OWNERS, "hears-and-goes-on");
        a_task_that_goes_on_after_its_token_was_cancelled_is_left_on_many_threads
            => error(RULE, OWNERS, "hears-and-goes-on");
        a_set_that_is_dropped_does_not_stop_its_closure
            => warning(RULE, OWNERS, "is-not-stopped-by-its-set");
        a_set_that_is_dropped_does_not_stop_its_closure_on_many_threads
            => warning(RULE, OWNERS, "is-not-stopped-by-its-set");
        a_set_that_is_waited_for_leaves_nothing => silent();
        a_task_that_is_aborted_in_the_middle_of_a_poll_goes_on
            => note(RULE, OWNERS, "is-stuck-in-its-poll")
                .by("library")
                .besides(&["blocking-call", "blocking-poll"]);
        a_task_that_is_aborted_between_two_polls_leaves_nothing => silent();
    }
}

pub mod whose {
    use super::RULE;
    use crate::support::{Workspace, error, expectations, note, only_notes, silent, warning};

    const WHOSE: &str = "lingering/src/whose.rs";

    expectations! { Workspace::Rules, "lingering::whose ";
        a_future_of_the_test_that_the_library_spawns_for_it_is_only_noted
            => note(RULE, "lingering/tests/whose.rs", "has-it-spawned");
        a_future_of_the_test_that_ends_leaves_nothing => silent();
        a_future_of_the_library_that_it_spawns_through_a_forwarder_is_left
            => error(RULE, WHOSE, "starts-through-a-forwarder").with(|finding| {
                if finding.message.contains("spawned by `Watcher::start`") {
                    Ok(())
                } else {
                    Err("it does not name the caller".to_owned())
                }
            });
        a_future_of_the_library_that_ends_with_its_owner_leaves_nothing => silent();
        a_runtime_of_the_library_that_goes_with_it_ends_its_tasks
            => note(RULE, WHOSE, "ends-with-its-engine").by("library");
        a_thread_of_a_static_may_leave_what_it_likes => only_notes();
        a_task_that_waits_for_one_with_a_timer_is_a_warning
            => warning(RULE, WHOSE, "waits-for-one-with-a-timer");
    }
}

pub mod nested {
    use super::{CLIENT, RULE, SURVIVES};
    use crate::support::{Workspace, error, expectations, silent};

    expectations! { Workspace::Rules, "lingering::nested ";
        a_client_in_a_runtime_in_a_closure_leaves_nothing => silent();
        a_client_in_a_runtime_in_a_closure_leaves_nothing_on_many_threads => silent();
        a_client_in_a_runtime_in_a_closure_leaves_its_task => error(RULE, CLIENT, SURVIVES);
        a_client_in_a_runtime_in_a_closure_leaves_its_task_on_many_threads
            => error(RULE, CLIENT, SURVIVES);
        a_client_in_a_runtime_in_a_thread_leaves_nothing => silent();
        a_client_in_a_runtime_in_a_thread_leaves_its_task => error(RULE, CLIENT, SURVIVES);
        a_runtime_that_is_dropped_in_a_thread_leaves_nothing_where_all_is_done => silent();
        a_runtime_that_is_dropped_in_a_thread_leaves_its_task => error(RULE, CLIENT, SURVIVES);
        a_current_thread_runtime_that_is_dropped_in_a_thread_leaves_its_task
            => error(RULE, CLIENT, SURVIVES);
        a_client_of_a_server_in_another_runtime_leaves_nothing => silent();
        a_task_that_waits_for_one_of_another_runtime_leaves_nothing_where_that_one_ends
            => silent();
        a_client_of_a_server_in_another_runtime_leaves_the_task_there
            => error(RULE, CLIENT, SURVIVES);
        a_task_between_two_roots_that_ends_after_the_second_leaves_nothing_on_many_threads
            => silent();
        a_task_between_two_roots_that_survives_both_is_left_on_many_threads
            => error(RULE, CLIENT, SURVIVES);
    }
}

pub mod tree {
    use super::{RULE, has_descendants};
    use crate::support::{Workspace, error, expectations, silent};

    expectations! { Workspace::Rules, "lingering::tree ";
        a_supervisor_that_lives_on_is_reported_for_its_whole_subtree
            => error(RULE, "lingering/src/supervisor.rs", "supervises-for-ever")
                .with(|finding| has_descendants(finding, 3));
        a_worker_left_by_its_finished_supervisor_is_reported_itself
            => error(RULE, "lingering/src/supervisor.rs", "is-left-by-its-supervisor")
                .with(|finding| has_descendants(finding, 0));
        a_worker_left_by_its_finished_supervisor_is_reported_on_many_threads
            => error(RULE, "lingering/src/supervisor.rs", "is-left-by-its-supervisor");
        a_supervisor_that_joins_its_worker_leaves_nothing => silent();
        a_token_that_reaches_the_task_leaves_nothing => silent();
        a_token_that_reaches_the_task_leaves_nothing_on_many_threads => silent();
        a_token_that_is_not_handed_on_leaves_the_task
            => error(RULE, "lingering/src/subscription.rs", "is-not-told");
    }
}

/// One cause, one finding, whatever the number of tests that show it.
#[test]
fn the_surviving_client_is_one_finding_of_all_its_tests() {
    let report = &crate::support::Workspace::Rules.audit().report;
    let mut fingerprints: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.primary().is_some_and(|at| at.file == CLIENT))
        .map(|finding| finding.fingerprint.as_str())
        .collect();
    assert_eq!(fingerprints.len(), 2, "one per spawn site that leaks: {fingerprints:?}");
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 2, "told apart by their fingerprints");
}
