//! The main job, from the project to the report: build, run, model, audit,
//! report.

use std::fmt::Write as _;

use super::{
    analysis,
    args::{GlobalOptions, TestOptions},
    baseline, build,
    confirm::{Repeat, confirm},
    console::Console,
    execute::{self, Executed},
    exit::{ExpectedError, settle, unless_told, verdict},
    reports::{self, Destinations},
    run_report::report,
    settings::Settings,
    shake,
};
use crate::{
    baseline::Baseline,
    describe::counted,
    instrument::{Build, LockKind},
    model::{Outcome, Symboliser},
    report::Format,
    run::ExecuteOptions,
    suppress::Allowance,
};

/// Audits the project. The report is written whatever the verdict.
pub fn audit(
    settings: &Settings,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let options = &settings.options;
    reports::check_destinations(&options.report.output)?;
    if options.run.doc && !options.build.has_default_targets() {
        let message = "failed to run doctests with `--doc`: as in `cargo test`, it cannot be \
                       combined with the selection of other targets";
        return Err(ExpectedError::Usage(anyhow::Error::msg(message)));
    }
    let known = baseline::read(&options.report)?;
    refuse_typo(options)?;
    let build = build::build(options, global, console)?;
    if options.run.no_run {
        for binary in &build.binaries {
            console.status("Executable", &format!("{} ({})", binary.id, binary.exe));
        }
        return Ok(());
    }
    if options.run.list {
        return list(&build, options, console);
    }
    // A comment that is not understood is told before the tests run, not after.
    let allowances = settings.allowances(&build.project)?;
    let symbols = analysis::symbols(&build);
    let execution = execute::execute_options(options)?;
    let seeds = shake::seeds(&options.run);
    let executed = shake::execute(&build, &symbols, &execution, &seeds, console)?;
    if executed.runs.is_empty()
        && executed.skipped > 0
        && let Some(meant) = &options.select.meant
    {
        console.warning(&meant.told("no test that is built has it in its name"));
    }
    let is_complete = is_complete(&build, &executed, options);
    let audited = Audited {
        settings,
        build: &build,
        symbols: &symbols,
        allowances,
        known,
        runs: seeds.len(),
    };
    let (verdict, is_told) = conclude(audited, &execution, executed, is_complete, console)?;
    let verdict = match (verdict, run_doctests(&build, options, global, console)?) {
        // Failed tests win over findings, of whatever kind they are.
        (Ok(()) | Err(ExpectedError::Findings { .. }), false) => Err(ExpectedError::DoctestsFailed),
        (verdict, _) => verdict,
    };
    unless_told(verdict, is_told)
}

/// What was run, and by what it is judged.
pub struct Audited<'a> {
    /// What is in force.
    pub settings: &'a Settings,
    /// What was built.
    pub build: &'a Build,
    /// Of what was built.
    pub symbols: &'a Symboliser,
    /// What the sources and the settings allow.
    pub allowances: Vec<Allowance>,
    /// The baseline.
    pub known: Option<Baseline>,
    /// How often each test was run on purpose, each time with a seed of its own; 0: once,
    /// without one.
    pub runs: usize,
}

/// From what was run to the written report: the verdict, and whether the report tells it.
/// `is_complete`: what the run does not show is not there.
pub fn conclude(
    audited: Audited<'_>,
    execution: &ExecuteOptions,
    mut executed: Executed,
    is_complete: bool,
    console: &mut Console,
) -> Result<(Result<(), ExpectedError>, bool), ExpectedError> {
    let Audited { settings, build, symbols, allowances, known, runs } = audited;
    let options = &settings.options;
    let run = analysis::model(build, symbols, execution, &mut executed.runs);
    let mut findings = analysis::findings(&run, options);
    if options.run.confirm {
        let repeat = Repeat { build, symbols, options: execution, executed: &executed };
        confirm(&run, &mut findings, repeat, console)?;
    }
    settings.set_levels(&mut findings, &run);
    shake::tell(&mut findings, runs);
    settings.suppress(&mut findings, &allowances, is_complete);
    if let Some(known) = known {
        let is_complete = |rule: &str| is_complete && options.rules.is_enabled(rule);
        baseline::apply(known, &mut findings, &options.report, is_complete, console)?;
    }
    let gone = symbols.missing();
    let mut report = report(build, &executed, &run, options, findings, &gone);
    let verdict = verdict(&report, options.report.output.fail_on, options.report.coverage);
    settle(&mut report, &verdict);
    let sources = |file: &str| reports::source(&build.project.workspace_root.join(file));
    let is_for_programs = options.message_format.iter().any(|format| format.is_json());
    let destinations = Destinations {
        options: &options.report.output,
        default: if is_for_programs { Format::CompilerMessage } else { Format::Human },
        sources: &sources,
    };
    let is_told = reports::write(&report, destinations, console)?;
    Ok((verdict, is_told))
}

/// Whether the run was about everything that the project has, so that what it does not show
/// is not there.
fn is_complete(build: &Build, executed: &Executed, options: &TestOptions) -> bool {
    let is_built = |name: &String| build.binaries.iter().any(|binary| binary.package == *name);
    options.build.has_default_targets()
        && options.rules.only.is_empty()
        && options.rules.locks == [LockKind::All]
        && executed.skipped == 0
        && executed.not_started == 0
        && !executed.interrupted
        && !executed.runs.is_empty()
        && executed.runs.iter().all(|run| run.outcome == Outcome::Passed)
        && build.project.packages.iter().all(|package| is_built(&package.name))
}

/// `cargo concaudit explian` reads as a filter, and nobody wants to wait for a build to
/// be told that it leaves out all tests.
fn refuse_typo(options: &TestOptions) -> Result<(), ExpectedError> {
    let Some(meant) = &options.select.meant else { return Ok(()) };
    if build::is_mentioned(options, &meant.word)? {
        return Ok(());
    }
    let message = meant.told("no source file of the project has the word in it");
    Err(ExpectedError::Usage(anyhow::Error::msg(message)))
}

/// The tests that would run, to standard output.
fn list(build: &Build, options: &TestOptions, console: &mut Console) -> Result<(), ExpectedError> {
    let (names, skipped) = execute::list(build, options)?;
    let mut text = names.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    console
        .report(&text)
        .map_err(|source| ExpectedError::WriteReport { path: "standard output".into(), source })?;
    let mut count = counted(names.len() as u64, "test", "tests");
    if skipped > 0 {
        let _ = write!(count, " ({skipped} skipped)");
    }
    console.status("Listed", &count);
    Ok(())
}

/// With `--doc`: returns whether all passed.
fn run_doctests(
    build: &Build,
    options: &TestOptions,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<bool, ExpectedError> {
    if !options.run.doc {
        return Ok(true);
    }
    if build.with_doctests.is_empty() {
        console.status("Doctests", "there is no library to have any");
        return Ok(true);
    }
    console.status("Doctests", "run by `cargo test --doc`, and not audited");
    build::run_doctests(options, global)
}
