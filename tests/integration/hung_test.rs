//! `hung-test`: tests that wait for what nobody provides, and those that end.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{Expected, Finding, Tool, Workspace, error, expectations, silent, wait_until};

const RULE: &str = "hung-test";

fn hangs(file: &'static str, at: &'static str) -> Expected {
    error(RULE, file, at)
}

/// The message tells these, in this order.
fn says(finding: &Finding, parts: &[&str]) -> Result<(), String> {
    let mut rest = finding.message.as_str();
    for part in parts {
        let Some(at) = rest.find(part) else {
            return Err(format!("the message lacks {part:?} (in {rest:?})"));
        };
        rest = &rest[at + part.len()..];
    }
    Ok(())
}

/// Whether it says that the test would never have ended by itself.
fn is_still(finding: &Finding) -> bool {
    let says = finding.notes.iter().any(|note| note.contains("it would never have ended"));
    assert_eq!(finding.details["process"]["is_still"], says);
    says
}

/// Of the details, the parties for whom nobody is known to wait, the test's body
/// first.
fn roots(finding: &Finding) -> Vec<&serde_json::Value> {
    finding.details["process"]["parties"].as_array().map(|them| them.iter().collect()).unwrap()
}

macro_rules! on_tasks {
    ($module:ident, $prefix:literal) => {
        pub mod $module {
            use super::*;

            expectations! { Workspace::Hung, $prefix;
                a_receiver_that_keeps_its_sender_hangs
                    => hangs("src/channel.rs", "sender-kept-alive").with(|finding| {
                        assert!(is_still(finding), "a channel is of this process");
                        says(finding, &["it waits for data on an mpsc channel at src/channel.rs:"])
                    });
                a_receiver_that_drops_its_sender_passes => silent();
                a_notify_that_came_before_hangs
                    => hangs("src/signal.rs", "never-notified")
                        .with(|finding| says(finding, &["it waits for a Notify at src/signal.rs:"]));
                a_notify_that_is_kept_passes => silent();
                an_answer_after_a_select_hangs
                    => hangs("src/later.rs", "answer-later").with(|finding| {
                        says(finding, &["it waits for data on a oneshot channel at src/later.rs:"])
                    });
                an_answer_after_a_select_passes => silent();
                a_notification_after_a_select_hangs
                    => hangs("src/later.rs", "notified-later")
                        .with(|finding| says(finding, &["it waits for a Notify at src/later.rs:"]));
                a_join_after_a_timeout_hangs
                    => hangs("src/signal.rs", "never-notified").with(|finding| {
                        says(finding, &["it waits at src/later.rs:", " for the task spawned at "])
                    });
                a_join_after_a_timeout_passes => silent();
                a_server_that_is_not_told_to_stop_hangs
                    => hangs("src/server.rs", "server-loop")
                        .showing(&["server-joined", "server-spawned"])
                        .with(|finding| {
                            assert_eq!(roots(finding).len(), 1, "the server is below the body");
                            says(finding, &[
                                "it waits at src/server.rs:",
                                " for the task spawned at src/server.rs:",
                                ", which waits for data on an mpsc channel at src/server.rs:",
                            ])
                        });
                a_server_that_is_told_to_stop_passes => silent();
                a_peer_that_says_nothing_hangs
                    => hangs("src/socket.rs", "no-answer").with(|finding| {
                        assert!(!is_still(finding), "who knows what the peer will do");
                        says(finding, &["it waits for data on a TCP stream at src/socket.rs:"])
                    });
                a_peer_that_answers_passes => silent();
                a_poll_that_never_ends_hangs
                    => hangs("src/computing.rs", "computes")
                        .showing(&["computes-joined", "computes-spawned"])
                        .with(|finding| {
                            says(finding, &[
                                " for the task spawned at src/computing.rs:",
                                ", which has computed at src/computing.rs:",
                                " without a pause at an `.await` (",
                                " on the CPU)",
                            ])
                        });
                a_poll_that_ends_passes => silent();
                a_blocking_call_in_its_own_task_passes => silent();
                a_test_that_takes_its_time_passes => silent();
                forty_tasks_at_one_gate_hang
                    => hangs("src/signal.rs", "never-notified").with(|finding| {
                        let below = &roots(finding)[0]["waits"][0]["on"];
                        assert_eq!(below[0]["count"], 40, "tasks of one shape are folded");
                        says(finding, &[
                            " for one of the 40 tasks spawned at tests/common/mod.rs:",
                            ", which waits for a Notify at src/signal.rs:",
                        ])
                    });
            }
        }
    };
}

on_tasks!(one, "hung::one_thread ");
on_tasks!(many, "hung::many_threads ");

/// What needs that the runtime has one thread.
pub mod starved {
    use super::*;

    expectations! { Workspace::Hung, "hung::one_thread ";
        a_blocking_call_that_starves_who_would_end_it_hangs
            => hangs("src/blocking.rs", "blocks").with(|finding| {
                assert_eq!(roots(finding)[1]["state"], "starved");
                says(finding, &[
                    "it is blocked in `Receiver::recv` at src/blocking.rs:",
                    ", which keeps its thread from the task spawned at src/blocking.rs:",
                ])
            });
    }
}

/// What is waited for, by its name.
pub mod waits {
    use super::*;

    const FULL: &str = "src/full.rs";
    const DRIVING: &str = "src/driving.rs";

    /// It is told with this help.
    fn helps(finding: &Finding, part: &str) {
        assert!(
            finding.help.as_ref().is_some_and(|help| help.contains(part)),
            "{:?}",
            finding.help
        );
    }

    fn is_full(finding: &Finding, channel: &str) -> Result<(), String> {
        assert!(is_still(finding), "a channel is of this process");
        helps(finding, "it is full, and nobody receives from it");
        says(finding, &[&format!("it waits for room in {channel} at src/full.rs:")])
    }

    expectations! { Workspace::Hung, "hung::waits ";
        a_full_tokio_channel_hangs
            => hangs(FULL, "tokio-full").with(|finding| is_full(finding, "an mpsc channel"));
        a_tokio_channel_with_room_passes => silent();
        a_full_futures_channel_hangs
            => hangs(FULL, "futures-full").with(|finding| is_full(finding, "an mpsc channel of futures"));
        a_futures_channel_with_room_passes => silent();
        a_full_async_channel_hangs
            => hangs(FULL, "async-channel-full").with(|finding| is_full(finding, "an async-channel channel"));
        an_async_channel_with_room_passes => silent();
        a_full_flume_channel_hangs
            => hangs(FULL, "flume-full").with(|finding| is_full(finding, "a flume channel"));
        a_flume_channel_with_room_passes => silent();
        a_full_std_channel_hangs => hangs(FULL, "std-full").with(|finding| {
            assert!(is_still(finding), "a channel is of this process");
            helps(finding, "receiving from it");
            says(finding, &["it is blocked in `SyncSender::send` at src/full.rs:"])
        });
        a_std_channel_with_room_passes => silent();
        a_task_that_a_handle_does_not_drive_hangs
            => hangs(DRIVING, "handle-waits").with(|finding| {
                helps(finding, "use `Runtime::block_on`");
                says(finding, &[", which was never polled: `Handle::block_on` drives no task"])
            });
        a_task_that_its_runtime_drives_passes => silent();
        a_full_pool_for_blocking_tasks_hangs
            => hangs(DRIVING, "pool-waits").with(|finding| {
                helps(finding, "`max_blocking_threads`");
                says(finding, &[
                    ", which waits for a thread of the pool for blocking tasks, which is full: its 4 ",
                    "threads are busy with the blocking task spawned at src/driving.rs:",
                ])
            });
        a_pool_with_room_passes => silent();
        a_receiver_in_place_hangs => hangs(DRIVING, "in-place").with(|finding| {
            assert_eq!(roots(finding).len(), 1, "the worker that took over is no task of theirs");
            says(finding, &[", which is blocked in `Receiver::recv` at src/driving.rs:"])
        });
        a_receiver_in_place_of_what_was_sent_passes => silent();
        a_future_driven_within_a_poll_hangs => hangs(DRIVING, "driven-within").with(|finding| {
            helps(finding, "do not drive a future within the poll of another one");
            says(finding, &["it is blocked in `futures::executor::block_on` at src/driving.rs:"])
        });
        a_future_driven_by_a_thread_of_its_own_passes => silent();
        a_timer_whose_driver_is_blocked_hangs => hangs(DRIVING, "timer-undriven").with(|finding| {
            helps(finding, "do not block or compute for long on a runtime's thread");
            says(finding, &[
                "which waits for a timer that is due at src/driving.rs:",
                ", on a runtime whose thread is kept busy by the test's body",
            ])
        });
        a_timer_whose_driver_is_not_blocked_passes => silent();
        a_std_receiver_beside_its_sender_hangs
            => hangs(DRIVING, "received-before").with(|finding| {
                helps(finding, "do not block a runtime's thread");
                says(finding, &["it is blocked in `Receiver::recv` at src/driving.rs:"])
            });
        a_receiver_beside_its_sender_passes => silent();
        a_lock_held_while_its_next_holder_is_asked_hangs
            => hangs("src/held.rs", "stop-holds")
                .showing(&["exit-waits", "stop-waits"])
                .with(|finding| {
                    helps(finding, "release the lock before waiting");
                    says(finding, &[
                        "the test's body holds tokio RwLock created at src/held.rs:",
                        " for reading (taken at src/held.rs:",
                        ") and waits for data on a oneshot channel at src/held.rs:",
                        ", while the task spawned at src/held.rs:",
                        " waits for that lock at src/held.rs:",
                    ])
                });
        a_lock_released_before_its_next_holder_is_asked_passes => silent();
        an_answer_of_a_worker_that_panicked_hangs
            => hangs("src/server.rs", "never-answered").besides(&["silent-panic"]).with(|finding| {
                let panicked = "the task spawned at src/server.rs:";
                assert!(finding.notes.iter().any(|note| note.starts_with(panicked)), "{finding:?}");
                says(finding, &["it waits for data on a oneshot channel at src/server.rs:"])
            });
        an_answer_of_a_worker_passes => silent();
    }
}

/// Without a runtime.
pub mod threads {
    use super::*;

    const THREADS: &str = "src/threads.rs";

    expectations! { Workspace::Hung, "hung::threads ";
        a_condvar_that_nobody_notifies_hangs
            => hangs(THREADS, "condvar").with(|finding| {
                assert!(is_still(finding), "a Condvar is of this process");
                says(finding, &[
                    "it waits at tests/threads.rs:",
                    " for the thread spawned at tests/threads.rs:",
                    ", which is blocked in `Condvar::wait` at src/threads.rs:",
                ])
            });
        a_condvar_that_is_notified_passes => silent();
        a_join_of_a_thread_that_receives_hangs
            => hangs(THREADS, "thread-receives").showing(&["thread-joined"]).with(|finding| {
                assert!(is_still(finding), "a channel is of this process");
                says(finding, &[
                    " for thread `summing` spawned at src/threads.rs:",
                    ", which is blocked in `Receiver::recv` at src/threads.rs:",
                ])
            });
        a_join_of_a_thread_that_is_told_to_stop_passes => silent();
        a_flag_that_nobody_sets_hangs
            => hangs(THREADS, "spins")
                .with(|finding| says(finding, &["it computes at src/threads.rs:", " on the CPU)"]));
        a_flag_that_is_set_passes => silent();
        a_child_process_that_goes_on_hangs => hangs(THREADS, "child").with(|finding| {
            assert!(!is_still(finding), "the child process may end");
            Ok(())
        });
        a_child_process_that_ends_passes => silent();
        an_accept_to_which_nobody_connects_hangs => hangs(THREADS, "accept").with(|finding| {
            assert!(!is_still(finding), "somebody may connect");
            Ok(())
        });
        an_accept_to_which_somebody_connects_passes => silent();
        an_answer_of_a_thread_that_panicked_hangs
            => hangs(THREADS, "no-answer-of-thread").besides(&["silent-panic"]).with(|finding| {
                let panicked = "the thread `halver` spawned at src/threads.rs:";
                assert!(finding.notes.iter().any(|note| note.starts_with(panicked)), "{finding:?}");
                says(finding, &["it is blocked in `Receiver::recv` at src/threads.rs:"])
            });
        an_answer_of_a_thread_passes => silent();
    }
}

#[test]
fn what_hangs_is_ended_and_the_rest_passes() {
    let audit = Workspace::Hung.audit();
    audit.finished.assert_code(100);
    for test in &audit.report.tests {
        let hangs = test.name.ends_with("hangs") || test.name.ends_with("hang");
        let expected: &[&str] = if hangs { &["hung", "timed-out"] } else { &["passed"] };
        assert!(expected.contains(&&*test.outcome), "{}\n{}", test.name, audit.finished);
    }
}

#[test]
fn a_test_that_runs_is_shown_on_request_and_goes_on() {
    const LIMIT: Duration = Duration::from_secs(120);
    // Built before, so that what is waited for is the test.
    Workspace::Hung.audit();
    let running = Tool::new("hung")
        .args(&["--time-limit", "300s", "--slow-after", "500ms", "--on-deadlock", "wait"])
        .args(&["--test", "one_thread", "a_server_that_is_not_told_to_stop_hangs"])
        .start();
    let pid = Pid::from_raw(running.pid().cast_signed());
    wait_until("the test to run", LIMIT, || running.stderr().contains("SLOW").then_some(()));
    for round in 1..=2 {
        kill(pid, Signal::SIGQUIT).expect("it runs");
        wait_until("what it is about", LIMIT, || {
            (running.stderr().matches("DUMP").count() == round).then_some(())
        });
    }
    let shown = running.stderr();
    for part in [
        "it waits at src/server.rs:",
        ", which waits for data on an mpsc channel at src/server.rs:",
        "who waits for whom:",
        "in hung::server::serve",
        "threads:",
    ] {
        assert!(shown.contains(part), "{part:?} is not shown\n{shown}");
    }
    kill(pid, Signal::SIGINT).expect("it runs");
    let finished = running.wait();
    finished.assert_code(100);
    finished.assert_says(&["INTERRUPTED"]);
}
