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
    a_parent_that_the_end_of_the_test_ends_is_no_cancelled_one => without(&[RULE]);
}
