//! `futurelock`: what waits for a future of its own that it polls no more.

use crate::support::{Expected, Workspace, error, expectations, silent};

const RULE: &str = "futurelock";

fn left(file: &'static str, waits: &'static str, has: &'static str) -> Expected {
    let besides = &["recursive-lock", "long-held-lock", "lingering-task"];
    error(RULE, file, waits).showing(&[has]).besides(besides)
}

macro_rules! on_tasks {
    ($module:ident, $prefix:literal) => {
        pub mod $module {
            use super::*;

            expectations! { Workspace::Futurelock, $prefix;
                an_arm_that_locks_hangs
                    => left("src/select.rs", "arm-waits", "arm-place");
                a_root_with_an_arm_that_locks_hangs
                    => left("src/select.rs", "arm-waits", "arm-place");
                a_loop_with_a_pinned_future_hangs
                    => left("src/select.rs", "loop-waits", "loop-place");
                a_reader_behind_a_writer_that_is_not_polled_hangs
                    => left("src/select.rs", "rows-waits", "rows-place");
                a_buffered_stream_hangs
                    => left("src/stream.rs", "stream-waits", "stream-place");
                a_set_of_futures_hangs
                    => left("src/stream.rs", "stream-waits", "stream-place");
                a_future_kept_in_a_struct_hangs
                    => left("src/kept.rs", "prefetch-waits", "prefetch-place");
                a_future_polled_once_hangs
                    => left("src/kept.rs", "polled-waits", "polled-place");
                a_guard_held_by_a_paused_future_hangs
                    => left("src/select.rs", "paused-waits", "paused-holds");
                a_send_that_is_polled_no_more_hangs
                    => left("src/channel.rs", "send-waits", "send-place");
                a_send_that_is_awaited_first_passes => silent();
                an_arm_that_locks_beside_a_task_passes => silent();
                an_arm_that_locks_after_a_drop_passes => silent();
                an_arm_that_locks_while_both_are_polled_passes => silent();
                joined_futures_pass => silent();
                a_loop_with_a_pinned_future_that_tries_passes => silent();
                a_paused_future_that_is_ended_first_passes => silent();
                a_reader_behind_a_writer_that_was_dropped_passes => silent();
                a_buffered_stream_with_its_body_within_passes => silent();
                a_buffered_stream_that_is_collected_passes => silent();
                a_buffered_stream_of_tasks_passes => silent();
                a_future_that_is_not_kept_passes => silent();
                a_future_polled_to_its_end_passes => silent();
            }
        }
    };
}

on_tasks!(one, "futurelock::one_thread ");
on_tasks!(many, "futurelock::many_threads ");
