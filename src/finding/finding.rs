//! What a rule has found: the one type that every renderer is fed with.
//!
//! Everything here is serialisable, and is the JSON report's schema: adding a
//! field is compatible, renaming or removing one is not (see
//! [`SCHEMA_VERSION`](crate::report::json::SCHEMA_VERSION)).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Details;

/// How bad it is. Ordered: a note is less than a warning is less than an error.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; listed with `-v` only.
    Note,
    /// Probably a bug, or one under conditions that the run did not show.
    Warning,
    /// A bug.
    Error,
}

impl Severity {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How sure the rule is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The run shows the parts; whether they can meet is not known.
    Possible,
    /// The run shows all that is needed but for the timing.
    Likely,
    /// It happened in the run.
    Observed,
}

/// Whose code the blame frame is in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The audited workspace's own code, tests aside.
    Library,
    /// Under `tests/`, `benches/` or `examples/`, or within a test function.
    Test,
    /// No frame of the workspace takes part.
    Dependency,
}

/// What a location is to its finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The line to blame. Exactly one location per finding has this role.
    Primary,
    /// Another line that takes part.
    Secondary,
}

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// Relative to the workspace root where it lies inside; of a dependency from its
    /// crate's folder on: `fern-0.6.2/src/lib.rs`. Always with forward slashes.
    pub file: String,
    /// Where the file is, if it lies outside of the workspace.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub absolute_path: Option<String>,
    /// 1-based.
    pub line: u32,
    /// 1-based; absent where the debug info has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<u32>,
    /// The function it is in, demangled, without hash; empty where unknown.
    pub function: String,
    /// What happens here, a lowercase fragment: "task spawned here".
    pub label: String,
    /// What it is to the finding.
    pub role: Role,
}

impl Location {
    /// `src/lib.rs:7`
    pub fn position(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// One frame of a stack, as it is reported.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StackFrame {
    /// Demangled, without hash.
    pub function: String,
    /// As in [`Location::file`]; absent where the debug info has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// As in [`Location::absolute_path`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub absolute_path: Option<String>,
    /// 1-based; absent where the debug info has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// Within the audited workspace (or a `--first-party` package).
    pub first_party: bool,
}

/// A labelled stack, innermost frame first, with the frames of the runtime and
/// of the probe trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct LabelledStack {
    /// What it is the stack of: "await stack of the task".
    pub label: String,
    /// Innermost first.
    pub frames: Vec<StackFrame>,
}

/// One cause, however often it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule's public name, `lingering-task` for one.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// Whose code the blame frame is in.
    pub origin: Origin,
    /// One sentence without a full stop, beginning in lower case.
    pub message: String,
    /// Stable across runs and unrelated edits: a hash of the rule and of the
    /// functions that take part, never of line numbers.
    pub fingerprint: String,
    /// The primary location first.
    pub locations: Vec<Location>,
    /// What a person may need to understand it.
    pub stacks: Vec<LabelledStack>,
    /// Further facts, each a lowercase fragment: "held by task 7".
    pub notes: Vec<String>,
    /// Facts of the same form that are seldom needed, or that the message or a label
    /// says in short: "idle for 1.2 s". A person sees them with `-v` only.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub minor_notes: Vec<String>,
    /// What to do about it.
    pub help: String,
    /// The full names (`binary-id test::path`) of the tests in which it was
    /// seen, sorted.
    pub tests: Vec<String>,
    /// How often it was seen in all.
    pub occurrences: u64,
    /// Where one function does it on several lines, to several locks, or otherwise in
    /// several ways: each of these, the worst first, which also supplies the fields
    /// above; `locations` has the places of all. Empty where there is only one way.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub variants: Vec<Variant>,
    /// Occurrences in further ways, beyond the variants that are told.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub further_occurrences: u64,
    /// What the rule knows beyond the above; its shape is the rule's.
    pub details: Details,
    /// Who has decided that it does not count, and why; empty where it does.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub suppressed: Vec<Suppression>,
    /// Whether it was known before; absent where the run had no baseline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline: Option<BaselineState>,
}

impl Finding {
    /// Whether it counts for the numbers of the summary and for the exit code.
    pub fn counts(&self) -> bool {
        self.suppressed.is_empty() && self.baseline != Some(BaselineState::Known)
    }
}

/// A comment in the sources or an `[[allow]]` of the settings for which a finding does not
/// count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppression {
    /// Why it does not count.
    pub reason: String,
    /// Who is to be asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// The last day, as `2027-01-31`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
    /// The file that says so, as in [`Location::file`].
    pub file: String,
    /// Where, 1-based.
    pub line: u32,
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.reason)?;
        if let Some(owner) = &self.owner {
            write!(f, "{owner}, ")?;
        }
        if let Some(until) = &self.until {
            write!(f, "until {until}, ")?;
        }
        write!(f, "{}:{})", self.file, self.line)
    }
}

/// A finding beside the file of those that were known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineState {
    /// It is not in there, or was milder then.
    New,
    /// It is in there.
    Known,
}

/// One of several ways in which the cause of a finding was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// How bad this one is.
    pub severity: Severity,
    /// As in [`Finding::message`], of this one.
    pub message: String,
    /// Its own, the primary location first.
    pub locations: Vec<Location>,
    /// Its own.
    pub stacks: Vec<LabelledStack>,
    /// Its own.
    pub notes: Vec<String>,
    /// The tests in which this one was seen.
    pub tests: Vec<String>,
    /// How often this one was seen.
    pub occurrences: u64,
    /// Its own.
    pub details: Details,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
