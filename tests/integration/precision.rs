//! Programs that are easily misjudged: those that can deadlock are found, those that cannot are
//! not called errors; and `--confirm` brings about what can be.

use crate::support::{Report, Tool, Workspace, cycle, expectations, possible_cycle, silent};

const WRONG: &str = "src/wrong.rs";
const FUTURES: &str = "src/wrong_with_futures.rs";
const RIGHT: &str = "src/right.rs";
const TIME: &str = "src/right_with_time.rs";

expectations! { Workspace::Precision, "precision::judged wrongly::";
    opposite_orders => cycle(WRONG, &["opposite-one", "opposite-other"]);
    a_ring_of_three => cycle(WRONG, &["ring-ab", "ring-bc", "ring-ca"]);
    readers_that_write_the_other => cycle(WRONG, &["reads-one", "reads-other"]);
    a_mutex_and_a_rwlock => cycle(WRONG, &["kinds-one", "kinds-other"]);
    instances_of_one_class => cycle(WRONG, &["pay"]);
    std_and_parking_lot => cycle(WRONG, &["libraries-one", "libraries-other"]);
    a_first_lock_that_was_tried => cycle(WRONG, &["tried-one", "tried-other"]);
    a_guard_that_is_returned => cycle(WRONG, &["returned-one", "returned-other"]);
    a_lock_in_a_destructor => cycle(WRONG, &["drop-one", "drop-other"]);
    a_listener_that_is_called_under_a_lock => cycle(WRONG, &["listener-one", "listener-other"]);
    statics => cycle(WRONG, &["statics-one", "statics-other"]);
    a_temporary_of_a_match => cycle(WRONG, &["match-one", "match-other"]);
    a_mapped_guard => cycle(WRONG, &["mapped-one", "mapped-other"]);
    upgradable_reads => cycle(WRONG, &["upgradable-one", "upgradable-other"]);
    a_reentrant_lock_and_another => cycle(WRONG, &["reentrant-one", "reentrant-other"]);
    a_gate_around_one_order_only => cycle(WRONG, &["half-gate-one", "half-gate-other"]);
    readers_of_a_gate => cycle(WRONG, &["read-gate-one", "read-gate-other"]);
    one_inversion_among_many => cycle(WRONG, &["many-one", "many-other"]);
    detached_threads => cycle(WRONG, &["detached-one", "detached-other"]);
    messages_about_something_else => cycle(WRONG, &["messages-one", "messages-other"]);
    a_notification_before_both_orders => cycle(WRONG, &["notified-one", "notified-other"]);
    tasks_in_opposite_orders => cycle(FUTURES, &["tasks-one", "tasks-other"]);
    a_task_and_a_thread => cycle(FUTURES, &["mixed-one", "mixed-other"]);
    owned_guards => cycle(FUTURES, &["owned-one", "owned-other"]);
}

pub mod rightly {
    use super::*;

    expectations! { Workspace::Precision, "precision::judged rightly::";
        a_gate => silent();
        a_gate_that_is_read_and_written => silent();
        both_orders_in_one_thread => possible_cycle(RIGHT, &[]);
        a_join_in_between => possible_cycle(RIGHT, &[]);
        a_message_in_between => possible_cycle(RIGHT, &[]);
        a_second_lock_that_is_tried => silent();
        readers_only => silent();
        instances_in_the_order_of_their_numbers => silent();
        released_in_between => silent();
        temporaries => silent();
        down_a_tree => silent();
        hand_over_hand => silent();
        recursion_of_a_reentrant_lock => silent();
        a_downgrade => silent();
        locks_of_each_thread => silent();
        locks_that_are_replaced => silent();
        a_guard_that_is_passed_on => silent();
        a_barrier_in_between => possible_cycle(TIME, &[]);
        a_notification_in_between => possible_cycle(TIME, &[]);
        a_second_lock_with_a_time_limit => silent();
        a_condition_that_is_met_already => possible_cycle(TIME, &[]);
        a_condition_of_parking_lot_that_is_met_already => possible_cycle(TIME, &[]);
        a_condvar_releases_its_lock => silent();
        a_semaphore_as_a_gate => possible_cycle(TIME, &[]);
        a_task_that_is_awaited => possible_cycle(TIME, &[]);
    }
}

/// Of the thousand pairs of one place only two can deadlock; others meet there first.
const HARD: &str = "one_inversion_among_many";

#[test]
fn what_can_deadlock_is_brought_about_and_nothing_else() {
    let finished = Tool::new(Workspace::Precision.project())
        .args(&["--confirm", "--format", "json", "--fail-on", "never"])
        .run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    let mut confirmed = 0;
    for finding in &report.findings {
        let [test] = finding.tests.as_slice() else { panic!("{finding:#?}") };
        let is_confirmed = finding.confidence == "observed";
        confirmed += usize::from(is_confirmed);
        if is_confirmed {
            assert!(test.contains("wrongly::"), "{finding:#?}");
            assert_eq!(finding.severity, "error");
            assert_eq!(finding.details["confirmed_in"], test.as_str());
            assert!(finding.notes.iter().any(|note| note.starts_with("confirmed: ")));
        } else {
            let attempts = "`--confirm` did not bring it about in 3 attempts";
            assert!(finding.notes.iter().any(|note| note.starts_with(attempts)), "{finding:#?}");
        }
    }
    // All but the hard one where the machine is quiet.
    let wrong = report.findings.iter().filter(|it| it.tests[0].contains("wrongly::")).count();
    assert!(confirmed + 4 >= wrong, "{confirmed} of {wrong} ({HARD} is hard)");
}
