//! The command line as the user types it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    str::FromStr,
    time::Duration,
};

use camino::Utf8PathBuf;
use clap::{
    ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    builder::{Styles, styling::AnsiColor},
    error::ErrorKind,
    parser::ValueSource,
};
use clap_complete::Shell;

use super::{
    run::RunProgramOptions,
    words::{self, RuleParser},
};
use crate::{
    config::{DEFAULT_TIME_LIMIT, Level, Overrides, Thresholds},
    finding::Severity,
    instrument::{BuildArgs, LockKind, MessageFormat, jobs},
    report::Format,
    run::Partition,
};

/// Cargo's own colours.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::BrightGreen.on_default().bold())
    .usage(AnsiColor::BrightGreen.on_default().bold())
    .literal(AnsiColor::BrightCyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::BrightRed.on_default().bold())
    .valid(AnsiColor::BrightCyan.on_default().bold())
    .invalid(AnsiColor::BrightYellow.on_default());

const AFTER_HELP: &str = "\
Exit codes:
  0    clean: nothing found at or above --fail-on, and something was audited
  1    findings at or above --fail-on
  2    usage or configuration error
  4    nothing was audited, or a passed test was not (see --allow-unaudited, --require-coverage)
  100  tests failed or the run was interrupted (findings, if any, are in the report)
  101  the build or the tool failed";

/// Audits the concurrency of a Rust project by running its tests: reports
/// lingering tasks, long-held locks and lock-order cycles with the source lines
/// to blame.
#[derive(Debug, Parser)]
#[command(
    name = "cargo-concaudit",
    bin_name = "cargo concaudit",
    version,
    styles = STYLES,
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(flatten)]
    test: TestOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What is to be done, and how the console behaves meanwhile.
#[derive(Debug)]
pub struct Invocation {
    /// How the console behaves.
    pub global: GlobalOptions,
    /// What is to be done.
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Builds and runs the project's tests, and reports (the default)
    Test(Box<TestOptions>),
    /// Builds and runs a program, and reports when it ends
    Run(Box<RunProgramOptions>),
    /// Builds the probe for this toolchain ahead of its first use
    Setup(SetupOptions),
    /// Removes the project's instrumented build, or the cached probes
    Clean(CleanOptions),
    /// Prints the settings in force and where each is from, and runs nothing
    Config(Box<TestOptions>),
    /// Writes a JSON report again, in other formats
    Report(ReportFileOptions),
    /// Compares two JSON reports: what is new, fixed, unchanged, and what moved beyond noise
    Diff(DiffOptions),
    /// Joins the JSON reports of shards to one
    Merge(MergeOptions),
    /// Lists the rules with their severity and thresholds
    Rules,
    /// Tells what a rule finds, why it matters and what to do
    Explain(ExplainOptions),
    /// Prints the JSON schema of the JSON report, or of `concaudit.toml`
    Schema(SchemaOptions),
    /// Prints a completion script for a shell
    Completions(CompletionsOptions),
    /// Prints a manual page, for `man -l -`
    Man(ManOptions),
}

/// Understood before and after every subcommand.
#[derive(Debug, Clone, Default, Args)]
pub struct GlobalOptions {
    /// When to use colours [default: as `CARGO_TERM_COLOR`, `NO_COLOR`, `CLICOLOR_FORCE` and
    /// `CLICOLOR` say, then whether it is a terminal]
    #[arg(long, value_name = "WHEN", global = true, help_heading = "Display options")]
    pub color: Option<ColorChoice>,
    /// Show notes, whole stacks and every test
    #[arg(
        short,
        long,
        global = true,
        action = clap::ArgAction::Count,
        conflicts_with = "quiet",
        help_heading = "Display options"
    )]
    pub verbose: u8,
    /// Show failing tests and the report only
    #[arg(short, long, global = true, help_heading = "Display options")]
    pub quiet: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// Where a terminal shows them
    Auto,
    /// In files, too
    Always,
    /// Plain text
    Never,
}

/// Of the main job.
#[derive(Debug, Clone, Args)]
pub struct TestOptions {
    #[command(flatten)]
    pub build: BuildArgs,
    /// How cargo tells of the build: human (the default), short, or one of cargo's JSON formats,
    /// which go to standard output before the report
    #[arg(
        long,
        value_name = "FMT",
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = "Display options"
    )]
    pub message_format: Vec<MessageFormat>,
    #[command(flatten)]
    pub select: SelectOptions,
    #[command(flatten)]
    pub run: RunOptions,
    #[command(flatten)]
    pub rules: RuleOptions,
    #[command(flatten)]
    pub report: ReportOptions,
    /// Where thresholds come from that are not the default, by the name of the argument.
    #[arg(skip)]
    pub sources: BTreeMap<String, ValueSource>,
    /// What the settings have otherwise for some tests.
    #[arg(skip)]
    pub overrides: Overrides,
}

/// Which tests run, in libtest's words.
#[derive(Debug, Clone, Default, Args)]
pub struct SelectOptions {
    /// Run only tests whose name contains one of these
    #[arg(value_name = "FILTERS")]
    pub filters: Vec<String>,
    /// Leave out tests whose name contains this
    #[arg(long, value_name = "FILTER", help_heading = "Test selection")]
    pub skip: Vec<String>,
    /// Filters are whole names
    #[arg(long, help_heading = "Test selection")]
    pub exact: bool,
    /// Run only ignored tests
    #[arg(long, conflicts_with = "include_ignored", help_heading = "Test selection")]
    pub ignored: bool,
    /// Run ignored tests as well
    #[arg(long, help_heading = "Test selection")]
    pub include_ignored: bool,
    /// Run only this part of the tests that are left then: hash:1/4, count:1/4 (in turn, within
    /// each binary) or slice:1/4 (in turn, over all of them), as with cargo-nextest
    #[arg(long, value_name = "KIND:M/N", help_heading = "Test selection")]
    pub partition: Option<Partition>,
    /// Arguments for the test binaries
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    /// The subcommand that the first filter may have been meant as.
    #[arg(skip)]
    pub meant: Option<words::Meant>,
}

/// How tests run.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// Build the tests, and do not run them
    #[arg(long, conflicts_with_all = ["list", "doc"], help_heading = "Run options")]
    pub no_run: bool,
    /// Print the tests that would be run, a line each, and do not run them
    #[arg(long, conflicts_with = "doc", help_heading = "Run options")]
    pub list: bool,
    /// Run the doctests after the audit, too: by `cargo test --doc`, and not audited
    #[arg(long, help_heading = "Run options")]
    pub doc: bool,
    /// Start no further test once one has failed
    #[arg(long, overrides_with = "no_fail_fast", help_heading = "Run options")]
    pub fail_fast: bool,
    /// Run all tests, whatever fails (the default)
    // What cargo test says to write instead of `--keep-going`.
    #[arg(long, alias = "keep-going", overrides_with = "fail_fast", help_heading = "Run options")]
    pub no_fail_fast: bool,
    /// Run a test that failed up to so many times more; what its failed attempts show is
    /// reported all the same
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Run options")]
    pub retries: u32,
    /// Tests that run at once [default: number of cores]
    #[arg(long, value_name = "N", help_heading = "Run options")]
    pub test_threads: Option<NonZeroUsize>,
    /// End a test that does not get on any more after this time; 0s for never
    #[arg(
        long,
        env = "CONCAUDIT_TIME_LIMIT",
        hide_env = true,
        value_name = "TIME",
        default_value = humantime::format_duration(DEFAULT_TIME_LIMIT).to_string(),
        value_parser = humantime::parse_duration,
        help_heading = "Run options"
    )]
    pub time_limit: Duration,
    /// What to do with a test as soon as a deadlock is found in it, or it stands still: kill it,
    /// or wait until it ends or is over its time limit
    #[arg(
        long,
        value_name = "kill|wait",
        value_enum,
        default_value_t = OnDeadlock::Kill,
        hide_possible_values = true,
        help_heading = "Run options"
    )]
    pub on_deadlock: OnDeadlock,
    /// Mention a test that takes longer. SIGQUIT (Ctrl-\), or `d` and Enter, shows what the
    /// tests that run wait for
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10s",
        value_parser = positive_duration,
        help_heading = "Run options"
    )]
    pub slow_after: Duration,
    /// Let the tests' output through as it comes, one test at a time
    #[arg(long, alias = "nocapture", help_heading = "Run options")]
    pub no_capture: bool,
    /// Run the tests so many times, each time with other small random delays before locks, polls
    /// and threads; each finding says in how many of the runs it came
    #[arg(long, value_name = "N", conflicts_with = "replay", help_heading = "Run options")]
    pub shake: Option<NonZeroU32>,
    /// The seed of the first of these runs; those of the others follow [default: a random one]
    #[arg(long, value_name = "SEED", requires = "shake", help_heading = "Run options")]
    pub seed: Option<NonZeroU64>,
    /// Run the tests once with the delays of this seed
    #[arg(long, value_name = "SEED", help_heading = "Run options")]
    pub replay: Option<NonZeroU64>,
    /// Run tests that show a `lock-order-cycle` again, pausing each party once it has its first
    /// lock until the others have theirs: what deadlocks is observed
    #[arg(long, help_heading = "Run options")]
    pub confirm: bool,
    /// Print the address of each test process for tokio-console, lift the time limit, let
    /// deadlocked tests wait, and keep
    /// a process that is done for as long as a console is attached (or a minute, if none is)
    #[arg(long, help_heading = "Run options")]
    pub console: bool,
}

/// What becomes of a test that can never go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnDeadlock {
    /// It is ended at once.
    Kill,
    /// It is left to its time limit.
    Wait,
}

/// Which rules are asked, and their thresholds.
#[derive(Debug, Clone, Args)]
pub struct RuleOptions {
    /// Kinds of locks to audit, separated by commas: tokio (its tasks, too), std (its threads,
    /// too), `parking_lot`, all
    #[arg(
        long,
        value_name = "KINDS",
        value_delimiter = ',',
        default_value = "all",
        hide_possible_values = true,
        help_heading = "Rules"
    )]
    pub locks: Vec<LockKind>,
    /// Ask only this rule (may be repeated)
    #[arg(
        long = "rule",
        value_name = "RULE",
        value_parser = RuleParser,
        hide_possible_values = true,
        help_heading = "Rules"
    )]
    pub only: Vec<String>,
    /// Do not ask this rule (may be repeated; the last word on a rule counts, as with rustc)
    #[arg(
        long,
        value_name = "RULE",
        value_parser = RuleParser,
        hide_possible_values = true,
        help_heading = "Rules"
    )]
    pub allow: Vec<String>,
    /// Make findings of this rule warnings; notes stay notes (may be repeated)
    #[arg(
        long,
        value_name = "RULE",
        value_parser = RuleParser,
        hide_possible_values = true,
        help_heading = "Rules"
    )]
    pub warn: Vec<String>,
    /// Make findings of this rule errors; notes stay notes (may be repeated)
    #[arg(
        long,
        value_name = "RULE",
        value_parser = RuleParser,
        hide_possible_values = true,
        help_heading = "Rules"
    )]
    pub deny: Vec<String>,
    /// Show findings that a comment or an `[[allow]]` suppresses, and count them
    #[arg(long, help_heading = "Rules")]
    pub no_suppress: bool,
    /// What `--allow`, `--warn` and `--deny` come to, by rule.
    #[arg(skip)]
    pub levels: BTreeMap<String, Level>,
    /// Count a dependency's code as the project's own (may be repeated)
    #[arg(long, value_name = "PKG", help_heading = "Rules")]
    pub first_party: Vec<String>,
    #[command(flatten)]
    pub thresholds: Thresholds,
}

impl RuleOptions {
    /// Whether the rule is to be asked.
    pub fn is_enabled(&self, rule: &str) -> bool {
        let named = |rules: &[String]| rules.iter().any(|name| name == rule);
        (self.only.is_empty() || named(&self.only)) && self.levels.get(rule) != Some(&Level::Allow)
    }
}

/// What becomes of the report of a run.
#[derive(Debug, Clone, Args)]
pub struct ReportOptions {
    #[command(flatten)]
    pub output: OutputOptions,
    /// A file of known findings, which do not fail the run; new ones do
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub baseline: Option<Utf8PathBuf>,
    /// Write the baseline: add findings at or above --fail-on, remove those that are mended
    #[arg(long, requires = "baseline", help_heading = "Report")]
    pub update_baseline: bool,
    #[command(flatten)]
    pub coverage: CoverageOptions,
}

/// What must have been audited.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct CoverageOptions {
    /// Accept passed tests of which no process was audited (else exit code 4)
    #[arg(long, conflicts_with = "require_coverage", help_heading = "Report")]
    pub allow_unaudited: bool,
    /// Exit code 4 unless everything was audited: every test to its end, every lock and crate
    /// that can be
    #[arg(long, help_heading = "Report")]
    pub require_coverage: bool,
}

/// Where a report goes, as what, and what in it fails.
#[derive(Debug, Clone, Args)]
pub struct OutputOptions {
    /// The least severity that makes the exit code 1
    #[arg(long, value_name = "SEVERITY", default_value = "warning", help_heading = "Report")]
    pub fail_on: FailOn,
    /// The format of the report [default: human, or with JSON of `--message-format`
    /// compiler-message]
    #[arg(long, value_name = "FORMAT", help_heading = "Report")]
    pub format: Option<Format>,
    /// Write the report to a file instead of standard output, which is `-`
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub output: Option<Utf8PathBuf>,
    /// Write a further report (may be repeated): json=audit.json
    #[arg(long = "report", value_name = "FORMAT=FILE", help_heading = "Report")]
    pub further: Vec<FurtherReport>,
}

/// The least severity that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding counts
    Note,
    /// Warnings and errors count
    Warning,
    /// Errors alone count
    Error,
    /// No finding counts; failed tests and an audit of nothing still do
    Never,
}

impl FailOn {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Never => "never",
        }
    }

    /// Whether a finding of this severity makes the audit fail.
    pub fn includes(self, severity: Severity) -> bool {
        match self {
            Self::Note => true,
            Self::Warning => severity >= Severity::Warning,
            Self::Error => severity >= Severity::Error,
            Self::Never => false,
        }
    }
}

/// `--report FORMAT=FILE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FurtherReport {
    /// What it is rendered as.
    pub format: Format,
    /// Where it goes.
    pub file: Utf8PathBuf,
}

impl FromStr for FurtherReport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || {
            let names: Vec<_> = Format::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value)
                .map(|value| value.get_name().to_owned())
                .collect();
            names.join(", ")
        };
        let (format, file) = text
            .split_once('=')
            .ok_or_else(|| format!("expected FORMAT=FILE, with one of the formats {}", known()))?;
        let format = Format::from_str(format, false)
            .map_err(|_| format!("unknown format `{format}`; there are {}", known()))?;
        if file.is_empty() {
            return Err("the name of the file is missing after `=`".to_owned());
        }
        Ok(Self { format, file: file.into() })
    }
}

/// Of `report`.
#[derive(Debug, Clone, Args)]
pub struct ReportFileOptions {
    /// A report that `--format json` or `--report json=FILE` has written; `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: Utf8PathBuf,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Of `diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffOptions {
    /// The JSON report from before; `-` for standard input
    #[arg(value_name = "OLD")]
    pub old: Utf8PathBuf,
    /// The JSON report from now
    #[arg(value_name = "NEW")]
    pub new: Utf8PathBuf,
    /// The format of what is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: DiffFormat,
    /// Exit code 1 where an error or a warning is new, or worse than it was
    #[arg(long, value_name = "WHAT")]
    pub fail_on: Option<FailOnNews>,
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For a terminal
    Human,
    /// For machines
    Json,
    /// For a comment
    Markdown,
}

/// What of a comparison fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOnNews {
    /// Errors and warnings that are new or worse
    New,
}

/// Of `merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeOptions {
    /// The JSON reports of the shards
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<Utf8PathBuf>,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub coverage: CoverageOptions,
}

/// Of `setup`.
#[derive(Debug, Clone, Args)]
pub struct SetupOptions {
    /// Build for the target triple
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
    /// Run without accessing the network
    #[arg(long)]
    pub offline: bool,
    /// Number of parallel jobs of the build
    #[arg(short, long, value_name = "N", allow_hyphen_values = true, value_parser = jobs)]
    pub jobs: Option<String>,
}

/// Of `clean`.
#[derive(Debug, Clone, Args)]
pub struct CleanOptions {
    /// Remove the cached probes, which serve all projects, instead of the project's build
    #[arg(long)]
    pub probe: bool,
    /// Remove both
    #[arg(long, conflicts_with = "probe")]
    pub all: bool,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub manifest_path: Option<Utf8PathBuf>,
    /// Directory for all generated artifacts
    #[arg(long, value_name = "DIRECTORY")]
    pub target_dir: Option<Utf8PathBuf>,
}

/// Of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainOptions {
    /// The rule's name, as a report has it in brackets; all rules are listed without it
    #[arg(value_name = "RULE", value_parser = RuleParser)]
    pub rule: Option<String>,
}

/// Of `schema`.
#[derive(Debug, Clone, Copy, Args)]
pub struct SchemaOptions {
    /// Of what
    #[arg(value_name = "WHAT", default_value = "report")]
    pub of: SchemaOf,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// The JSON report
    Report,
    /// `concaudit.toml`
    Settings,
}

/// Of `man`.
#[derive(Debug, Clone, Args)]
pub struct ManOptions {
    /// The subcommand; without it, the page is that of the tool
    #[arg(value_name = "SUBCOMMAND")]
    pub subcommand: Option<String>,
}

/// Of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsOptions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Reads a time that is not 0.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("must be longer than nothing".to_owned()) } else { Ok(duration) }
}

impl SelectOptions {
    /// What stands after `--`, with our own flags of the same meaning in front
    /// of it: as libtest would be called.
    pub fn libtest_arguments(&self) -> Vec<String> {
        let flags = [
            (self.exact, "--exact"),
            (self.ignored, "--ignored"),
            (self.include_ignored, "--include-ignored"),
        ];
        self.skip
            .iter()
            .flat_map(|filter| ["--skip".to_owned(), filter.clone()])
            .chain(flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag.to_owned()))
            .chain(self.args.iter().cloned())
            .collect()
    }
}

/// Reads the command line, program name first. Called as a cargo subcommand,
/// the second word is `concaudit`; called by hand, it is missing.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let mut argv: Vec<OsString> = argv.into_iter().collect();
    if argv.get(1).is_some_and(|word| word == "concaudit") {
        argv.remove(1);
    }
    let matches = Cli::command().try_get_matches_from(argv)?;
    let Cli { global, mut test, command } = Cli::from_arg_matches(&matches)?;
    let command = if let Some(mut command) = command {
        if let (Command::Test(test) | Command::Config(test), Some((_, matches))) =
            (&mut command, matches.subcommand())
        {
            note_origins(test, matches);
        }
        if let (Command::Run(run), Some((_, matches))) = (&mut command, matches.subcommand()) {
            let mut options = run.test_options(defaults()?);
            note_origins(&mut options, matches);
            run.test = Some(Box::new(options));
        }
        command
    } else {
        note_origins(&mut test, &matches);
        refuse_late_subcommand(&test)?;
        test.select.meant = test.select.filters.first().and_then(|word| words::meant(word));
        Command::Test(Box::new(test))
    };
    Ok(Invocation { global, command })
}

/// The options of a run of tests where nobody says anything.
fn defaults() -> Result<TestOptions, clap::Error> {
    let matches = Cli::command().try_get_matches_from(["cargo-concaudit"])?;
    Ok(TestOptions {
        run: RunOptions { time_limit: Duration::ZERO, ..Cli::from_arg_matches(&matches)?.test.run },
        ..Cli::from_arg_matches(&matches)?.test
    })
}

/// What clap knows and the parsed options do not: who set a threshold, and in which order
/// rules were given their levels.
fn note_origins(test: &mut TestOptions, matches: &ArgMatches) {
    for id in matches.ids() {
        let Some(source) = matches.value_source(id.as_str()) else { continue };
        if source != ValueSource::DefaultValue {
            test.sources.insert(id.as_str().to_owned(), source);
        }
    }
    let rules = &test.rules;
    let of = |id: &str, names: &[String], level: Level| {
        let indices = matches.indices_of(id).into_iter().flatten();
        indices.zip(names.to_vec()).map(move |(at, name)| (at, name, level)).collect::<Vec<_>>()
    };
    let mut levels = [
        of("allow", &rules.allow, Level::Allow),
        of("warn", &rules.warn, Level::Warn),
        of("deny", &rules.deny, Level::Deny),
    ]
    .concat();
    levels.sort_by_key(|(at, ..)| *at);
    test.rules.levels = levels.into_iter().map(|(_, name, level)| (name, level)).collect();
}

/// `cargo concaudit --lib clean` reads as a filter; it was hardly meant as one.
fn refuse_late_subcommand(test: &TestOptions) -> Result<(), clap::Error> {
    let mut command = Cli::command();
    let Some(word) =
        test.select.filters.first().filter(|word| command.find_subcommand(word).is_some())
    else {
        return Ok(());
    };
    let message = format!(
        "the subcommand `{word}` must stand before all options; to filter tests by that word, \
         write `cargo concaudit test ... {word}`"
    );
    Err(command.error(ErrorKind::ArgumentConflict, message))
}

/// The command line as data, for completions.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULE_NAMES;

    fn parsed(line: &str) -> Result<Invocation, clap::Error> {
        parse(line.split(' ').map(OsString::from))
    }

    fn test_options(line: &str) -> TestOptions {
        match parsed(line).unwrap_or_else(|error| panic!("{line}: {error}")).command {
            Command::Test(options) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_tests_are_run_however_the_tool_is_called() {
        for line in [
            "cargo-concaudit",
            "cargo-concaudit concaudit",
            "cargo-concaudit test",
            "cargo-concaudit concaudit test",
        ] {
            let options = test_options(&format!("{line} -p shop --lib orders -- --nocapture x"));
            assert_eq!(options.build.packages, ["shop"], "{line}");
            assert!(options.build.lib, "{line}");
            assert_eq!(options.select.filters, ["orders"], "{line}");
            assert_eq!(options.select.args, ["--nocapture", "x"], "{line}");
        }
    }

    #[test]
    fn the_documented_defaults_hold() {
        let TestOptions { run, rules, report, .. } = test_options("cargo-concaudit concaudit");
        assert_eq!(run.time_limit, Duration::from_secs(60));
        assert_eq!(report.output.fail_on, FailOn::Warning);
        assert_eq!(report.output.format, None);
        assert_eq!(rules.thresholds, Thresholds::default());
    }

    #[test]
    fn subcommands_take_the_display_options() {
        let invocation = parsed("x explain lingering-task --color never -vv").expect("is valid");
        assert_eq!(invocation.global.color, Some(ColorChoice::Never));
        assert_eq!(invocation.global.verbose, 2);
        assert!(matches!(invocation.command, Command::Explain(_)));
        assert!(parsed("x explain").is_ok(), "lists the rules");
        assert!(parsed("x -q test").is_err());
        assert!(parsed("x test -q").expect("is valid").global.quiet);
    }

    #[test]
    fn rules_may_be_written_with_underscores() {
        let invocation = parsed("x explain Lingering_task").expect("is valid");
        let Command::Explain(options) = invocation.command else { panic!("{invocation:?}") };
        assert_eq!(options.rule.as_deref(), Some("lingering-task"));
        let rules = test_options("x --rule lost_waker --allow long_held_lock").rules;
        assert_eq!(
            (rules.only, rules.allow),
            (vec!["lost-waker".into()], vec!["long-held-lock".into()])
        );
    }

    #[test]
    fn the_last_word_about_failing_fast_counts() {
        let fails_fast = |line| test_options(line).run.fail_fast;
        assert!(!fails_fast("x") && !fails_fast("x --keep-going"));
        assert!(fails_fast("x --no-fail-fast --fail-fast"));
        assert!(!fails_fast("x --fail-fast --no-fail-fast"));
    }

    #[test]
    fn a_first_word_that_may_be_a_subcommand_is_noted() {
        let meant = |line| test_options(line).select.meant.map(|meant| meant.subcommand);
        assert_eq!(meant("x explian lingering-task"), Some(Some("explain".to_owned())));
        assert_eq!(meant("x rapport"), Some(Some("report".to_owned())));
        assert_eq!(meant("x list"), Some(None));
        assert_eq!(meant("x test explian"), None);
        assert_eq!(meant("x orders"), None);
    }

    #[test]
    fn reports_go_where_they_were_sent() {
        let report = test_options("x --report json=a=b.json --report human=c --format json").report;
        assert_eq!(
            report.output.further,
            [
                FurtherReport { format: Format::Json, file: "a=b.json".into() },
                FurtherReport { format: Format::Human, file: "c".into() },
            ]
        );
        assert_eq!(report.output.format, Some(Format::Json));
    }

    #[test]
    fn bad_input_is_a_usage_error_that_says_what_is_known() {
        for (line, said) in [
            ("x explain lingring-task", "a similar value exists: 'lingering-task'"),
            ("x --report xml=file", "unknown format `xml`; there are human, html, json, sarif"),
            ("x --report json", "expected FORMAT=FILE"),
            ("x --report json=", "name of the file is missing"),
            ("x --format xml", "possible values: human, html, json, sarif"),
            ("x --fail-on sometimes", "possible values: note, warning, error, never"),
            ("x --time-limit soon", "--time-limit"),
            ("x --slow-after 0s", "longer than nothing"),
            ("x --test-threads 0", "--test-threads"),
            ("x --partition hash:5/4", "there is no part 5 of 4"),
            ("x --partition half:1/2", "expected hash:M/N, count:M/N or slice:M/N"),
            ("x --allow long-hold-lock", "a similar value exists: 'long-held-lock'"),
            ("x --locks tokio,spin", "possible values: tokio, std, parking_lot, all"),
            ("x --ignored --include-ignored", "cannot be used with"),
            ("x --lib clean", "must stand before all options"),
            ("x -v -q", "cannot be used with"),
            ("x -j0", "must not be 0"),
            ("x setup -j 0", "must not be 0"),
            ("x -j many", "a number"),
            ("x explain lock", "deadlock, futurelock, lock-across-await, lock-order-cycle"),
            ("x --no-run --list", "cannot be used with"),
            ("x clean --probe --all", "cannot be used with"),
            ("x --message-format loud", "possible values: human, short, json"),
        ] {
            let error = parsed(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn a_filter_may_be_called_like_a_subcommand_where_that_is_clear() {
        assert_eq!(test_options("x test clean").select.filters, ["clean"]);
        assert_eq!(test_options("x orders clean").select.filters, ["orders", "clean"]);
    }

    #[test]
    fn libtest_gets_our_flags_in_its_own_words() {
        let options = test_options("x --skip a --skip b --exact --ignored -- --shuffle");
        assert_eq!(
            options.select.libtest_arguments(),
            ["--skip", "a", "--skip", "b", "--exact", "--ignored", "--shuffle"]
        );
    }

    #[test]
    fn kinds_of_locks_are_a_list() {
        use LockKind::{All, ParkingLot, Tokio};
        let kinds = |line| test_options(line).rules.locks;
        assert_eq!(kinds("x"), [All]);
        assert_eq!(kinds("x --locks tokio,parking_lot"), [Tokio, ParkingLot]);
        assert_eq!(kinds("x --locks tokio --locks parking_lot"), [Tokio, ParkingLot]);
    }

    #[test]
    fn rules_are_chosen_by_rule_and_allow() {
        let rules =
            test_options("x --rule lingering-task --rule long-held-lock --allow long-held-lock")
                .rules;
        let enabled: Vec<_> = RULE_NAMES.iter().filter(|name| rules.is_enabled(name)).collect();
        assert_eq!(enabled, [&"lingering-task"]);
    }
}
