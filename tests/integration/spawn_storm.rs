//! `spawn-storm`: how many tasks of one line are alive at once.

use crate::support::{Finding, Workspace, expectations, note, silent, warning};

const RULE: &str = "spawn-storm";
const LIB: &str = "spawn-storm/src/lib.rs";

fn reached_all(finding: &Finding) -> Result<(), String> {
    match finding.details.get("peak").and_then(serde_json::Value::as_u64) {
        Some(1_500) => Ok(()),
        peak => Err(format!("{peak:?} were alive at once, not 1500")),
    }
}

expectations! { Workspace::Rules, "spawn-storm::storms ";
    a_task_per_row_is_found => warning(RULE, LIB, "at-once").with(reached_all);
    a_task_per_row_is_found_in_the_task_that_spawns_them
        => warning(RULE, LIB, "permits-too-late").with(reached_all);
    a_local_task_per_row_is_found => warning(RULE, LIB, "locally-at-once").with(reached_all);
    no_more_than_the_threshold_is_fine => silent();
    many_rows_one_after_the_other_are_fine => silent();
    a_permit_per_task_is_fine => silent();
    a_permit_per_task_is_fine_on_many_threads => silent();
    a_bounded_set_is_fine => silent();
    half_as_many_of_each_of_two_places_are_fine => silent();
    a_storm_of_the_tests_own_is_only_noted
        => note(RULE, "spawn-storm/tests/storms.rs", "of-the-test");
}
