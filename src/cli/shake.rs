//! `--shake` and `--replay`: the tests run again and again, with small random delays.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
    time::SystemTime,
};

use super::{
    args::RunOptions,
    console::Console,
    execute::{self, Executed},
    exit::ExpectedError,
};
use crate::{
    finding::Finding,
    instrument::Build,
    model::{Outcome, Symboliser},
    run::{ExecuteOptions, TestRun},
    telemetry::ProbeOptions,
};

/// The seeds of the runs that were asked for; none where the tests run once, undisturbed.
pub fn seeds(options: &RunOptions) -> Vec<NonZeroU64> {
    if let Some(seed) = options.replay {
        return vec![seed];
    }
    let Some(count) = options.shake else { return Vec::new() };
    let first = options.seed.map_or_else(random, NonZeroU64::get);
    (0..u64::from(count.get())).filter_map(|run| NonZeroU64::new(first.wrapping_add(run))).collect()
}

/// Short enough to be typed.
fn random() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) % 1_000_000 + 1
}

/// Runs the tests once with each seed. Of each test the worst outcome counts; all of its runs
/// are audited.
pub fn execute(
    build: &Build,
    symbols: &Symboliser,
    options: &ExecuteOptions,
    seeds: &[NonZeroU64],
    console: &mut Console,
) -> Result<Executed, ExpectedError> {
    let mut all: Option<Executed> = None;
    for (number, seed) in seeds.iter().enumerate() {
        console.status("Shaking", &format!("run {} of {}, seed {seed}", number + 1, seeds.len()));
        let options = ExecuteOptions {
            probe: ProbeOptions { shake: Some(*seed), ..options.probe },
            ..options.clone()
        };
        let executed = execute::execute(build, symbols, options, console)?;
        let is_over = executed.interrupted;
        all = Some(match all {
            None => executed,
            Some(before) => both(before, executed),
        });
        if is_over {
            break;
        }
    }
    match all {
        Some(all) => Ok(all),
        None => execute::execute(build, symbols, options.clone(), console),
    }
}

fn both(mut before: Executed, now: Executed) -> Executed {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (index, run) in before.runs.iter().enumerate() {
        known.insert(run.case.full_name(), index);
    }
    for run in now.runs {
        match known.get(&run.case.full_name()) {
            Some(&index) => add(&mut before.runs[index], run),
            None => before.runs.push(run),
        }
    }
    before.not_started = before.not_started.max(now.not_started);
    before.interrupted |= now.interrupted;
    before.garbled_announcements += now.garbled_announcements;
    before.elapsed += now.elapsed;
    before
}

/// The worse of two runs of a test stands for it, and the other one is an attempt.
fn add(known: &mut TestRun, other: TestRun) {
    let is_worse = known.outcome == Outcome::Passed && other.outcome != Outcome::Passed;
    let mut milder = if is_worse { std::mem::replace(known, other) } else { other };
    known.failed_attempts.append(&mut milder.failed_attempts);
    known.failed_attempts.push(milder);
}

/// The name of a run of a test, as the model has it: the test's, and the seed where it has one.
pub fn name(run: &TestRun) -> String {
    let name = run.case.full_name();
    match run.seed {
        Some(seed) => with_seed(&name, seed),
        None => name,
    }
}

fn with_seed(name: &str, seed: NonZeroU64) -> String {
    format!("{name} (seed {seed})")
}

/// The name of the test.
pub fn without_seed(name: &str) -> &str {
    parted(name).0
}

/// The test of a run, and its seed.
fn parted(name: &str) -> (&str, Option<u64>) {
    let parts = name.strip_suffix(')').and_then(|name| name.rsplit_once(" (seed "));
    match parts.and_then(|(test, seed)| Some((test, seed.parse().ok()?))) {
        Some((test, seed)) => (test, Some(seed)),
        None => (name, None),
    }
}

/// Says of each finding in how many of the runs it came, and gives the tests their names back.
pub fn tell(findings: &mut [Finding], runs: usize) {
    let unite = |tests: &mut Vec<String>| {
        let names: BTreeSet<String> = tests.iter().map(|name| parted(name).0.to_owned()).collect();
        *tests = names.into_iter().collect();
    };
    for finding in findings {
        let seeds: BTreeSet<u64> = finding.tests.iter().filter_map(|name| parted(name).1).collect();
        unite(&mut finding.tests);
        for variant in &mut finding.variants {
            unite(&mut variant.tests);
        }
        let Some(seed) = seeds.first() else { continue };
        let replay = if runs > 1 {
            format!("; `--replay {seed}` repeats one of these")
        } else {
            String::new()
        };
        finding.notes.push(format!("came in {} of {runs} runs with delays{replay}", seeds.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_a_test_is_told_from_the_test() {
        let seed = NonZeroU64::new(7).expect("it is none");
        let name = with_seed("shop tests::it (seed)", seed);
        assert_eq!(parted(&name), ("shop tests::it (seed)", Some(7)));
        assert_eq!(parted("shop tests::it (attempt 1)"), ("shop tests::it (attempt 1)", None));
    }
}
