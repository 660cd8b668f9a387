//! `blocking-poll`: polls that take long, and what may.

use crate::support::{Expected, Workspace, at_most_a_note, expectations, note, silent, warning};

const RULE: &str = "blocking-poll";
const LIB: &str = "blocking-poll/src/lib.rs";

fn error(marker: &'static str) -> Expected {
    crate::support::error(RULE, LIB, marker)
}

/// The fixtures are compiled without optimisation, where a computation counts less.
fn computes(marker: &'static str) -> Expected {
    warning(RULE, LIB, marker)
}

pub mod polls {
    use super::*;

    expectations! { Workspace::Rules, "blocking-poll::polls ";
        a_task_that_reads_keeps_a_timer_waiting => error("fetches");
        a_task_that_reads_keeps_what_it_spawned_waiting => error("fetches");
        a_task_that_reads_alone_is_a_warning => warning(RULE, LIB, "fetches-alone");
        a_task_that_reads_beside_a_free_worker_is_a_warning
            => warning(RULE, LIB, "fetches-alone");
        a_root_that_reads_alone_is_only_noted => note(RULE, LIB, "fetches-in-a-root").by("library");
        a_local_task_that_reads_is_to_blame_and_not_its_set
            => warning(RULE, LIB, "fetches-locally");
        a_blocking_task_may_read => silent();
        a_task_may_read_where_it_says_so => silent();
        a_root_within_such_a_place_may_read => silent();
        a_task_that_awaits_its_peer_is_fine => silent();
        a_task_that_sleeps_in_c_keeps_a_timer_waiting => error("pauses");
        a_task_that_waits_for_a_tool_keeps_a_timer_waiting => error("runs-a-tool");
        a_task_that_computes_keeps_a_timer_waiting => computes("computes");
        a_task_that_computes_alone_is_only_noted
            => note(RULE, LIB, "computes-alone").by("library");
        a_root_that_computes_alone_is_only_noted
            => note(RULE, LIB, "computes-in-a-root").by("library");
        a_task_that_computes_in_portions_is_fine => silent();
        a_blocking_task_may_compute => silent();
        a_process_that_was_stopped_accuses_nobody => silent();
        a_call_that_another_rule_tells_of_is_told_once => warning("blocking-call", LIB, "sleeps");
    }
}

/// Each asserts that nothing of the sampling is to be seen.
pub mod signals {
    use super::*;

    expectations! { Workspace::Rules, "blocking-poll::signals ";
        a_program_that_handles_every_signal_receives_none => silent();
        a_program_that_blocks_every_signal_has_none_pending => silent();
        system_calls_between_computations_are_not_interrupted => at_most_a_note(RULE);
        a_signal_of_the_programs_own_arrives => at_most_a_note(RULE);
    }
}
