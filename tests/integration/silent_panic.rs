//! `silent-panic`: whose end somebody learns of, and whose nobody.

use crate::support::{Finding, Workspace, error, expectations, note, silent, warning};

const RULE: &str = "silent-panic";
const LIB: &str = "silent-panic/src/lib.rs";
const PANICS: &str = "silent-panic/tests/panics.rs";
const ROW: &str = "no-such-row";

fn says_what_it_said(finding: &Finding) -> Result<(), String> {
    let said = finding.details.get("panic_message").and_then(serde_json::Value::as_str);
    let has_stack = finding.stacks.iter().any(|stack| {
        stack.label == "stack of the panic"
            && stack.frames.first().is_some_and(|frame| frame.function.ends_with("row"))
    });
    match said {
        Some("no such row") if has_stack => Ok(()),
        _ => Err(format!("it said {said:?}; a stack of the panic: {has_stack}")),
    }
}

expectations! { Workspace::Rules, "silent-panic::panics ";
    a_detached_task_that_panics_is_found => error(RULE, LIB, ROW).with(says_what_it_said);
    a_detached_task_that_panics_is_found_on_many_threads => error(RULE, LIB, ROW);
    a_detached_task_that_does_not_panic_is_fine => silent();
    a_task_whose_handle_is_dropped_unread_after_the_panic_is_found => error(RULE, LIB, ROW);
    a_task_whose_handle_is_dropped_unread_after_the_panic_is_found_on_many_threads
        => error(RULE, LIB, ROW);
    a_task_whose_handle_is_awaited_is_fine => silent();
    a_task_whose_handle_is_awaited_is_fine_on_many_threads => silent();
    a_task_whose_handle_is_awaited_long_after_the_panic_is_fine => silent();
    of_two_tasks_that_panic_the_unread_one_is_found => error(RULE, LIB, ROW).with(|finding| {
        if finding.notes.iter().any(|note| note.contains("was not read")) {
            Ok(())
        } else {
            Err("it does not say that the handle was there".to_owned())
        }
    });
    a_panic_that_is_caught_within_the_task_is_fine => silent();
    a_blocking_task_that_panics_unread_is_found => error(RULE, LIB, ROW);
    a_blocking_task_that_panics_and_is_awaited_is_fine => silent();
    a_local_task_that_panics_unread_is_found => error(RULE, LIB, ROW);
    a_local_task_that_panics_and_is_awaited_is_fine => silent();
    a_set_that_is_dropped_with_a_panic_in_it_is_found => error(RULE, LIB, ROW);
    a_set_that_is_joined_is_fine => silent();
    a_thread_that_panics_unjoined_is_found => error(RULE, LIB, ROW).with(says_what_it_said);
    a_thread_that_panics_and_is_joined_is_fine => silent();
    a_thread_of_a_scope_that_panics_is_fine => silent();
    a_task_of_the_tests_own_whose_assertion_fails_unread_is_a_warning
        => warning(RULE, PANICS, "does-not-hold").by("test");
    a_thread_of_the_tests_own_whose_unwrap_fails_unread_is_a_warning
        => warning(RULE, PANICS, "is-no-number").by("test");
    a_task_of_the_tests_own_that_panics_on_purpose_is_only_noted
        => note(RULE, PANICS, "on-purpose");
    a_panic_that_another_hook_sees_is_told_by_its_spawn => error(RULE, LIB, "detached");
    a_hook_that_calls_the_one_before_hides_nothing => error(RULE, LIB, ROW).with(says_what_it_said);
    a_test_that_should_panic_is_not_judged => silent();
    a_test_whose_root_should_panic_is_not_judged => silent();
}
