//! The only place that prints. The report goes to standard output, everything
//! else to standard error. Whoever closes either early (`| head`) wants no
//! more, which is no error.

use std::{
    env,
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use colored::{ColoredString, Colorize};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{args::GlobalOptions, color, exit::ExpectedError};
use crate::{
    describe::counted,
    finding::HungProcess,
    instrument::BuildEvent,
    model::Outcome,
    report::human::{HumanOptions, hung},
    run::{RunEvent, TestCase, TestRun, are_heard},
};

/// Width of the verbs, as in cargo's and nextest's output.
const VERB_WIDTH: usize = 12;
/// How many running tests the progress bar names.
const RUNNING_NAMED: usize = 3;
/// What libtest exits with where a test has failed: not worth a word.
const LIBTEST_FAILED: i32 = 101;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Failing tests and the report.
    Quiet,
    /// Those, the steps, and where no bar tells of them passing tests.
    Normal,
    /// All tests, on a terminal too; and whatever the report can tell.
    Verbose,
}

/// Where everything is printed.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Whether the report may have colour.
    pub color: bool,
    /// Columns of the report.
    pub width: usize,
    /// As `-q` and `-v` have it.
    pub verbosity: Verbosity,
    /// Whether progress is shown as a bar that moves.
    is_animated: bool,
    bar: Option<ProgressBar>,
    running: Vec<String>,
    /// To be told of with the first slow test.
    hint: Option<&'static str>,
}

/// What a process is about, to be shown.
#[derive(Debug)]
pub struct ProcessState {
    /// Where the test is, "it waits at src/a.rs:10 for ..."; empty where unknown.
    pub sentence: String,
    /// All of it.
    pub process: HungProcess,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("verbosity", &self.verbosity).finish_non_exhaustive()
    }
}

impl Console {
    /// The process's own streams.
    pub fn new(options: &GlobalOptions) -> Self {
        let variable = |name: &str| env::var_os(name);
        let (out, err) = (io::stdout(), io::stderr());
        // `colored` would look at standard output only, and we print to the other.
        colored::control::set_override(color::is_enabled(
            options.color,
            &variable,
            err.is_terminal(),
        ));
        let verbosity = match (options.quiet, options.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        };
        let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
        Self {
            color: color::is_enabled(options.color, &variable, out.is_terminal()),
            width: width(),
            verbosity,
            is_animated: err.is_terminal()
                && !is_dumb
                && variable("CI").is_none()
                && verbosity > Verbosity::Quiet,
            out: Box::new(out),
            hint: match (err.is_terminal(), are_heard()) {
                (true, true) => Some("d and Enter, or Ctrl-\\, shows what it waits for"),
                (true, false) => Some("SIGQUIT to this process shows what it waits for"),
                (false, _) => None,
            },
            err: Box::new(err),
            bar: None,
            running: Vec::new(),
        }
    }

    /// A report or a page, to standard output.
    pub fn report(&mut self, text: &str) -> io::Result<()> {
        self.clear();
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        unless_closed(written)
    }

    /// Why the process ends as it does, with what led to it.
    pub fn error(&mut self, error: &ExpectedError) {
        self.clear();
        let mut text = format!("{} {error}", "error:".bright_red().bold());
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let _ = write!(text, "\n  caused by: {error}");
            cause = error.source();
        }
        self.line(&text);
    }

    /// What clap has to say; the exit code that belongs to it.
    pub fn usage(error: &clap::Error) -> i32 {
        // Chooses its stream and its colours itself; a closed stream is no error.
        let _ = error.print();
        error.exit_code()
    }

    /// A line of its own, unless quiet.
    pub fn status(&mut self, verb: &str, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            let verb = format!("{verb:>VERB_WIDTH$}").bright_green().bold();
            self.line(&format!("{verb} {text}"));
        }
    }

    /// A line about something that the user should know, however quiet.
    pub fn warning(&mut self, text: &str) {
        self.line(&format!("{} {text}", "warning:".yellow().bold()));
    }

    /// The verdict, where the report itself went elsewhere.
    pub fn verdict(&mut self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            self.clear();
            self.line(text.trim_end());
        }
    }

    /// Workflow commands, a line each.
    pub fn annotations(&mut self, text: &str) {
        self.clear();
        for line in text.lines() {
            self.line(line);
        }
    }

    /// What happens while the probe and the project are built.
    pub fn build_event(&mut self, event: &BuildEvent<'_>) {
        match event {
            BuildEvent::ProbeWaiting { lock } => {
                self.status("Waiting", &format!("for another run to build the probe ({lock})"));
            }
            BuildEvent::ProbeStarted { folder } => {
                let mut text = "the probe, once for this toolchain".to_owned();
                if self.verbosity == Verbosity::Verbose {
                    let _ = write!(text, ", into {folder}");
                }
                self.status("Building", &text);
                self.spin("Building");
            }
            BuildEvent::ProbeCompiled { crates } => self.count(*crates),
            BuildEvent::ProbeFinished { crates, elapsed } => {
                self.clear();
                let seconds = elapsed.as_secs_f64();
                let crates = counted(*crates as u64, "crate", "crates");
                self.status("Finished", &format!("the probe: {crates} in {seconds:.1} s"));
            }
            // Cargo shows its own progress on the same terminal.
            BuildEvent::BuildStarted { target, program } => {
                self.clear();
                let what = program.unwrap_or("tests");
                self.status("Building", &format!("instrumented {what} for {target}"));
            }
            BuildEvent::Message { json } => {
                // Cargo would go on, too, where nobody reads it.
                let _ = self.out.write_all(format!("{json}\n").as_bytes());
            }
            BuildEvent::Collected { folder } => {
                self.status("Removed", &format!("an instrumented build long unused: {folder}"));
            }
            BuildEvent::FacadeLost { what } => {
                self.clear();
                self.warning(what);
            }
            BuildEvent::BuildFinished { binaries, elapsed, program } => {
                self.clear();
                let binaries = program.map_or_else(
                    || counted(*binaries as u64, "test binary", "test binaries"),
                    str::to_owned,
                );
                let seconds = elapsed.as_secs_f64();
                self.status("Finished", &format!("{binaries} in {seconds:.1} s"));
            }
        }
    }

    /// What happens while the tests run.
    pub fn run_event(&mut self, event: &RunEvent<'_>) {
        match event {
            RunEvent::RunStarted { tests, binaries, skipped } => {
                let mut text = counted(*tests as u64, "test", "tests");
                text.push_str(" in ");
                text.push_str(&counted(*binaries as u64, "binary", "binaries"));
                if *skipped > 0 {
                    let _ = write!(text, " ({skipped} skipped)");
                }
                self.status("Auditing", &text);
                self.progress(*tests);
            }
            RunEvent::TestStarted { case } => {
                self.running.push(case.full_name());
                self.name_running();
            }
            RunEvent::TestSlow { case, elapsed } => {
                if self.verbosity > Verbosity::Quiet {
                    let line = test_line(&"SLOW".yellow().bold(), '>', *elapsed, "", case);
                    self.line(&line);
                    if let Some(hint) = self.hint.take() {
                        self.line(&format!("{:VERB_WIDTH$} {hint}", ""));
                    }
                }
            }
            // Whoever knows the project makes text of it, for `states`.
            RunEvent::TestLooked { .. } => {}
            RunEvent::TestRetried { run, attempt } => {
                let verb = format!("TRY {attempt} {}", verb_of(run.outcome).clear());
                let mut line = test_line(&verb.yellow().bold(), ' ', run.duration, "", &run.case);
                self.print_failure(run, &mut line);
            }
            RunEvent::TestFinished { run, finished, total } => {
                let name = run.case.full_name();
                if let Some(index) = self.running.iter().position(|running| *running == name) {
                    self.running.remove(index);
                }
                if let Some(bar) = &self.bar {
                    bar.set_position(*finished as u64);
                }
                self.name_running();
                self.finished(run, *finished, *total);
            }
            RunEvent::Interrupted => {
                self.warning("interrupted: ending the tests that run; once more to kill them");
            }
            RunEvent::RunFinished => self.clear(),
        }
    }

    /// What the processes of a test are about, by their process ids; `None`: it did
    /// not answer.
    pub fn states(
        &mut self,
        case: &TestCase,
        elapsed: Duration,
        processes: &[(u32, Option<ProcessState>)],
    ) {
        let mut text = test_line(&"DUMP".cyan().bold(), '>', elapsed, "", case);
        if processes.is_empty() {
            text.push_str(
                "\n  no process of it has announced itself: it starts, or is not audited",
            );
        }
        let options = HumanOptions {
            color: colored::control::SHOULD_COLORIZE.should_colorize(),
            verbose: self.verbosity == Verbosity::Verbose,
            width: self.width,
        };
        for (pid, state) in processes {
            if processes.len() > 1 {
                let _ = write!(text, "\n  process {pid}");
            }
            match state {
                Some(ProcessState { sentence, process }) => {
                    text.push_str(&hung::render(sentence, process, options));
                }
                None => text.push_str("\n  it did not answer"),
            }
        }
        self.line(&text);
    }

    /// A test's line, and what it printed where it failed.
    fn finished(&mut self, run: &TestRun, finished: usize, total: usize) {
        let passed = run.outcome == Outcome::Passed;
        // On a terminal the bar tells of those.
        let shown = match self.verbosity {
            Verbosity::Quiet => !passed,
            Verbosity::Normal => !passed || !self.is_animated,
            Verbosity::Verbose => true,
        };
        if !shown {
            return;
        }
        let position = self.position(finished, total);
        let mut line = test_line(&verb_of(run.outcome), ' ', run.duration, &position, &run.case);
        match run.failed_attempts.len() + 1 {
            1 => {}
            attempt if passed => {
                let _ = write!(line, " (flaky: passed at attempt {attempt})");
            }
            attempts => {
                let _ = write!(line, " ({attempts} attempts)");
            }
        }
        self.print_failure(run, &mut line);
    }

    /// The line of a test, and where it failed why.
    fn print_failure(&mut self, run: &TestRun, line: &mut String) {
        let passed = run.outcome == Outcome::Passed;
        if let Some(code) = run.exit_code.filter(|code| !passed && *code != LIBTEST_FAILED) {
            let _ = write!(line, " (exit code {code})");
        }
        self.line(line);
        if !passed && !run.output.is_empty() {
            let name = run.case.full_name();
            let mut block = format!("--- output of {name} ---\n").into_bytes();
            block.extend_from_slice(&run.output);
            if !block.ends_with(b"\n") {
                block.push(b'\n');
            }
            // Ends whatever colour the test has left on.
            let reset =
                if colored::control::SHOULD_COLORIZE.should_colorize() { "\u{1b}[0m" } else { "" };
            block.extend_from_slice(format!("{reset}--- end of output ---\n").as_bytes());
            self.write_err(&block);
        }
    }

    /// "( 3/12) ", or nothing where the bar says so.
    fn position(&self, finished: usize, total: usize) -> String {
        if self.is_animated {
            return String::new();
        }
        let digits = total.to_string().len();
        format!("({finished:>digits$}/{total}) ")
    }

    fn progress(&mut self, tests: usize) {
        self.clear();
        if !self.is_animated {
            return;
        }
        let style = ProgressStyle::with_template(
            "{prefix:>12.bold.cyan} [{bar:25}] {pos}/{len}: {wide_msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
        self.animate(
            ProgressBar::with_draw_target(Some(tests as u64), ProgressDrawTarget::stderr())
                .with_style(style)
                .with_prefix("Running"),
        );
    }

    fn spin(&mut self, verb: &'static str) {
        self.clear();
        if !self.is_animated {
            return;
        }
        let style =
            ProgressStyle::with_template("{prefix:>12.bold.cyan} {spinner} {wide_msg} [{elapsed}]")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
        self.animate(
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
                .with_style(style)
                .with_prefix(verb),
        );
    }

    fn animate(&mut self, bar: ProgressBar) {
        bar.enable_steady_tick(Duration::from_millis(100));
        self.bar = Some(bar);
    }

    /// Cargo, which tells of the project's crates itself, is silent about the probe's.
    fn count(&mut self, crates: usize) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("probe: {}", counted(crates as u64, "crate", "crates")));
            }
            // A line now and then shows a CI log that something happens.
            None if crates > 0 && crates.is_multiple_of(25) => {
                self.status("Compiled", &format!("{crates} crates of the probe"));
            }
            None => {}
        }
    }

    fn name_running(&mut self) {
        if let Some(bar) = &self.bar {
            let mut message: String =
                self.running.iter().take(RUNNING_NAMED).cloned().collect::<Vec<_>>().join(", ");
            if self.running.len() > RUNNING_NAMED {
                let _ = write!(message, ", {} more", self.running.len() - RUNNING_NAMED);
            }
            bar.set_message(message);
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn line(&mut self, text: &str) {
        self.write_err(format!("{text}\n").as_bytes());
    }

    fn write_err(&mut self, bytes: &[u8]) {
        // Where nobody reads it, there is nobody to tell.
        let _ = match &self.bar {
            Some(bar) => bar.suspend(|| self.err.write_all(bytes)),
            None => self.err.write_all(bytes),
        };
    }
}

/// The columns of a report: longer source lines are cut. rustc's own default
/// where nobody says how wide the terminal is.
fn width() -> usize {
    let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    said.or_else(of_terminal).unwrap_or(140).clamp(60, 400)
}

fn unless_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn verb_of(outcome: Outcome) -> ColoredString {
    match outcome {
        Outcome::Passed => "PASS".green().bold(),
        Outcome::Failed => "FAIL".red().bold(),
        Outcome::Signalled(signal) => signal_name(signal).red().bold(),
        Outcome::Hung => "HUNG".red().bold(),
        Outcome::TimedOut | Outcome::TooSlow => "TIMEOUT".red().bold(),
        Outcome::Deadlocked => "DEADLOCK".red().bold(),
        Outcome::Interrupted => "INTERRUPTED".yellow().bold(),
        Outcome::SpawnFailed => "NOT STARTED".red().bold(),
    }
}

/// "SIGABRT"; "SIGNAL 77" where it has no name.
fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal)
        .map_or_else(|_| format!("SIGNAL {signal}"), |signal| signal.as_str().to_owned())
}

/// A line such as `PASS [   0.012s] ( 3/12) my-crate tests::works`, verbs flush
/// right.
fn test_line(
    verb: &ColoredString,
    relation: char,
    elapsed: Duration,
    position: &str,
    case: &TestCase,
) -> String {
    // Padded by hand: `colored` would count its escape sequences.
    let padding = " ".repeat(VERB_WIDTH.saturating_sub(verb.chars().count()));
    let seconds = elapsed.as_secs_f64();
    let binary = case.binary.id.magenta();
    let path = case.path.as_ref().map(|path| format!(" {}", path.blue())).unwrap_or_default();
    format!("{padding}{verb} [{relation}{seconds:>7.3}s] {position}{binary}{path}")
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, sync::Arc};

    use super::*;
    use crate::instrument::TestBinary;

    #[derive(Clone, Default)]
    struct Buffer(Rc<RefCell<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn console(verbosity: Verbosity) -> (Console, Buffer) {
        colored::control::set_override(false);
        let err = Buffer::default();
        let console = Console {
            out: Box::new(Closed),
            err: Box::new(err.clone()),
            color: false,
            width: 100,
            verbosity,
            is_animated: false,
            bar: None,
            running: Vec::new(),
            hint: None,
        };
        (console, err)
    }

    fn run(path: Option<&str>, outcome: Outcome, output: &str) -> TestRun {
        TestRun {
            seed: None,
            case: TestCase {
                binary: Arc::new(TestBinary {
                    id: "my-crate".to_owned(),
                    package: "my-crate".to_owned(),
                    crate_name: "my_crate".to_owned(),
                    is_program: false,
                    is_optimised: false,
                    exe: "/x".into(),
                    harness: path.is_some(),
                    working_directory: "/".into(),
                    environment: vec![],
                    runner: vec![],
                }),
                path: path.map(str::to_owned),
                ignored: false,
            },
            outcome,
            exit_code: match outcome {
                Outcome::Passed => Some(0),
                Outcome::Failed => Some(if path.is_some() { LIBTEST_FAILED } else { 3 }),
                _ => None,
            },
            duration: Duration::from_millis(12),
            output: output.as_bytes().to_vec(),
            recordings: vec![],
            left: vec![],
            failed_attempts: vec![],
        }
    }

    /// What is printed for a small run.
    fn shown(verbosity: Verbosity) -> String {
        let (mut console, err) = console(verbosity);
        let lock = camino::Utf8Path::new("/cache/lock");
        console.build_event(&BuildEvent::ProbeWaiting { lock });
        console.build_event(&BuildEvent::ProbeStarted { folder: lock });
        for crates in 0..=26 {
            console.build_event(&BuildEvent::ProbeCompiled { crates });
        }
        let elapsed = Duration::from_millis(31_400);
        console.build_event(&BuildEvent::ProbeFinished { crates: 26, elapsed });
        console.build_event(&BuildEvent::BuildStarted {
            target: "x86_64-unknown-linux-gnu",
            program: None,
        });
        console.build_event(&BuildEvent::BuildFinished { binaries: 1, elapsed, program: None });
        console.run_event(&RunEvent::RunStarted { tests: 6, binaries: 1, skipped: 2 });
        let runs = [
            run(Some("tests::works"), Outcome::Passed, "not shown"),
            run(Some("tests::fails"), Outcome::Failed, "assertion failed"),
            run(Some("tests::aborts"), Outcome::Signalled(6), ""),
            run(Some("tests::hangs"), Outcome::TimedOut, "waiting\n"),
            run(None, Outcome::Failed, ""),
            run(None, Outcome::Interrupted, ""),
        ];
        for (index, run) in runs.iter().enumerate() {
            console.run_event(&RunEvent::TestStarted { case: &run.case });
            if run.outcome == Outcome::TimedOut {
                let elapsed = Duration::from_secs(10);
                console.run_event(&RunEvent::TestSlow { case: &run.case, elapsed });
            }
            console.run_event(&RunEvent::TestFinished { run, finished: index + 1, total: 6 });
        }
        console.run_event(&RunEvent::Interrupted);
        console.run_event(&RunEvent::RunFinished);
        String::from_utf8(err.0.take()).expect("is text")
    }

    #[test]
    fn without_a_terminal_every_step_is_a_line() {
        insta::assert_snapshot!(shown(Verbosity::Normal));
    }

    #[test]
    fn quiet_shows_only_what_failed() {
        insta::assert_snapshot!(shown(Verbosity::Quiet));
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        let (mut console, _) = console(Verbosity::Normal);
        assert!(console.report("text").is_ok());
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let (mut console, err) = console(Verbosity::Normal);
        let source = io::Error::other("no space left");
        console.error(&ExpectedError::WriteReport { path: "a.json".into(), source });
        let tool = anyhow::anyhow!("inner").context("failed to build the probe");
        console.error(&ExpectedError::Tool(tool));
        assert_eq!(
            String::from_utf8_lossy(&err.0.borrow()),
            "error: failed to write the report to a.json\n  caused by: no space left\n\
             error: failed to build the probe\n  caused by: inner\n"
        );
    }
}
