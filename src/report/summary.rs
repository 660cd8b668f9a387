//! The report as a whole: the findings and what they are worth, since a clean
//! report of nothing audited would be a lie.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, HungProcess, LockGraph, Severity};

/// Everything that is reported of a run. The JSON report is this type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this format, [`super::json::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who made it.
    pub tool: Tool,
    /// Of what.
    pub project: ProjectInfo,
    /// In numbers.
    pub summary: Summary,
    /// Most severe first, then by rule, file and line.
    pub findings: Vec<Finding>,
    /// By name.
    pub tests: Vec<TestReport>,
    /// What was and what was not audited.
    pub coverage: Coverage,
    /// The orders in which locks were taken. Only where a report as JSON or HTML was asked
    /// for, and any lock was taken while another one was held.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lock_graph: Option<LockGraph>,
}

/// The tool that made the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `cargo-concaudit`
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The audited project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectInfo {
    /// The workspace root's folder name.
    pub name: String,
    /// The packages whose tests were run.
    pub packages: Vec<String>,
    /// The workspace root's path from the root of the repository that it is in; empty
    /// where they are the same, or where there is none.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub folder: String,
}

/// The run in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Findings of severity error; suppressed and known ones do not count.
    pub errors: u64,
    /// Findings of severity warning; suppressed and known ones do not count.
    pub warnings: u64,
    /// Findings of severity note; suppressed and known ones do not count.
    pub notes: u64,
    /// Suppressed findings, of whatever severity.
    pub suppressed: u64,
    /// Findings that the baseline has and nothing else suppresses, of whatever severity.
    #[serde(default)]
    pub known: u64,
    /// Tests that were started.
    pub tests_run: u64,
    /// Tests that exited with 0.
    pub tests_passed: u64,
    /// Tests that failed, time-outs and signals included; not those that the
    /// user interrupted.
    pub tests_failed: u64,
    /// Tests that the filters left out, or that are `#[ignore]`d.
    pub tests_skipped: u64,
    /// Tests that were ended since the user interrupted the run.
    #[serde(default)]
    pub tests_cut_off: u64,
    /// Tests that were not started any more.
    #[serde(default)]
    pub tests_not_started: u64,
    /// Tasks spawned, over all tests.
    pub tasks: u64,
    /// Threads spawned through `std::thread`, over all tests.
    #[serde(default)]
    pub threads: u64,
    /// Locks created, over all tests.
    pub locks: u64,
    /// Acquisitions of locks, over all tests.
    pub acquisitions: u64,
    /// Returns of `block_on` that were held back so that tasks could finish,
    /// over all tests.
    pub drains: u64,
    /// For how long they were held back in all, in milliseconds.
    pub drain_ms: u64,
    /// Wall time of the build, in milliseconds.
    pub build_ms: u64,
    /// Wall time of the tests, in milliseconds.
    pub test_ms: u64,
    /// A program was run instead of tests, and is the only one of `tests`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub program: bool,
    /// The run was interrupted; the report covers what ran.
    pub interrupted: bool,
    /// Why the exit code is neither 0 nor 1: tests failed, not all was audited, ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<String>,
    /// What the process ends with for it; 0 where the audit is clean.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<u8>,
}

impl Summary {
    /// Counts the findings and the tests.
    pub fn count(&mut self, findings: &[Finding], tests: &[TestReport]) {
        let of_severity = |severity| {
            let counts = |finding: &&Finding| finding.counts() && finding.severity == severity;
            findings.iter().filter(counts).count() as u64
        };
        self.errors = of_severity(Severity::Error);
        self.warnings = of_severity(Severity::Warning);
        self.notes = of_severity(Severity::Note);
        let is_suppressed = |finding: &&Finding| !finding.suppressed.is_empty();
        self.suppressed = findings.iter().filter(is_suppressed).count() as u64;
        let is_known = |finding: &&Finding| !finding.counts() && finding.suppressed.is_empty();
        self.known = findings.iter().filter(is_known).count() as u64;
        let of_outcome = |outcome: TestOutcome| {
            tests.iter().filter(|test| test.outcome == outcome).count() as u64
        };
        self.tests_run = tests.len() as u64;
        self.tests_passed = of_outcome(TestOutcome::Passed);
        self.tests_cut_off = of_outcome(TestOutcome::Interrupted);
        // Tests that the user interrupted are neither.
        self.tests_failed = self.tests_run - self.tests_passed - self.tests_cut_off;
    }
}

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestOutcome {
    /// Exit code 0.
    Passed,
    /// Any other exit code.
    Failed,
    /// Ended by a signal that was not ours.
    Signalled,
    /// Nothing in it could go on by itself, ended by us.
    Hung,
    /// Over its time limit, ended by us.
    TimedOut,
    /// Some of it waited for itself for ever, ended by us.
    Deadlocked,
    /// Ended by us since the user interrupted the run.
    Interrupted,
    /// Could not be started.
    SpawnFailed,
}

impl TestOutcome {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Signalled => "signalled",
            Self::Hung => "hung",
            Self::TimedOut => "timed-out",
            Self::Deadlocked => "deadlocked",
            Self::Interrupted => "interrupted",
            Self::SpawnFailed => "spawn-failed",
        }
    }
}

/// One test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestReport {
    /// The test's path within its binary; for a `harness = false` binary its id.
    pub name: String,
    /// The binary's id: `package::test-target`, as nextest names it.
    pub binary: String,
    /// How it ended.
    pub outcome: TestOutcome,
    /// Of a program: what it exited with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// Of a program: the number of the signal that ended it, if nobody sent it by our hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
    /// How often it was run, with `--retries`; the outcome is the last attempt's.
    #[serde(default = "once")]
    pub attempts: u64,
    /// Wall time of its process, in milliseconds.
    pub duration_ms: u64,
    /// Most tasks alive at once, over its processes.
    pub peak_tasks: u64,
    /// Its polls of tasks, and of the futures of `block_on`, over its processes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub polls: Option<Distribution>,
    /// Its waits for locks, over its processes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lock_waits: Option<Distribution>,
    /// Its holds of locks, over its processes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lock_holds: Option<Distribution>,
    /// Processes of the test that were audited, itself included.
    pub processes: u64,
    /// The process ended without its last update; findings about its end are
    /// missing.
    pub truncated: bool,
    /// What it was about when the user interrupted it, one element per process.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub cut_off: Vec<CutOff>,
    /// Processes that descend from it and had left its process group.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_processes: Vec<LeftProcess>,
}

/// How long something took, of what took at least a millisecond.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// How many took at most as long as each of [`BOUNDS_MS`](Self::BOUNDS_MS), and not as
    /// long as the one before it; at last, how many took longer than all of them.
    pub counts: Vec<u64>,
    /// The longest of them, in milliseconds.
    pub longest_ms: u64,
}

impl Distribution {
    /// The bounds of the counts, in milliseconds.
    pub const BOUNDS_MS: [u64; 7] = [5, 10, 50, 100, 500, 1_000, 5_000];
}

fn once() -> u64 {
    1
}

impl TestReport {
    /// As findings name it.
    pub fn full_name(&self) -> String {
        if self.name == self.binary {
            self.binary.clone()
        } else {
            format!("{} {}", self.binary, self.name)
        }
    }

    /// Whether it is a unit test of a procedural macro, which is compiled for the
    /// compiler and so never audited.
    pub fn is_of_procedural_macro(&self) -> bool {
        self.binary.contains("::proc-macro/")
    }

    /// Whether no process of it was heard of, though it ran.
    pub fn is_unaudited(&self) -> bool {
        self.processes == 0 && self.outcome != TestOutcome::SpawnFailed
    }
}

/// A process of a test that was cut off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CutOff {
    /// Where it was, "it waits at src/a.rs:10 for ..."; empty where that is not known.
    pub sentence: String,
    /// All of it.
    pub process: HungProcess,
}

/// A process that was there when its test had ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftProcess {
    /// Of the operating system.
    pub pid: u32,
    /// Its program and arguments.
    pub command: String,
    /// It was ended with the test, which was ended itself.
    pub ended: bool,
}

/// What the audit could and could not see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Instrumented crates and what of them, "tokio 1.54.1".
    pub instrumented: Vec<String>,
    /// What was not seen and why, each a sentence fragment.
    pub not_instrumented: Vec<String>,
    /// What `cargo test` would run besides, each a sentence fragment.
    #[serde(default)]
    pub not_run: Vec<String>,
    /// Those of `not_instrumented` that are crates of the project's own, which do not
    /// compile with a part of the instrumentation.
    #[serde(default)]
    pub first_party_losses: Vec<String>,
    /// Tests that ran, and of which no process was heard.
    #[serde(default)]
    pub unaudited_tests: Vec<String>,
    /// Tests of which a process ended without a last word, so that what it ran or held
    /// at its end is not known.
    #[serde(default)]
    pub truncated_tests: Vec<String>,
    /// Processes whose end was not seen, nor what they were about when we ended them.
    pub truncated_processes: u64,
    /// Lock orders that were left out to bound memory.
    pub dropped_order_edges: u64,
    /// Stacks that were left out to bound memory.
    pub dropped_stacks: u64,
    /// Tasks that were left out to bound memory.
    pub dropped_tasks: u64,
    /// Tasks that were dropped unfinished and left out to bound memory, since enough were
    /// kept that were spawned, waited and were dropped in the same places: no finding is
    /// missing, but occurrences are.
    #[serde(default)]
    pub alike_tasks: u64,
    /// Holds of locks that were left out to bound memory.
    pub dropped_holds: u64,
    /// Blocking calls, guards across awaits and recursions that were left out to
    /// bound memory.
    #[serde(default)]
    pub dropped_events: u64,
}
