//! `lock-order-cycle`: what can deadlock, and what only looks like it.

use crate::support::{Workspace, at_most_a_note, cycle, expectations, possible_cycle, silent};

const RULE: &str = "lock-order-cycle";
const LEDGER: &str = "lock-order/src/ledger.rs";
const ORDERED: &str = "lock-order/src/ordered.rs";
const TABLE: &str = "lock-order/src/table.rs";

expectations! { Workspace::Rules, "lock-order::orders ";
    two_locks_taken_in_both_orders_are_a_cycle => cycle(LEDGER, &BOTH_ORDERS);
    two_locks_taken_in_both_orders_are_a_cycle_on_many_threads => cycle(LEDGER, &BOTH_ORDERS);
    two_locks_taken_in_one_order_are_fine => silent();
    two_locks_that_are_never_held_together_are_fine => silent();
    a_second_lock_that_is_only_tried_is_fine => silent();
    a_first_lock_that_was_tried_is_held_all_the_same
        => cycle(LEDGER, &["post-accounts", "post-journal", "try-journal", "then-accounts"]);
    owned_and_mapped_guards_make_a_cycle
        => cycle(LEDGER, &["owned-accounts", "owned-journal", "mapped-journal", "mapped-accounts"]);
    default_locks_taken_in_both_orders_are_a_cycle
        => cycle(
            "lock-order/src/defaults.rs",
            &["default-left-first", "default-right-second", "default-right-first", "default-left-second"],
        );
    default_locks_taken_in_one_order_are_fine => silent();
    both_orders_in_one_task_are_only_possible => possible_cycle(ORDERED, &[]);
    a_task_that_is_joined_before_the_other_begins_is_only_possible => possible_cycle(ORDERED, &[]);
    a_set_that_is_joined_before_the_other_begins_is_only_possible => possible_cycle(ORDERED, &[]);
    an_order_after_a_value_that_was_sent_is_only_possible => possible_cycle(ORDERED, &[]);
    an_order_after_a_message_is_only_possible => possible_cycle(ORDERED, &[]);
    an_order_after_a_message_without_content_is_only_possible => possible_cycle(ORDERED, &[]);
    an_order_after_a_notification_is_only_possible => possible_cycle(ORDERED, &[]);
    an_order_after_a_barrier_is_only_possible => possible_cycle(ORDERED, &[]);
    an_order_after_a_permit_that_was_added_is_only_possible => possible_cycle(ORDERED, &[]);
    two_short_tasks_are_a_cycle => cycle(ORDERED, &[]);
    an_order_before_and_after_a_message_is_a_cycle => cycle(ORDERED, &[]);
    second_locks_with_a_time_limit_are_only_possible
        => possible_cycle(
            ORDERED,
            &["limited-left-first", "limited-right-second", "limited-right-first", "limited-left-second"],
        );
    one_order_in_this_test_and_the_other_in_that_are_no_more_than_a_note_1 => at_most_a_note(RULE);
    one_order_in_this_test_and_the_other_in_that_are_no_more_than_a_note_2 => at_most_a_note(RULE);
    accounts_locked_in_pairs_both_ways_are_a_cycle
        => cycle("lock-order/src/account.rs", &["transfer-from", "transfer-to"]);
    accounts_locked_in_the_order_of_their_numbers_are_fine => silent();
    accounts_of_different_pairs_are_fine => silent();
    three_locks_in_a_ring_are_a_cycle
        => cycle(
            "lock-order/src/ring.rs",
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
    locks_taken_hand_over_hand_are_fine => silent();
    two_readers_in_both_orders_are_no_more_than_a_note => at_most_a_note(RULE);
    two_readers_in_both_orders_and_a_short_writer_are_only_possible
        => possible_cycle(TABLE, &["counts-users", "then-groups", "counts-groups", "then-users"]);
    a_reader_that_writes_the_other_table_and_its_mirror_are_a_cycle
        => cycle(TABLE, &["read-users", "write-groups", "read-groups", "write-users"]);
    a_writer_in_the_readers_order_is_fine => silent();
    mapped_and_downgraded_guards_make_a_cycle
        => cycle(
            TABLE,
            &["mapped-users", "groups-after-mapped", "downgraded-groups", "users-after-downgraded"],
        );
    both_orders_behind_a_gate_are_fine => silent();
    readers_of_one_lock_are_no_gate
        => cycle(
            "lock-order/src/gated.rs",
            &["shared-left-first", "shared-right-second", "shared-right-first", "shared-left-second"],
        );
    branches_of_a_join_do_not_nest => silent();
    branches_of_a_join_in_both_orders_are_a_cycle
        => cycle(
            "lock-order/src/branches.rs",
            &["branch-one-first", "branch-other-second", "branch-other-first", "branch-one-second"],
        );
    a_guard_that_another_task_releases_orders_nothing => silent();
    static_locks_in_both_orders_are_a_cycle
        => cycle(
            "lock-order/src/settings.rs",
            &["static-levels-first", "static-names-second", "static-names-first", "static-levels-second"],
        );
    static_locks_in_one_order_are_fine => silent();
}

const BOTH_ORDERS: [&str; 4] = ["post-accounts", "post-journal", "audit-journal", "audit-accounts"];
