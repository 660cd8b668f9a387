//! Locks that block their thread: `lock-order-cycle` across all kinds and mixed
//! with tokio's, and `long-held-lock`.

pub mod orders {
    use crate::support::{Workspace, at_most_a_note, cycle, expectations, possible_cycle, silent};

    const RULE: &str = "lock-order-cycle";
    const ORDERED: &str = "thread-locks/src/ordered.rs";
    const LEDGER: &str = "thread-locks/src/ledger.rs";
    const TABLE: &str = "thread-locks/src/table.rs";
    const GATED: &str = "thread-locks/src/gated.rs";
    const RING: &str = "thread-locks/src/ring.rs";
    const SETTINGS: &str = "thread-locks/src/settings.rs";
    const PARKING: &str = "thread-locks/src/parking.rs";
    const MIXED: &str = "thread-locks/src/mixed.rs";

    const BOTH_ORDERS: [&str; 4] =
        ["post-accounts", "post-journal", "audit-journal", "audit-accounts"];
    const TOKIO_AND_STD: [&str; 4] =
        ["tokio-state-first", "std-index-second", "std-index-first", "tokio-state-second"];

    expectations! { Workspace::Rules, "thread-locks::orders ";
        two_locks_taken_in_both_orders_are_a_cycle => cycle(LEDGER, &BOTH_ORDERS);
        two_locks_taken_in_both_orders_by_detached_threads_are_a_cycle
            => cycle(LEDGER, &BOTH_ORDERS);
        two_locks_taken_in_one_order_are_fine => silent();
        two_locks_that_are_never_held_together_are_fine => silent();
        a_second_lock_that_is_tried_and_backed_off_from_is_fine => silent();
        backing_off_from_a_busy_lock_is_fine => silent();
        a_first_lock_that_was_tried_is_held_all_the_same
            => cycle(LEDGER, &["post-accounts", "post-journal", "try-journal", "then-accounts"]);
        both_orders_in_one_thread_are_only_possible => possible_cycle(ORDERED, &[]);
        a_thread_that_is_joined_before_the_other_begins_is_only_possible
            => possible_cycle(ORDERED, &[]);
        an_order_taken_before_the_thread_of_the_other_is_spawned_is_only_possible
            => possible_cycle(ORDERED, &[]);
        orders_before_a_thread_and_after_it_are_only_possible => possible_cycle(ORDERED, &[]);
        a_scope_that_ends_before_the_other_begins_is_only_possible
            => possible_cycle(ORDERED, &[]);
        an_order_after_a_barrier_is_only_possible => possible_cycle(ORDERED, &[]);
        an_order_after_a_notification_is_only_possible => possible_cycle(ORDERED, &[]);
        an_order_after_a_notification_of_parking_lot_is_only_possible
            => possible_cycle(ORDERED, &[]);
        an_order_after_a_message_is_only_possible => possible_cycle(ORDERED, &[]);
        two_short_threads_are_a_cycle => cycle(ORDERED, &[]);
        two_short_threads_are_a_cycle_the_other_way_round => cycle(ORDERED, &[]);
        one_inversion_among_many_pairs_of_one_place_is_a_cycle
            => cycle("thread-locks/src/list.rs", &["one-of-many", "other-of-many"]);
        many_pairs_of_one_place_in_one_order_are_fine => silent();
        accounts_locked_in_pairs_both_ways_are_a_cycle
            => cycle("thread-locks/src/account.rs", &["transfer-from", "transfer-to"]);
        accounts_locked_in_the_order_of_their_numbers_are_fine => silent();
        nodes_locked_hand_over_hand_are_fine => silent();
        linked_nodes_locked_hand_over_hand_are_fine => silent();
        three_locks_in_a_ring_are_a_cycle
            => cycle(
                RING,
                &[
                    "red-before-green",
                    "green-after-red",
                    "green-before-blue",
                    "blue-after-green",
                    "blue-before-red",
                    "red-after-blue",
                ],
            );
        three_locks_in_a_row_are_fine => silent();
        three_locks_of_three_kinds_in_a_ring_are_a_cycle
            => cycle(
                RING,
                &[
                    "std-before-parking",
                    "parking-after-std",
                    "parking-before-tokio",
                    "tokio-after-parking",
                    "tokio-before-std",
                    "std-after-tokio",
                ],
            );
        writers_in_both_orders_are_a_cycle
            => cycle(
                TABLE,
                &["write-users-first", "write-groups-second", "write-groups-first", "write-users-second"],
            );
        a_reader_that_writes_the_other_table_and_its_mirror_are_a_cycle
            => cycle(TABLE, &["read-users", "write-groups", "read-groups", "write-users"]);
        a_writer_in_the_readers_order_is_fine => silent();
        readers_in_both_orders_are_no_more_than_a_note => at_most_a_note(RULE);
        both_orders_behind_a_gate_are_fine => silent();
        both_orders_behind_a_gate_of_another_kind_are_fine => silent();
        readers_of_one_lock_are_no_gate
            => cycle(
                GATED,
                &["shared-left-first", "shared-right-second", "shared-right-first", "shared-left-second"],
            );
        static_locks_in_both_orders_are_a_cycle
            => cycle(
                SETTINGS,
                &["static-levels-first", "static-names-second", "static-names-first", "static-levels-second"],
            );
        static_parking_lot_locks_in_both_orders_are_a_cycle
            => cycle(
                SETTINGS,
                &[
                    "static-widths-first",
                    "static-heights-second",
                    "static-heights-first",
                    "static-widths-second",
                ],
            );
        static_locks_in_one_order_are_fine => silent();
        locks_of_unsized_values_in_both_orders_are_a_cycle
            => cycle(
                "thread-locks/src/plugin.rs",
                &["dyn-reader-first", "dyn-writer-second", "dyn-writer-first", "dyn-reader-second"],
            );
        locks_of_unsized_values_taken_one_by_one_are_fine => silent();
        parking_lot_locks_in_both_orders_are_a_cycle
            => cycle(PARKING, &["left-first", "right-second", "right-first", "left-second"]);
        backing_off_from_a_busy_parking_lot_lock_is_fine => silent();
        upgradable_reads_in_both_orders_are_a_cycle
            => cycle(
                PARKING,
                &[
                    "upgradable-names-first",
                    "upgradable-numbers-second",
                    "upgradable-numbers-first",
                    "upgradable-names-second",
                ],
            );
        an_upgrade_that_a_reader_stands_in_the_way_of_is_a_cycle
            => cycle(
                PARKING,
                &["total-before-upgrade", "upgrades-names", "reads-names", "total-after-read"],
            );
        upgradable_reads_in_one_order_are_fine => silent();
        fair_and_reentrant_locks_in_both_orders_are_a_cycle
            => cycle(
                PARKING,
                &["fair-first", "reentrant-second", "reentrant-first", "fair-second"],
            );
        std_and_parking_lot_locks_in_both_orders_are_a_cycle
            => cycle(
                MIXED,
                &[
                    "std-shelf-first",
                    "parking-catalogue-second",
                    "parking-catalogue-first",
                    "std-shelf-second",
                ],
            );
        std_and_parking_lot_locks_in_one_order_are_fine => silent();
        a_watch_and_a_lock_in_both_orders_are_a_cycle
            => cycle(
                MIXED,
                &["std-history-first", "watch-latest-second", "watch-latest-first", "std-history-second"],
            );
        a_watch_whose_value_is_copied_and_a_lock_are_fine => silent();
        a_map_and_a_lock_in_both_orders_are_a_cycle
            => cycle(
                "thread-locks/src/concurrent_map.rs",
                &["map-first", "online-second", "online-first", "map-second"],
            );
        a_map_and_a_lock_one_by_one_are_fine => silent();
        a_task_and_a_thread_that_take_a_tokio_and_a_std_lock_in_both_orders_are_a_cycle
            => cycle(MIXED, &TOKIO_AND_STD);
        a_task_and_a_blocking_task_that_take_both_locks_in_both_orders_are_a_cycle
            => cycle(MIXED, &TOKIO_AND_STD);
        a_task_and_a_thread_that_take_a_tokio_and_a_std_lock_in_one_order_are_fine => silent();
        locks_of_the_harness_and_of_standard_output_do_not_show => silent();
    }
}

pub mod holds {
    use crate::support::{Workspace, error, expectations, silent, warning};

    const RULE: &str = "long-held-lock";
    const CACHE: &str = "thread-locks/src/cache.rs";

    expectations! { Workspace::Rules, "thread-locks::holds ";
        a_lock_held_across_a_fetch_starves_its_reader
            => error(RULE, CACHE, "fetches-under-the-lock").showing(&["waits-for-the-fetch"]);
        a_lock_taken_after_the_fetch_starves_nobody => silent();
        a_lock_held_across_a_fetch_that_nobody_waits_for_is_fine => silent();
        a_lock_held_for_more_than_a_second_alone_is_a_warning
            => warning(RULE, CACHE, "holds-for-long-alone");
        a_thread_that_waits_for_a_condition_does_not_hold_the_lock => silent();
        a_busy_lock_that_is_never_held_for_long_is_fine => silent();
        a_write_lock_held_across_a_fetch_starves_its_readers
            => error(RULE, CACHE, "fetches-under-the-write-lock");
        a_read_lock_held_for_long_starves_a_writer
            => error(RULE, CACHE, "exports-under-the-read-lock");
        a_read_lock_held_for_long_does_not_starve_a_reader => silent();
        a_parking_lot_lock_held_across_a_fetch_starves_its_reader
            => error(RULE, CACHE, "fetches-under-the-parked-lock");
        a_parking_lot_lock_taken_after_the_fetch_starves_nobody => silent();
        a_parking_lot_lock_that_is_let_go_meanwhile_starves_nobody => silent();
        a_thread_that_waits_for_a_parking_lot_condition_does_not_hold_the_lock => silent();
        a_parking_lot_write_lock_held_across_a_fetch_starves_its_readers
            => error(RULE, CACHE, "fetches-under-the-parked-write-lock");
        a_lock_of_a_thread_starves_a_task_on_a_thread_for_blocking_work
            => error(RULE, CACHE, "fetches-under-the-lock");
    }
}
