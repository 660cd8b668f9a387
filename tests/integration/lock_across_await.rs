//! `lock-across-await`: guards of locks that block, held while a task waits.

use crate::support::{Workspace, expectations, silent, warning};

const RULE: &str = "lock-across-await";
const LIB: &str = "lock-across-await/src/lib.rs";

expectations! { Workspace::Rules, "lock-across-await::awaits ";
    a_std_guard_held_across_an_await_of_a_root_is_found
        => warning(RULE, LIB, "std-guard").showing(&["std-await"]);
    a_std_guard_held_across_an_await_of_a_test_is_found => warning(RULE, LIB, "std-guard");
    a_std_guard_held_across_an_await_of_a_local_task_is_found => warning(RULE, LIB, "std-guard");
    a_std_guard_dropped_before_the_await_is_fine => silent();
    a_std_guard_held_across_an_await_that_does_not_wait_is_fine => silent();
    a_std_read_guard_held_across_an_await_is_found => warning(RULE, LIB, "std-read-guard");
    a_parking_lot_guard_held_across_an_await_of_a_task_is_found
        => warning(RULE, LIB, "parking-guard").showing(&["parking-await"]);
    a_parking_lot_guard_held_across_an_await_is_found_on_many_threads
        => warning(RULE, LIB, "parking-guard");
    a_parking_lot_lock_taken_after_the_await_is_fine => silent();
    a_tokio_guard_held_across_an_await_is_fine => silent();
    a_watched_value_borrowed_across_an_await_is_found => warning(RULE, LIB, "watch-ref");
    a_watched_value_copied_before_the_await_is_fine => silent();
    an_entry_referenced_across_an_await_is_found => warning(RULE, LIB, "map-ref");
    an_entry_looked_up_after_the_await_is_fine => silent();
}
