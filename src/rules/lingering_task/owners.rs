//! What a lingering task belonged to that could have stopped it.

use crate::model::{Awaited, Process, Stack, Task, awaited, plain};

/// The owner that a task was spawned through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskOwner {
    /// tokio-util's `TaskTracker`.
    Tracker,
    /// tokio's `JoinSet`.
    JoinSet,
}

/// By the functions on the way to the spawn; a future that was tracked before it was
/// spawned shows in its await stacks.
pub fn owner_of(task: &Task) -> Option<TaskOwner> {
    let passes = |stack: &Stack, part: &str| {
        stack.frames.iter().any(|frame| plain(&frame.function).starts_with(part))
    };
    let is_tracked =
        passes(&task.spawn_stack, "tokio_util::task::task_tracker::TaskTracker::spawn")
            || task
                .waits
                .iter()
                .any(|wait| passes(&wait.stack, "tokio_util::task::task_tracker::TrackedFuture"));
    if is_tracked {
        Some(TaskOwner::Tracker)
    } else if passes(&task.spawn_stack, "tokio::task::join_set::JoinSet") {
        Some(TaskOwner::JoinSet)
    } else {
        None
    }
}

impl TaskOwner {
    /// Its type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tracker => "TaskTracker",
            Self::JoinSet => "JoinSet",
        }
    }

    /// How it failed to stop the task.
    pub fn note(self, process: &Process) -> &'static str {
        match self {
            Self::Tracker if is_tracker_awaited(process) => "it belongs to a `TaskTracker`",
            Self::Tracker => "it belongs to a `TaskTracker` that nobody waited for",
            Self::JoinSet => {
                "it was spawned into a `JoinSet` that was leaked, or that let go of it: dropping \
                 the set would have aborted it"
            }
        }
    }
}

/// Whether somebody who is still there waits for a tracker.
fn is_tracker_awaited(process: &Process) -> bool {
    let is_there = |task: &&Task| task.end.is_unfinished();
    process.tasks.values().filter(is_there).flat_map(|task| &task.waits).any(|wait| {
        wait.stack.frames.iter().any(|frame| {
            plain(&frame.function)
                .starts_with("tokio_util::task::task_tracker::TaskTrackerWaitFuture")
        })
    })
}

/// Whether a task waits for a token, which means that nobody cancelled that one.
pub fn awaits_token(process: &Process, task: &Task) -> bool {
    task.waits.iter().any(|wait| awaited(process, wait) == Awaited::Cancellation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::testing::*,
        rules::{config::Config, lingering_task::LingeringTask},
    };

    fn notes(task: Task) -> Vec<String> {
        let findings =
            crate::rules::check(&LingeringTask, &run(process([task], [])), &Config::default());
        findings.into_iter().flat_map(|finding| finding.notes).collect()
    }

    #[test]
    fn a_tracker_and_a_set_are_known_by_how_the_task_was_spawned() {
        let spawned_by = |function: &str| {
            let frames = [dependency(function), lib("app::Pool::start", 20)];
            notes(Task { spawn_stack: stack(frames), ..task(1) })
        };
        let tracked = "it belongs to a `TaskTracker` that nobody waited for".to_owned();
        let by_tracker = spawned_by("tokio_util::task::task_tracker::TaskTracker::spawn");
        assert!(by_tracker.contains(&tracked));
        let by_set = spawned_by("tokio::task::join_set::JoinSet<T>::spawn");
        assert!(by_set.iter().any(|note| note.contains("`JoinSet`")));
        assert!(!notes(task(1)).iter().any(|note| note.contains("belongs")));
        let mut future = task(1);
        future.waits[0].stack = stack([
            tokio("tokio::sync::mpsc::chan::Rx<T,S>::recv"),
            lib("app::Pool::serve::{{closure}}", 33),
            dependency(
                "<tokio_util::task::task_tracker::TrackedFuture<F> as \
                 core::future::future::Future>::poll",
            ),
        ]);
        assert!(notes(future).contains(&tracked));
    }

    #[test]
    fn a_token_that_is_waited_for_was_not_cancelled() {
        let mut waiting = task(1);
        waiting.waits[0].stack = stack([
            tokio("<tokio::sync::notify::Notified as core::future::future::Future>::poll"),
            dependency(
                "<tokio_util::sync::cancellation_token::WaitForCancellationFuture as \
                 core::future::future::Future>::poll",
            ),
            lib("app::Pool::serve::{{closure}}", 33),
        ]);
        assert!(notes(waiting).contains(&"nobody cancelled its token".to_owned()));
    }
}
