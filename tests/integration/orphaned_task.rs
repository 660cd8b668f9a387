//! `orphaned-task`: which children a cancelled task leaves behind.

use crate::support::{Workspace, expectations, note, silent, warning, without};

const RULE: &str = "orphaned-task";
const LIB: &str = "orphaned-task/src/lib.rs";

expectations! { Workspace::Rules, "orphaned-task::requests ";
    a_task_that_its_cancelled_parent_waited_for_is_found
        => warning(RULE, LIB, "fetches").showing(&["request"]);
    a_task_that_its_cancelled_parent_waited_for_is_found_on_many_threads
        => warning(RULE, LIB, "fetches").showing(&["request"]);
    a_task_in_a_set_of_its_parent_is_fine => silent();
    a_task_in_a_set_of_its_parent_is_fine_on_many_threads => silent();
    a_task_under_an_aborting_handle_is_fine => silent();
    a_task_that_a_token_of_its_parent_ends_is_fine => silent();
    a_task_whose_channel_its_parent_closes_is_fine => silent();
    a_task_whose_handle_was_dropped_before_is_no_orphan => without(&[RULE]);
    a_task_whose_handle_is_somebody_elses_is_fine => silent();
    a_task_that_is_finished_in_any_case_is_only_noted
        => note(RULE, LIB, "commits").by("library");
    tasks_whose_awaited_handles_are_dropped_for_each_client_are_found
        => warning(RULE, LIB, "sends-updates");
    tasks_whose_awaited_handles_are_dropped_are_found_on_many_threads
        => warning(RULE, LIB, "sends-updates");
    tasks_that_are_aborted_for_each_client_are_fine => silent();
    a_task_whose_awaited_handle_is_dropped_once_is_only_noted
        => note(RULE, LIB, "sends-updates-to-one").by("library");
    tasks_that_end_later_by_themselves_are_only_noted
        => note(RULE, LIB, "flushes").by("library");
    a_handle_that_goes_with_the_test_is_no_dropped_one => without(&[RULE]);
    a_parent_that_the_end_of_the_test_ends_is_no_cancelled_one => without(&[RULE]);
}
