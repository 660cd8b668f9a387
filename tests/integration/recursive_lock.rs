//! `recursive-lock`: what waits for itself, and what would if a writer came.

use crate::support::{Workspace, at_most_a_note, expectations, silent, warning};

const RULE: &str = "recursive-lock";
const TABLE: &str = "recursive-lock/src/table.rs";

expectations! { Workspace::Rules, "recursive-lock::recursion ";
    a_reader_that_reads_again_and_a_writer_elsewhere_may_hang
        => warning(RULE, TABLE, "std-reads-again").likely().showing(&["std-reads-first"]);
    a_reader_that_reads_in_steps_is_fine => silent();
    a_reader_that_reads_another_of_the_same_class_is_fine => silent();
    a_reader_that_reads_again_what_nobody_writes_is_no_more_than_a_note => at_most_a_note(RULE);
    a_lock_that_is_let_go_before_it_is_taken_again_is_fine => silent();
    a_lock_that_is_only_tried_again_is_fine => silent();
    a_task_that_reads_again_and_a_writer_elsewhere_may_hang
        => warning(RULE, TABLE, "tokio-reads-again").likely().showing(&["tokio-reads-first"]);
    a_task_that_reads_in_steps_is_fine => silent();
    a_task_that_reads_again_what_nobody_writes_may_hang_one_day
        => warning(RULE, TABLE, "settings-read-again")
            .possible()
            .showing(&["settings-read-first"]);
    a_task_that_reads_in_steps_what_nobody_writes_is_fine => silent();
    a_parking_lot_reader_that_reads_again_and_a_writer_elsewhere_may_hang
        => warning(RULE, "recursive-lock/src/parking.rs", "parking-reads-again")
            .likely()
            .showing(&["parking-reads-first"]);
    a_parking_lot_reader_that_reads_recursively_is_fine => silent();
    a_reentrant_lock_taken_again_is_fine => silent();
    a_watched_value_borrowed_twice_and_a_sender_elsewhere_may_hang
        => warning(RULE, "recursive-lock/src/watched.rs", "borrows-again")
            .likely()
            .showing(&["borrows-first"]);
    a_watched_value_that_is_copied_is_fine => silent();
    an_entry_that_is_read_again_and_a_writer_elsewhere_may_hang
        => warning(RULE, "recursive-lock/src/map.rs", "map-reads-again")
            .likely()
            .showing(&["map-reads-first"]);
    an_entry_that_is_copied_is_fine => silent();
}

/// What hangs for ever: a deadlock of one, which is told as that and ended.
pub mod stuck {
    use crate::support::{Expected, Workspace, error, expectations, silent};

    const LIB: &str = "src/lib.rs";

    /// Who waits for its own lock holds it for long, too, and blocks.
    fn waits_for_itself(again: &'static str, first: &'static str) -> Expected {
        error("deadlock", LIB, again)
            .showing(&[first])
            .besides(&["long-held-lock", "blocking-call"])
    }

    expectations! { Workspace::Stuck, "stuck::hangs ";
        a_lock_taken_twice_hangs => waits_for_itself("std-locks-again", "std-locks-first");
        a_write_while_reading_hangs => waits_for_itself("std-writes-again", "std-reads-first");
        a_parking_lot_lock_taken_twice_hangs
            => waits_for_itself("parking-locks-again", "parking-locks-first");
        a_parking_lot_read_while_writing_hangs
            => waits_for_itself("parking-reads-again", "parking-writes-first");
        a_tokio_lock_taken_twice_hangs
            => waits_for_itself("tokio-locks-again", "tokio-locks-first");
        a_lock_taken_twice_by_a_task_hangs
            => waits_for_itself("std-locks-again", "std-locks-first");
        a_watched_value_replaced_while_borrowed_hangs
            => waits_for_itself("watch-sends-again", "watch-borrows-first");
        a_test_that_does_not_hang_passes => silent();
    }

    #[test]
    fn a_test_that_waits_for_itself_is_ended() {
        let audit = Workspace::Stuck.audit();
        audit.finished.assert_code(100);
        for test in &audit.report.tests {
            let expected: &[&str] = match &test.name {
                name if name.ends_with("_hangs") => &["deadlocked"],
                name if name.ends_with("_limit") => &["hung", "timed-out"],
                _ => &["passed"],
            };
            assert!(expected.contains(&&*test.outcome), "{}\n{}", test.name, audit.finished);
        }
    }
}
