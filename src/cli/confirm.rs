//! `--confirm`: predicted deadlocks, brought about.

use super::{
    analysis,
    console::Console,
    execute::{self, Executed},
    exit::ExpectedError,
    shake,
};
use crate::{
    deadlock::ReportedKnots,
    finding::{Confidence, Details, Finding, Location, Origin, Severity},
    instrument::Build,
    model::{self, OrderEdge, Symboliser, pointed_frame},
    rules::lock_order_cycle::{self, Seen},
    run::ExecuteOptions,
    telemetry::{MAX_PAUSES, ProbeOptions},
};

/// Tests that a cycle is tried in.
const TESTS: usize = 3;
/// How often in each.
const ATTEMPTS: usize = 3;

/// What a run needs to be repeated.
#[derive(Clone, Copy)]
pub struct Repeat<'a> {
    /// The instrumented tests.
    pub build: &'a Build,
    /// Their symbols.
    pub symbols: &'a Symboliser,
    /// How they ran.
    pub options: &'a ExecuteOptions,
    /// What came of it.
    pub executed: &'a Executed,
}

impl std::fmt::Debug for Repeat<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repeat").finish_non_exhaustive()
    }
}

/// Runs tests that have shown a cycle of lock orders once more, pausing each party once it has
/// its first lock until the others have theirs. A cycle that deadlocks is observed from now on;
/// of one that does not nothing more is known than before.
pub fn confirm(
    run: &model::Run,
    findings: &mut [Finding],
    repeat: Repeat<'_>,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let seen = lock_order_cycle::seen(run);
    let cycles = findings.iter_mut().filter(|finding| {
        matches!(finding.details, Details::LockOrderCycle { .. })
            && finding.confidence != Confidence::Observed
    });
    for finding in cycles {
        let of_it = seen.iter().filter(|seen| seen.fingerprint == finding.fingerprint);
        let mut tests: Vec<&Seen<'_>> = Vec::new();
        for seen in of_it {
            if tests.len() < TESTS && tests.iter().all(|known| known.test.name != seen.test.name) {
                tests.push(seen);
            }
        }
        let mut attempts = 0;
        let mut confirmed_in = None;
        let place = finding.locations.first();
        let place = place.map(Location::position).unwrap_or_default();
        'tests: for seen in tests {
            let what = format!("lock-order-cycle at {place} in {}", seen.test.name);
            console.status("Confirming", &what);
            for _ in 0..ATTEMPTS {
                attempts += 1;
                if deadlocks(seen, repeat, console)? {
                    console.status("Confirmed", &format!("{what}: it deadlocked"));
                    confirmed_in = Some(seen.test.name.clone());
                    break 'tests;
                }
            }
        }
        tell(finding, confirmed_in, attempts);
    }
    Ok(())
}

/// Whether the cycle deadlocks in another run of the test.
fn deadlocks(
    seen: &Seen<'_>,
    repeat: Repeat<'_>,
    console: &mut Console,
) -> Result<bool, ExpectedError> {
    let Some(pause) = pauses(&seen.edges) else { return Ok(false) };
    let case = repeat.executed.runs.iter().map(|run| &run.case);
    let name = shake::without_seed(&seen.test.name);
    let Some(case) = case.into_iter().find(|case| case.full_name() == name) else {
        return Ok(false);
    };
    let options = ExecuteOptions {
        ends_deadlocked: true,
        retries: 0,
        probe: ProbeOptions { pause, ..repeat.options.probe },
        ..repeat.options.clone()
    };
    let Repeat { build, symbols, .. } = repeat;
    let mut again = execute::rerun(build, symbols, case.clone(), options.clone(), console)?;
    let again = analysis::model(build, symbols, &options, &mut again.runs);
    let deadlocked = ReportedKnots::of(&again, |_| true);
    Ok(deadlocked.has(seen.edges.iter().copied()))
}

/// The calls that took the first lock of each order; `None` where one is not known.
fn pauses(edges: &[&OrderEdge]) -> Option<[u64; MAX_PAUSES]> {
    let mut pause = [0; MAX_PAUSES];
    if edges.len() > pause.len() {
        return None;
    }
    for (pause, edge) in pause.iter_mut().zip(edges) {
        *pause = pointed_frame(&edge.from.stack).map(|frame| frame.address)?;
    }
    pause[..edges.len()].iter().all(|call| *call != 0).then_some(pause)
}

fn tell(finding: &mut Finding, test: Option<String>, attempts: usize) {
    let Some(test) = test else {
        finding.notes.push(if attempts == 0 {
            "`--confirm` could not try it: the run has not shown both orders in one process, or \
             not the calls that took the locks"
                .to_owned()
        } else {
            format!(
                "`--confirm` did not bring it about in {attempts} attempts, which is no proof that \
                 it cannot happen"
            )
        });
        return;
    };
    finding.confidence = Confidence::Observed;
    if finding.origin != Origin::Dependency {
        finding.severity = Severity::Error;
    }
    finding.notes.retain(|note| !note.starts_with("only possible"));
    finding.notes.push(format!(
        "confirmed: `{test}` deadlocked when each party was paused with its first lock until the \
         others had theirs; nothing but the timing was changed"
    ));
    if let Some(worst) = finding.variants.first_mut() {
        worst.severity = finding.severity;
    }
    if let Details::LockOrderCycle { confirmed_in, .. } = &mut finding.details {
        *confirmed_in = Some(test);
    }
}
