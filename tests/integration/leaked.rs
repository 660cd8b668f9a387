//! `leaked-thread` and `leaked-handle`: threads, runtimes, processes, files and sockets
//! that are left at exit.

pub mod threads {
    use crate::support::{Workspace, at_most_a_note, expectations, silent, warning};

    const RULE: &str = "leaked-thread";
    const TICKER: &str = "leaked/src/ticker.rs";
    const EXECUTOR: &str = "leaked/src/executor.rs";

    expectations! { Workspace::Rules, "leaked::threads ";
        a_detached_thread_that_is_never_stopped_is_left
            => warning(RULE, TICKER, "is-never-stopped");
        a_thread_whose_handle_is_kept_is_left_too
            => warning(RULE, TICKER, "is-kept-and-never-stopped").with(|finding| {
                match finding.details.get("thread_name").and_then(serde_json::Value::as_str) {
                    Some("kept") => Ok(()),
                    name => Err(format!("its name is {name:?}")),
                }
            });
        a_worker_that_holds_its_own_sender_is_left => warning(RULE, TICKER, "survives-its-owner");
        twenty_workers_that_are_left_are_one_finding
            => warning(RULE, TICKER, "survives-its-owner").with(|finding| {
                if finding.occurrences >= 20 {
                    Ok(())
                } else {
                    Err(format!("seen {} times only", finding.occurrences))
                }
            });
        a_thread_that_a_task_starts_is_left_too => warning(RULE, TICKER, "is-never-stopped");
        a_worker_that_is_joined_leaves_nothing => silent();
        a_thread_that_is_told_to_stop_and_not_joined_leaves_nothing => silent();
        a_scoped_thread_leaves_nothing => silent();
        a_thread_of_the_whole_process_is_no_more_than_a_note => at_most_a_note(RULE);
        a_pool_of_the_test_itself_is_no_more_than_a_note => at_most_a_note(RULE);
        a_forgotten_runtime_leaves_its_workers => warning(RULE, EXECUTOR, "forgets-its-runtime");
        a_runtime_in_a_leaked_box_leaves_its_workers
            => warning(RULE, EXECUTOR, "leaks-its-runtime");
        a_forgotten_runtime_explains_the_tasks_in_it
            => warning(RULE, EXECUTOR, "detaches-its-runtime").with(|finding| {
                if finding.notes.iter().any(|note| note == "1 task had not ended in it") {
                    Ok(())
                } else {
                    Err("it does not say what it ran".to_owned())
                }
            });
        a_runtime_that_is_dropped_leaves_nothing => silent();
        a_runtime_that_is_shut_down_in_the_background_leaves_nothing => silent();
    }
}

pub mod children {
    use crate::support::{Workspace, expectations, silent, warning};

    const RULE: &str = "leaked-handle";
    const CHILD: &str = "leaked/src/child.rs";

    expectations! { Workspace::Rules, "leaked::children ";
        a_process_that_is_left_running_is_found => warning(RULE, CHILD, "is-left-running");
        a_process_that_is_killed_and_not_waited_for_is_found
            => warning(RULE, CHILD, "is-left-dead");
        a_process_that_a_task_leaves_running_is_found => warning(RULE, CHILD, "is-left-running");
        a_process_that_is_killed_and_waited_for_is_fine => silent();
        a_process_that_ends_by_itself_and_is_waited_for_is_fine => silent();
    }
}

pub mod files {
    use crate::support::{Expected, Workspace, error, expectations, note, silent};

    const RULE: &str = "leaked-handle";
    const FILES: &str = "leaked/src/files.rs";
    const SERVES: &str = "serves-for-ever";

    fn left(marker: &'static str) -> Expected {
        note(RULE, FILES, marker).by("library")
    }

    expectations! { Workspace::Rules, "leaked::files ";
        a_file_that_is_forgotten_is_open => left("is-forgotten");
        a_file_that_is_dropped_is_closed => silent();
        a_file_that_a_task_forgets_is_open => left("is-forgotten-by-a-task");
        a_connection_in_a_cycle_is_open => left("is-in-a-cycle").with(|finding| {
            match finding.details.get("file_kind").and_then(serde_json::Value::as_str) {
                Some("TCP socket") => Ok(()),
                kind => Err(format!("it is taken for a {kind:?}")),
            }
        });
        a_connection_that_is_dropped_is_closed => silent();
        a_number_that_is_given_to_something_else_is_not_taken_for_what_it_was => silent();
        a_listener_of_the_whole_process_stays => silent();
        a_listener_in_an_abandoned_task_is_closed_with_it
            => error("lingering-task", FILES, SERVES);
        a_listener_in_an_abandoned_task_of_a_leaked_runtime_is_explained_by_it
            => error("lingering-task", FILES, SERVES).besides(&["leaked-thread"]);
        a_listener_in_a_task_that_is_stopped_is_closed => silent();
        what_the_test_itself_forgets_is_open
            => note(RULE, "leaked/tests/files.rs", "is-forgotten-by-the-test");
    }
}

/// The functions whose place is taken do as ever.
pub mod calls {
    use crate::support::{Workspace, expectations, silent};

    expectations! { Workspace::Rules, "leaked::calls ";
        a_new_file_has_the_mode_that_was_asked_for => silent();
        errors_are_what_they_were => silent();
        files_and_sockets_are_closed_on_exec => silent();
        a_signal_handler_may_open_files => silent();
        a_fork_may_open_files_whatever_other_threads_do => silent();
        a_child_may_open_files_before_it_runs => silent();
        many_files_are_open_at_once => silent();
    }
}
