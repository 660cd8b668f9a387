//! The report as a whole: the findings and what they are worth, since a clean
//! report of nothing audited would be a lie.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::Finding;

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
}

/// The run in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Findings that count, by severity. Suppressed ones do not.
    pub errors: u64,
    pub warnings: u64,
    pub notes: u64,
    pub suppressed: u64,
    /// Tests by outcome. `failed` includes time-outs and signals.
    pub tests_run: u64,
    pub tests_passed: u64,
    pub tests_failed: u64,
    /// Tests that the filters left out, or that are `#[ignore]`d.
    pub tests_skipped: u64,
    /// Over all tests: tasks spawned, locks created, acquisitions.
    pub tasks: u64,
    pub locks: u64,
    pub acquisitions: u64,
    /// Wall time of the build and of the tests, in milliseconds.
    pub build_ms: u64,
    pub test_ms: u64,
    /// The run was interrupted; the report covers what ran.
    pub interrupted: bool,
}

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestOutcome {
    Passed,
    Failed,
    /// Ended by a signal.
    Signalled,
    TimedOut,
    Interrupted,
    SpawnFailed,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestReport {
    /// The test's path within its binary; for a `harness = false` binary its id.
    pub name: String,
    /// The binary's id: `package::test-target`, as nextest names it.
    pub binary: String,
    pub outcome: TestOutcome,
    pub duration_ms: u64,
    /// Most tasks alive at once, over its processes.
    pub peak_tasks: u64,
    /// Processes of the test that were audited, itself included.
    pub processes: u64,
    /// The process ended without its last update; findings about its end are
    /// missing.
    pub truncated: bool,
}

/// What the audit could and could not see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Instrumented crates and what of them, "tokio 1.54.1".
    pub instrumented: Vec<String>,
    /// What was not seen and why, each a sentence fragment.
    pub not_instrumented: Vec<String>,
    /// Processes whose end was not seen.
    pub truncated_processes: u64,
    /// Telemetry that was left out to bound memory, by kind.
    pub dropped_order_edges: u64,
    pub dropped_stacks: u64,
    pub dropped_tasks: u64,
    pub dropped_holds: u64,
}
