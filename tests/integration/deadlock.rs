//! `deadlock`: what waits for each other for ever, and what only seems to.

use crate::support::{Expected, Workspace, error, expectations, without};

const RULE: &str = "deadlock";
/// What hangs is wrong in more than one way.
const BESIDES: &[&str] =
    &["recursive-lock", "long-held-lock", "blocking-call", "lock-across-await", "lingering-task"];

fn knot(file: &'static str, waits: &[&'static str], holds: &[&'static str]) -> Expected {
    error(RULE, file, waits[0]).or(waits).showing(holds).besides(BESIDES)
}

fn no_knot() -> Expected {
    without(&[RULE, "futurelock"])
}

macro_rules! on_tasks {
    ($module:ident, $prefix:literal) => {
        pub mod $module {
            use super::*;

            const TASKS: &str = "src/tasks.rs";

            expectations! { Workspace::Deadlock, $prefix;
                two_tasks_that_lock_in_both_orders_hang
                    => knot(TASKS, &["post-waits", "audit-waits"], &["post-holds", "audit-holds"]);
                two_tasks_that_lock_in_one_order_pass => no_knot();
                three_tasks_in_a_ring_hang => knot(TASKS, &["eat-waits"], &["eat-holds"]);
                three_tasks_in_a_ring_in_order_pass => no_knot();
                two_tasks_that_read_what_the_other_writes_hang
                    => knot(
                        TASKS,
                        &["publish-waits", "retire-waits"],
                        &["publish-holds", "retire-holds"],
                    );
                two_tasks_that_copy_what_the_other_writes_pass => no_knot();
                a_task_and_a_thread_hang
                    => knot(
                        "src/mixed.rs",
                        &["look-up-waits", "evict-waits"],
                        &["look-up-holds", "evict-holds"],
                    );
                a_task_and_a_thread_in_steps_pass => no_knot();
                a_task_and_a_thread_without_a_runtime_hang
                    => knot(
                        "src/mixed.rs",
                        &["look-up-waits", "evict-blocking-waits"],
                        &["look-up-holds", "evict-blocking-holds"],
                    );
                a_task_and_a_thread_without_a_runtime_in_steps_pass => no_knot();
                a_task_and_a_blocking_one_hang
                    => knot(
                        "src/mixed.rs",
                        &["look-up-waits", "evict-blocking-waits"],
                        &["look-up-holds", "evict-blocking-holds"],
                    );
                a_task_and_a_blocking_one_in_steps_pass => no_knot();
                two_readers_that_want_to_write_hang
                    => knot("src/upgrade.rs", &["tokio-upgrade-waits"], &["tokio-upgrade-holds"]);
                two_readers_that_write_in_steps_pass => no_knot();
                a_task_that_locks_twice_hangs
                    => knot("src/own.rs", &["tokio-own-waits"], &["tokio-own-holds"]);
                a_task_that_locks_in_steps_passes => no_knot();
                a_root_that_locks_twice_hangs
                    => knot("src/own.rs", &["tokio-own-waits"], &["tokio-own-holds"]);
                a_task_that_joins_who_waits_for_its_lock_hangs
                    => knot(
                        "src/joins.rs",
                        &["task-worker-waits", "task-stop-waits"],
                        &["task-stop-holds"],
                    );
                a_task_that_joins_and_lets_go_passes => no_knot();
                a_task_that_joins_either_of_two_hangs
                    => knot(
                        "src/joins.rs",
                        &["task-worker-waits", "either-waits"],
                        &["either-holds"],
                    );
                a_task_that_joins_the_quicker_of_two_passes => no_knot();
                a_task_that_joins_a_blocking_one_hangs
                    => knot(
                        "src/joins.rs",
                        &["compact-waits", "close-waits"],
                        &["close-holds"],
                    );
                a_task_that_joins_a_blocking_one_and_lets_go_passes => no_knot();
                a_task_that_joins_a_set_hangs
                    => knot("src/joins.rs", &["set-worker-waits", "all-waits"], &["all-holds"]);
                a_task_that_joins_a_set_and_lets_go_passes => no_knot();
                a_task_that_joins_the_first_of_a_set_passes => no_knot();
                two_tasks_that_join_each_other_hang
                    => knot("src/joins.rs", &["one-joins", "other-joins"], &[]);
                two_tasks_that_join_each_other_or_are_told_pass => no_knot();
                timed_waits_in_both_orders_pass => no_knot();
                tries_in_both_orders_pass => no_knot();
                a_timer_that_can_untie_it_passes => no_knot();
                a_message_that_can_untie_it_passes => no_knot();
                joined_futures_that_share_a_lock_pass => no_knot();
                a_guard_that_is_passed_on_passes => no_knot();
                two_permits_in_both_orders_hang
                    => knot(
                        "src/permits.rs",
                        &["writer-waits", "connection-waits"],
                        &["connection-holds", "writer-holds"],
                    );
                two_permits_in_one_order_pass => no_knot();
                a_permit_and_a_lock_hang
                    => knot(
                        "src/permits.rs",
                        &["cache-waits", "permit-waits"],
                        &["permit-holds", "cache-holds"],
                    );
                a_permit_and_a_lock_in_steps_pass => no_knot();
                two_owned_guards_in_both_orders_hang
                    => knot(
                        "src/permits.rs",
                        &["store-waits", "rebuild-waits"],
                        &["store-holds", "rebuild-holds"],
                    );
                permits_that_somebody_adds_pass => no_knot();
                a_permit_that_is_passed_on_passes => no_knot();
                a_feeder_with_the_lock_of_who_receives_hangs
                    => knot("src/channels.rs", &["adder-waits", "feeder-waits"], &["feeder-holds"]);
                a_feeder_without_a_lock_passes => no_knot();
                an_actor_that_sends_to_itself_hangs
                    => knot("src/channels.rs", &["own-channel-waits"], &[]);
                an_actor_that_keeps_to_itself_passes => no_knot();
                a_shop_under_load_passes => no_knot();
            }
        }
    };
}

on_tasks!(one, "deadlock::one_thread ");
on_tasks!(many, "deadlock::many_threads ");

/// What needs that the runtime has one thread.
pub mod bound {
    use super::*;

    expectations! { Workspace::Deadlock, "deadlock::one_thread ";
        a_task_that_blocks_who_holds_its_lock_hangs
            => knot("src/bound.rs", &["bound-waits"], &["bound-holds"]);
        a_task_that_blocks_nobody_passes => no_knot();
    }
}

/// What needs several threads of a runtime.
pub mod own {
    use super::*;

    expectations! { Workspace::Deadlock, "deadlock::many_threads ";
        a_task_that_blocks_on_its_own_lock_in_a_drop_hangs
            => knot("src/own.rs", &["drop-waits"], &["drop-holds"]);
        a_task_that_blocks_in_a_drop_afterwards_passes => no_knot();
    }
}

/// Beside threads for blocking tasks.
pub mod runtimes {
    use super::*;

    expectations! { Workspace::Deadlock, "deadlock::runtimes ";
        two_permits_beside_an_idle_thread_hang
            => knot(
                "src/permits.rs",
                &["writer-waits", "connection-waits"],
                &["connection-holds", "writer-holds"],
            );
        permits_that_a_blocking_task_adds_pass => no_knot();
    }
}

/// Without a runtime.
pub mod threads {
    use super::*;

    const THREADS: &str = "src/threads.rs";
    const CELLS: &str = "src/cells.rs";
    const SCOPES: &str = "src/scopes.rs";

    expectations! { Workspace::Deadlock, "deadlock::threads ";
        two_threads_that_lock_in_both_orders_hang
            => knot(
                THREADS,
                &["std-post-waits", "std-audit-waits"],
                &["std-post-holds", "std-audit-holds"],
            );
        two_threads_that_lock_in_one_order_pass => no_knot();
        two_threads_with_parking_lot_hang
            => knot(
                THREADS,
                &["parking-post-waits", "parking-audit-waits"],
                &["parking-post-holds", "parking-audit-holds"],
            );
        two_threads_with_parking_lot_in_order_pass => no_knot();
        two_threads_with_statics_of_a_macro_hang
            => knot(
                THREADS,
                &["static-user-waits", "static-group-waits"],
                &["static-user-holds", "static-group-holds"],
            );
        two_threads_with_statics_of_a_macro_in_steps_pass => no_knot();
        two_readers_that_want_to_write_hang
            => knot("src/upgrade.rs", &["std-upgrade-waits"], &["std-upgrade-holds"]);
        two_readers_that_write_in_steps_pass => no_knot();
        two_parking_lot_readers_that_want_to_write_hang
            => knot("src/upgrade.rs", &["parking-upgrade-waits"], &["parking-upgrade-holds"]);
        two_parking_lot_readers_that_upgrade_pass => no_knot();
        a_push_while_iterating_hangs
            => knot("src/own.rs", &["iterator-waits"], &["iterator-holds"]);
        a_push_after_iterating_passes => no_knot();
        a_guard_kept_in_a_struct_hangs => knot("src/own.rs", &["struct-waits"], &["struct-holds"]);
        a_guard_kept_in_a_struct_that_is_dropped_passes => no_knot();
        a_thread_that_joins_who_waits_for_its_lock_hangs
            => knot("src/joins.rs", &["worker-waits", "stop-waits"], &["stop-holds"]);
        a_thread_that_joins_and_lets_go_passes => no_knot();
        a_cell_that_needs_itself_hangs => knot(CELLS, &["once-lock-waits"], &[]);
        two_lazy_statics_that_need_each_other_hang => knot(CELLS, &["lazy-lock-waits"], &[]);
        a_lazy_static_that_needs_another_passes => no_knot();
        two_threads_that_fill_each_others_cells_hang
            => knot(CELLS, &["left-waits", "right-waits"], &["left-holds", "right-holds"]);
        two_threads_that_fill_one_cell_by_the_other_pass => no_knot();
        an_initialiser_that_wants_the_lock_of_who_waits_for_it_hangs
            => knot(CELLS, &["once-waits", "started-waits"], &["once-holds", "started-holds"]);
        an_initialiser_that_wants_a_free_lock_passes => no_knot();
        a_scope_that_ends_under_a_lock_hangs
            => knot(SCOPES, &["scoped-waits", "scope-waits"], &["scope-holds"]);
        a_scope_that_ends_after_a_lock_passes => no_knot();
        a_thread_that_was_notified_and_is_locked_out_hangs
            => knot(SCOPES, &["notified-waits", "data-waits"], &["data-holds", "flag-holds"])
                // Before that wait the flag is locked, which alone can end so.
                .besides(&["lock-order-cycle"]);
        a_thread_that_was_notified_and_finds_its_lock_free_passes => no_knot();
        timed_waits_in_both_orders_pass => no_knot();
        a_message_that_can_untie_it_passes => no_knot();
        a_shop_under_load_passes => no_knot();
    }
}
