//! From what the tests have shown to findings.

use std::sync::Arc;

use super::{args::TestOptions, shake, state::identity};
use crate::{
    finding::Finding,
    instrument::Build,
    model::{self, Symboliser, process_from},
    rules::{self, Config, RULES},
    run::{ExecuteOptions, TestRun},
};

/// The symbols of what was built, which may be built anew or removed during the run.
pub fn symbols(build: &Build) -> Symboliser {
    let symbols = Symboliser::new(Arc::clone(&build.project));
    for binary in &build.binaries {
        symbols.keep(&binary.exe);
    }
    symbols
}

/// The model of everything that the tests have shown. Their recordings are used up: as
/// one it would be twice in memory.
pub fn model(
    build: &Build,
    symbols: &Symboliser,
    options: &ExecuteOptions,
    runs: &mut [TestRun],
) -> model::Run {
    let test = |run: &mut TestRun, name: String| {
        let (probe, time_limit) = options.of_test(&run.case);
        model::Test {
            name,
            package: run.case.binary.package.clone(),
            thresholds: probe.thresholds,
            time_limit,
            is_program: run.case.is_program(),
            is_optimised: run.case.binary.is_optimised,
            identity: identity(&run.case),
            outcome: run.outcome,
            left: run.left.clone(),
            processes: std::mem::take(&mut run.recordings)
                .into_iter()
                .map(|recording| process_from(&recording.unpack(), symbols))
                .map(|mut process| {
                    process
                        .knots
                        .retain(|knot| !knot.is_at_rest || run.outcome == model::Outcome::Hung);
                    process
                })
                .collect(),
        }
    };
    // One binary after the other: the debug info of one is enough to have in memory.
    let mut runs: Vec<&mut TestRun> = runs.iter_mut().collect();
    runs.sort_by_key(|run| run.case.full_name());
    let mut tests = Vec::with_capacity(runs.len());
    for of_binary in runs.chunk_by_mut(|one, next| one.case.binary.id == next.case.binary.id) {
        for run in of_binary {
            // A deadlock is one, whether or not the test passed at its next attempt.
            for (index, attempt) in run.failed_attempts.iter_mut().enumerate() {
                let name = match attempt.seed {
                    Some(_) => shake::name(attempt),
                    None => format!("{} (attempt {})", attempt.case.full_name(), index + 1),
                };
                tests.push(test(attempt, name));
            }
            let name = shake::name(run);
            tests.push(test(run, name));
        }
        symbols.close();
    }
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    model::Run { project: Arc::clone(&build.project), tests }
}

/// What the rules make of it.
pub fn findings(run: &model::Run, options: &TestOptions) -> Vec<Finding> {
    let disabled = RULES
        .iter()
        .map(|rule| rule.name().to_owned())
        .filter(|name| !options.rules.is_enabled(name))
        .collect();
    let config = Config { disabled };
    rules::audit(run, &config)
}
