//! `--shake` and `--replay`: what only some schedules show.

use crate::support::{Project, Report, project::POLL};

/// A thread is left behind where the other one was fast, which it hardly ever is by itself.
const RACE: &str = "\
//! A race.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

static IS_THERE: AtomicBool = AtomicBool::new(false);

/// Leaves a thread behind where the other one comes first.
pub fn race() {
    let lock = Mutex::new(0);
    thread::scope(|scope| {
        scope.spawn(|| IS_THERE.store(true, Ordering::Relaxed));
        for _ in 0..5 {
            *lock.lock().unwrap() += 1;
        }
        if IS_THERE.load(Ordering::Relaxed) {
            thread::spawn(|| loop {
                thread::park();
            });
        }
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn races() {
        super::race();
    }
}
";

fn note(report: &Report) -> Option<&String> {
    let leaked = report.findings.iter().find(|it| it.rule == "leaked-thread")?;
    leaked.notes.iter().find(|note| note.starts_with("came in "))
}

#[test]
fn delays_show_what_another_schedule_does() {
    let project = Project::with_lib(RACE);
    let (finished, report) = project.run(&["--shake", "12", "--seed", "1"]);
    finished.assert_code(1);
    let note = note(&report).unwrap_or_else(|| panic!("{finished}"));
    assert!(note.contains("of 12 runs with delays; `--replay "), "{note}");
    let leaked = report.findings.iter().find(|it| it.rule == "leaked-thread");
    assert_eq!(leaked.map(|it| it.tests.clone()), Some(vec!["threads tests::races".to_owned()]));
    assert_eq!(report.tests.len(), 1);
    finished.assert_says(&["run 1 of 12, seed 1", "run 12 of 12, seed 12"]);
}

#[test]
fn what_always_comes_comes_in_each_run_and_can_be_replayed() {
    let project = Project::of_threads();
    let (finished, report) = project.run(&["--shake", "2", "--seed", "40"]);
    finished.assert_code(1);
    let poll = report.at("leaked-thread", "src/lib.rs", POLL);
    let note = "came in 2 of 2 runs with delays; `--replay 40` repeats one of these";
    assert!(poll.notes.iter().any(|it| it == note), "{poll}");
    let (finished, report) = project.run(&["--replay", "40"]);
    finished.assert_code(1);
    let poll = report.at("leaked-thread", "src/lib.rs", POLL);
    assert!(poll.notes.iter().any(|it| it == "came in 1 of 1 runs with delays"), "{poll}");
    let refused = project.tool().args(&["--shake", "0"]).run();
    refused.assert_code(2);
    let refused = project.tool().args(&["--seed", "3"]).run();
    refused.assert_code(2);
}
