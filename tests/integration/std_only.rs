//! A project without any dependency is audited as well.

use crate::support::{Workspace, cycle, error, expectations, silent, warning};

const LIB: &str = "src/lib.rs";

expectations! { Workspace::StdOnly, "std-only::all ";
    two_locks_taken_in_both_orders_are_a_cycle
        => cycle(LIB, &["post-accounts", "post-journal", "audit-journal", "audit-accounts"]);
    two_locks_taken_in_one_order_are_fine => silent();
    a_lock_held_while_it_loads_starves_its_reader
        => error("long-held-lock", LIB, "loads-under-the-lock");
    a_lock_taken_once_loaded_starves_nobody => silent();
    a_reader_that_reads_again_and_a_writer_elsewhere_may_hang
        => warning("recursive-lock", LIB, "reads-again").likely().showing(&["reads-first"]);
    a_reader_that_reads_in_steps_is_fine => silent();
    a_worker_that_holds_its_own_sender_is_left
        => warning("leaked-thread", LIB, "survives-its-owner");
    a_worker_whose_channel_closes_leaves_nothing => silent();
    a_process_that_is_left_running_is_found
        => warning("leaked-handle", LIB, "is-left-running");
    a_process_that_is_waited_for_is_fine => silent();
    comparisons_that_depend_on_one_implementation_compile => cycle(
        "src/inference.rs", &["has-hits", "has-misses", "reset-misses", "reset-hits"]
    );
}

#[test]
fn a_project_of_std_alone_is_audited_as_a_whole() {
    let audit = Workspace::StdOnly.audit();
    audit.finished.assert_code(1);
    let coverage = &audit.report.coverage;
    assert!(coverage.instrumented.iter().any(|it| it.contains("std")), "{coverage:?}");
    // Nothing had to be compiled without a facade.
    assert!(!coverage.not_instrumented.iter().any(|it| it.contains("locks")), "{coverage:?}");
    for test in &audit.report.tests {
        assert_eq!(test.processes, 1, "{} was not seen", test.full_name());
    }
}
