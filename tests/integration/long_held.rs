//! `long-held-lock`: contended or very long, of each kind of guard.

use crate::support::{Finding, Workspace, error, expectations, note, silent, warning};

const RULE: &str = "long-held-lock";
const LIB: &str = "long-held/src/lib.rs";

fn milliseconds(finding: &Finding, name: &str) -> u64 {
    finding.details.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0)
}

/// Held for 400 ms, which were awaited, and waited for over 300 of them. Lower
/// bounds only: the machine may be busy.
fn held_across_the_await(finding: &Finding) -> Result<(), String> {
    for (name, least) in [("held_ms", 395), ("awaited_ms", 395), ("waited_ms", 90)] {
        if milliseconds(finding, name) < least {
            return Err(format!("{name} is less than {least}"));
        }
    }
    Ok(())
}

expectations! { Workspace::Rules, "long-held::holds ";
    a_lock_held_across_a_fetch_starves_its_reader
        => error(RULE, LIB, "fetches-under-the-lock")
            .showing(&["awaits-under-the-lock", "waits-for-the-fetch"])
            .with(held_across_the_await);
    a_lock_held_across_a_fetch_starves_its_reader_on_many_threads
        => error(RULE, LIB, "fetches-under-the-lock");
    a_lock_held_across_what_the_test_itself_fetches_is_only_noted
        => note(RULE, LIB, "lets-the-caller-fetch").by("library");
    a_reader_that_gives_up_was_starved_too => error(RULE, LIB, "fetches-under-the-lock");
    a_lock_taken_after_the_fetch_starves_nobody => silent();
    a_lock_held_across_a_fetch_that_nobody_waits_for_is_fine => silent();
    a_lock_held_for_more_than_a_second_alone_is_a_warning
        => warning(RULE, LIB, "holds-for-long-alone").with(|finding| {
            // 1.4 s, less what the machine withheld.
            match milliseconds(finding, "held_ms") {
                1000.. => Ok(()),
                held => Err(format!("held for {held} ms only")),
            }
        });
    a_busy_lock_that_is_never_held_for_long_is_fine => silent();
    a_mapped_guard_held_across_a_fetch_starves_its_reader
        => error(RULE, LIB, "holds-a-mapped-guard");
    a_thread_that_sleeps_under_the_lock_starves_a_task
        => error(RULE, LIB, "blocks-under-the-lock");
    a_write_lock_held_across_a_fetch_starves_its_readers
        => error(RULE, LIB, "fetches-under-the-write-lock");
    a_write_lock_taken_after_the_fetch_starves_nobody => silent();
    a_read_lock_held_for_long_starves_a_writer => error(RULE, LIB, "exports-under-the-read-lock");
    a_read_lock_held_for_long_does_not_starve_a_reader => silent();
    an_owned_guard_taken_along_starves_the_next_job => error(RULE, LIB, "takes-the-slot-along");
    a_static_lock_held_across_a_fetch_starves_its_reader
        => error(RULE, LIB, "fetches-under-the-static-lock");
    a_static_lock_taken_after_the_fetch_starves_nobody => silent();
}
