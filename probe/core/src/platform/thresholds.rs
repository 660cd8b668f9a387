//! The thresholds of a run, in the one list that both the probe and the tool are compiled with.
//! Times are in nanoseconds.

/// Hands every threshold to the macro `$to`: its meaning, its field, whether it is a `Time` or a
/// `Number`, its default, its name on the command line and in `concaudit.toml`, and in the
/// environment.
macro_rules! thresholds {
    ($to:ident) => {
        $to! {
            /// A lock held for longer is held for long
            long_hold: Time = 1_000_000_000, "long-hold", "CONCAUDIT_LONG_HOLD";
            /// The same for a lock that somebody waited for
            contended_hold: Time = 100_000_000, "contended-hold", "CONCAUDIT_CONTENDED_HOLD";
            /// Shortest wait for a lock that counts as contention
            wait: Time = 10_000_000, "wait", "CONCAUDIT_WAIT";
            /// A call that blocks the thread of a task for longer is reported
            blocking_call: Time = 10_000_000, "blocking-call", "CONCAUDIT_BLOCKING_CALL";
            /// A task that keeps its thread for longer between two awaits is reported
            blocking_poll: Time = 100_000_000, "blocking-poll", "CONCAUDIT_BLOCKING_POLL";
            /// More tasks of one spawn site alive at once are reported
            spawn_storm: Number = 1000, "spawn-storm", "CONCAUDIT_SPAWN_STORM";
            /// Live tasks of one spawn site that grow by more over a program's run are reported
            task_growth: Number = 50, "task-growth", "CONCAUDIT_TASK_GROWTH";
            /// Growth within less time says nothing
            growth_time: Time = 10_000_000_000, "growth-time", "CONCAUDIT_GROWTH_TIME";
            /// A task that wakes itself as often, and is woken by others less often, is reported
            self_wakes: Number = 1000, "self-wakes", "CONCAUDIT_SELF_WAKES";
            /// A task whose first poll takes longer has never yielded
            never_yielded: Time = 1_000_000_000, "never-yielded", "CONCAUDIT_NEVER_YIELDED";
            /// A task that outlives its cancelled parent for longer is reported
            orphaned: Time = 100_000_000, "orphaned", "CONCAUDIT_ORPHANED";
            /// Tasks that stay idle for so long after a test will not end by themselves
            drain_idle: Time = 2_000_000, "drain-idle", "CONCAUDIT_DRAIN_IDLE";
            /// Time that tasks get to end after a test's future has
            drain_max: Time = 100_000_000, "drain-max", "CONCAUDIT_DRAIN_MAX";
            /// The same, in sum over a process
            drain_total: Time = 500_000_000, "drain-total", "CONCAUDIT_DRAIN_TOTAL";
        }
    };
}

pub(crate) use thresholds;
