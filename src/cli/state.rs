//! What a test that runs, or was stopped, is about.

use super::console::ProcessState;
use crate::{
    hang::Hang,
    model::{self, Symboliser, process_from},
    project::Project,
    report::summary::CutOff,
    run::{TestCase, Verdict},
    telemetry::{LookedAt, Recording},
};

/// What can be said of a test by a look at its processes, its own first.
pub fn verdict(
    project: &Project,
    symbols: &Symboliser,
    case: &TestCase,
    processes: &[LookedAt],
) -> Verdict {
    let identity = identity(case);
    let snapshots = processes.iter().filter_map(|process| process.snapshot.as_ref());
    let seen: Vec<model::Process> = snapshots.map(|it| process_from(it, symbols)).collect();
    let mut hangs = seen.iter().map(|process| Hang::new(project, process, &identity)).peekable();
    let progress = hangs.peek().and_then(Hang::progress);
    let is_still = seen.len() == processes.len()
        && hangs.peek().is_some_and(Hang::has_body)
        && hangs.all(|hang| hang.is_still());
    Verdict { is_still, progress }
}

/// What a process is about now.
pub fn state(
    project: &Project,
    symbols: &Symboliser,
    case: &TestCase,
    snapshot: &Recording,
) -> ProcessState {
    told(project, &process_from(snapshot, symbols), &identity(case))
}

fn told(
    project: &Project,
    process: &model::Process,
    identity: &model::TestIdentity,
) -> ProcessState {
    let hang = Hang::new(project, process, identity);
    let steps = hang.chain();
    let sentence = if steps.is_empty() { String::new() } else { hang.sentence(&steps) };
    ProcessState { sentence, process: hang.tell() }
}

/// Of a test, as the model has it.
pub fn identity(case: &TestCase) -> model::TestIdentity {
    model::TestIdentity { crate_name: case.binary.crate_name.clone(), path: case.path.clone() }
}

/// What a test was about that the user interrupted, a process each.
pub fn cut_off(run: &model::Run, test: &model::Test) -> Vec<CutOff> {
    let snapshots = test.processes.iter().filter_map(|process| process.snapshot.as_deref());
    snapshots
        .map(|process| {
            let ProcessState { sentence, process } = told(&run.project, process, &test.identity);
            CutOff { sentence, process }
        })
        .collect()
}
