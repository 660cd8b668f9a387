//! `run`: the audit of a program instead of tests.

use std::{cell::RefCell, ffi::OsString, sync::Arc, time::Duration};

use anyhow::Context as _;
use camino::Utf8PathBuf;
use clap::Args;

use super::{
    analysis,
    args::{GlobalOptions, ReportOptions, RuleOptions, TestOptions, positive_duration},
    audit::{Audited, conclude},
    baseline, build,
    console::Console,
    execute::{Executed, execute_options, runtime},
    exit::{ExpectedError, unless_told},
    reports,
    settings::Settings,
};
use crate::{
    describe,
    instrument::{BuildArgs, ProgramChoice, jobs},
    run::{BlockedSignals, Guard, ProgramEvent, ProgramOptions, TestCase, run_program},
    telemetry::{Reach, Registry},
};

/// How long a program gets to end after `--for`.
const GRACE: Duration = Duration::from_secs(10);

/// Of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunProgramOptions {
    /// Package with the program to run
    #[arg(short, long = "package", value_name = "SPEC", help_heading = "Package selection")]
    pub packages: Vec<String>,
    /// Name of the binary to run
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "example",
        help_heading = "Target selection"
    )]
    pub bin: Option<String>,
    /// Name of the example to run
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub example: Option<String>,
    /// Send the program SIGINT after this time, as Ctrl-C would, and report; SIGKILL, if it has
    /// not ended 10 s later
    #[arg(long = "for", value_name = "TIME", value_parser = positive_duration, help_heading = "Run options")]
    pub limit: Option<Duration>,
    /// Arguments for the program
    #[arg(value_name = "ARGS", trailing_var_arg = true)]
    pub args: Vec<OsString>,

    /// Space or comma separated list of features to activate
    #[arg(short = 'F', long, value_name = "FEATURES", help_heading = "Feature selection")]
    pub features: Vec<String>,
    /// Activate all available features
    #[arg(long, help_heading = "Feature selection")]
    pub all_features: bool,
    /// Do not activate the `default` feature
    #[arg(long, help_heading = "Feature selection")]
    pub no_default_features: bool,

    /// Number of parallel jobs of the build, defaults to # of CPUs
    #[arg(
        short,
        long,
        value_name = "N",
        allow_hyphen_values = true,
        value_parser = jobs,
        help_heading = "Compilation options"
    )]
    pub jobs: Option<String>,
    /// Build artifacts in release mode, with optimizations
    #[arg(short, long, help_heading = "Compilation options")]
    pub release: bool,
    /// Build artifacts with the specified profile
    #[arg(long, value_name = "PROFILE-NAME", help_heading = "Compilation options")]
    pub profile: Option<String>,
    /// Build for the target triple
    #[arg(long, value_name = "TRIPLE", help_heading = "Compilation options")]
    pub target: Option<String>,
    /// Directory for all generated artifacts
    #[arg(long, value_name = "DIRECTORY", help_heading = "Compilation options")]
    pub target_dir: Option<Utf8PathBuf>,

    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Manifest options")]
    pub manifest_path: Option<Utf8PathBuf>,
    /// Ignore `rust-version` specification in packages
    #[arg(long, help_heading = "Manifest options")]
    pub ignore_rust_version: bool,
    /// Assert that `Cargo.lock` will remain unchanged
    #[arg(long, help_heading = "Manifest options")]
    pub locked: bool,
    /// Run without accessing the network
    #[arg(long, help_heading = "Manifest options")]
    pub offline: bool,
    /// Equivalent to specifying both --locked and --offline
    #[arg(long, help_heading = "Manifest options")]
    pub frozen: bool,
    /// Override a configuration value
    #[arg(long, value_name = "KEY=VALUE|PATH", help_heading = "Manifest options")]
    pub config: Vec<String>,

    #[command(flatten)]
    pub rules: RuleOptions,
    #[command(flatten)]
    pub report: ReportOptions,
    /// The same as options of a run of tests, which is what settings are applied to.
    #[arg(skip)]
    pub test: Option<Box<TestOptions>>,
}

impl RunProgramOptions {
    /// As far as they are those of a run of tests; the rest is as in `defaults`.
    pub fn test_options(&self, defaults: TestOptions) -> TestOptions {
        let mut options = defaults;
        options.build = BuildArgs {
            packages: self.packages.clone(),
            features: self.features.clone(),
            all_features: self.all_features,
            no_default_features: self.no_default_features,
            jobs: self.jobs.clone(),
            release: self.release,
            profile: self.profile.clone(),
            target: self.target.clone(),
            target_dir: self.target_dir.clone(),
            manifest_path: self.manifest_path.clone(),
            ignore_rust_version: self.ignore_rust_version,
            locked: self.locked,
            offline: self.offline,
            frozen: self.frozen,
            config: self.config.clone(),
            ..BuildArgs::default()
        };
        options.rules = self.rules.clone();
        options.report = self.report.clone();
        options
    }

    fn choice(&self) -> ProgramChoice {
        ProgramChoice { bin: self.bin.clone(), example: self.example.clone() }
    }
}

/// Builds the program, runs it to its end, and reports.
pub fn run_and_audit(
    program: &RunProgramOptions,
    settings: &Settings,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let options = &settings.options;
    reports::check_destinations(&options.report.output)?;
    let known = baseline::read(&options.report)?;
    let build = build::build_program(options, program.choice(), global, console)?;
    let allowances = settings.allowances(&build.project)?;
    let symbols = analysis::symbols(&build);
    let Some(binary) = build.binaries.first() else {
        let message = "failed to find the program among what cargo has built";
        return Err(ExpectedError::Tool(anyhow::Error::msg(message)));
    };
    console.status("Running", &format!("{} {}", binary.exe, words(&program.args)));

    let execution = execute_options(options)?;
    let case = TestCase { binary: Arc::clone(binary), path: None, ignored: false };
    let run = ProgramOptions {
        limit: program.limit,
        grace: GRACE,
        arguments: program.args.clone(),
        probe: execution.of_test(&case).0,
    };
    let (run, garbled_announcements) = {
        let blocked =
            BlockedSignals::block().context("failed to hold back the signals of the program")?;
        let runtime = runtime()?;
        let console = RefCell::new(&mut *console);
        let mut on_event = |event: ProgramEvent| tell(event, program, &mut console.borrow_mut());
        let ran = runtime.block_on(async {
            let registry = Arc::new(Registry::bind(Reach::Auditor).map_err(anyhow::Error::from)?);
            let (name, value) = registry.mark();
            let _guard = Guard::start((name, &value), registry.folder());
            let run = run_program(binary, &registry, &run, &blocked, &mut on_event).await;
            let run = run.context("failed to supervise the program")?;
            Ok::<_, anyhow::Error>((run, registry.bad_lines()))
        })?;
        // No thread of its is left that could hear a signal.
        drop(runtime);
        ran
    };
    if !run.output.is_empty() {
        console.warning(String::from_utf8_lossy(&run.output).trim_end());
    }
    let executed = Executed {
        elapsed: run.duration,
        runs: vec![run],
        skipped: 0,
        not_started: 0,
        interrupted: false,
        garbled_announcements,
    };
    let (verdict, is_told) = conclude(
        Audited { settings, build: &build, symbols: &symbols, allowances, known, runs: 0 },
        &execution,
        executed,
        false,
        console,
    )?;
    unless_told(verdict, is_told)
}

fn tell(event: ProgramEvent, program: &RunProgramOptions, console: &mut Console) {
    match event {
        ProgramEvent::TimeIsOver => {
            let limit = describe::duration(
                u64::try_from(program.limit.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
            );
            console.status("Stopping", &format!("the program after {limit} (SIGINT)"));
        }
        ProgramEvent::Deadlocked => console.warning(
            "a deadlock was found; the program is left to run, and the report has it when it ends \
             (Ctrl-C ends it)",
        ),
        ProgramEvent::Killed => {
            let grace = GRACE.as_secs();
            console.warning(&format!(
                "the program did not end within {grace} s of SIGINT, and was killed"
            ));
        }
    }
}

fn words(words: &[OsString]) -> String {
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
