//! tokio 1.20, with the lockfile of its day.

use crate::support::{Workspace, cycle, error, expectations, silent};

const LIB: &str = "src/lib.rs";

expectations! { Workspace::OldTokio, "old-tokio::old ";
    a_client_whose_drop_closes_the_channel_leaves_nothing => silent();
    a_client_whose_task_holds_its_own_sender_leaves_that_task
        => error("lingering-task", LIB, "survives-its-client");
    a_client_leaves_its_task_on_many_threads
        => error("lingering-task", LIB, "survives-its-client");
    two_locks_taken_in_both_orders_are_a_cycle
        => cycle(LIB, &["left-first", "right-second", "right-first", "left-second"]);
    two_locks_taken_in_one_order_are_fine => silent();
    a_lock_held_across_a_fetch_starves_its_reader
        => error("long-held-lock", LIB, "fetches-under-the-lock");
    a_task_that_panics_detached_is_found => error("silent-panic", LIB, "no-such-row");
    a_task_that_panics_unread_is_found_on_many_threads
        => error("silent-panic", LIB, "no-such-row");
    a_task_that_panics_and_is_awaited_is_fine => silent();
}

#[test]
fn the_locked_tokio_is_the_one_that_is_audited() {
    let coverage = &Workspace::OldTokio.audit().report.coverage;
    assert!(
        coverage.instrumented.iter().any(|it| it.contains("tokio 1.20.6")),
        "{:?}",
        coverage.instrumented
    );
}
