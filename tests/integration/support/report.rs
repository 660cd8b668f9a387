//! The JSON report, as a consumer of the schema reads it: only what is looked
//! at here, from the outside.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    pub schema_version: u32,
    pub summary: Summary,
    pub findings: Vec<Finding>,
    pub tests: Vec<Test>,
    pub coverage: Coverage,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Summary {
    pub tests_run: u64,
    pub tests_failed: u64,
    pub tests_skipped: u64,
    pub tests_cut_off: u64,
    pub tasks: u64,
    pub locks: u64,
    pub tests_not_started: u64,
    pub interrupted: bool,
    #[serde(default)]
    pub program: bool,
    pub verdict: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Coverage {
    pub instrumented: Vec<String>,
    pub not_instrumented: Vec<String>,
    #[serde(default)]
    pub first_party_losses: Vec<String>,
    pub unaudited_tests: Vec<String>,
    pub truncated_tests: Vec<String>,
    pub dropped_tasks: u64,
    #[serde(default)]
    pub alike_tasks: u64,
}

/// Whether it says of a crate, or of the whole graph, that it had to do without a facade
/// which there is for it.
pub fn is_loss(missed: &str) -> bool {
    missed.contains("does not compile with") || missed.contains("does not link with")
}

impl Coverage {
    /// What had to do without a facade.
    pub fn losses(&self) -> Vec<&String> {
        self.not_instrumented.iter().filter(|missed| is_loss(missed)).collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Test {
    pub name: String,
    pub binary: String,
    pub outcome: String,
    pub attempts: u64,
    pub duration_ms: u64,
    pub processes: u64,
    pub truncated: bool,
    #[serde(default)]
    pub cut_off: Vec<CutOff>,
    #[serde(default)]
    pub left_processes: Vec<LeftProcess>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CutOff {
    pub sentence: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct LeftProcess {
    pub command: String,
    pub ended: bool,
}

impl Test {
    /// As findings name it.
    pub fn full_name(&self) -> String {
        if self.name == self.binary {
            self.binary.clone()
        } else {
            format!("{} {}", self.binary, self.name)
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Finding {
    pub rule: String,
    pub severity: String,
    pub confidence: String,
    pub origin: String,
    pub message: String,
    pub fingerprint: String,
    pub locations: Vec<Location>,
    pub stacks: Vec<Stack>,
    pub notes: Vec<String>,
    #[serde(default)]
    pub minor_notes: Vec<String>,
    pub help: Option<String>,
    pub tests: Vec<String>,
    pub occurrences: u64,
    #[serde(default)]
    pub variants: Vec<Variant>,
    pub details: Value,
    #[serde(default)]
    pub suppressed: Vec<Suppression>,
    #[serde(default)]
    pub baseline: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Suppression {
    pub reason: String,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub until: Option<String>,
    pub file: String,
    pub line: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Variant {
    pub message: String,
    pub locations: Vec<Location>,
    pub occurrences: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Location {
    pub file: String,
    pub line: u32,
    pub function: String,
    pub label: String,
    pub role: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Stack {
    pub label: String,
    pub frames: Vec<Frame>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Frame {
    pub function: String,
    pub file: Option<String>,
    pub line: Option<u32>,
}

impl Report {
    /// # Panics
    /// If it is no report.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("no report: {error}\n{text}"))
    }

    /// The findings that name the test.
    pub fn of_test<'a>(&'a self, full_name: &'a str) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |finding| finding.tests.iter().any(|it| it == full_name))
    }

    pub fn test(&self, full_name: &str) -> Option<&Test> {
        self.tests.iter().find(|test| test.full_name() == full_name)
    }
}

impl Finding {
    /// The one to blame.
    pub fn primary(&self) -> Option<&Location> {
        self.locations.iter().find(|location| location.role == "primary")
    }

    /// Whether a location or a frame of a stack is this line.
    pub fn shows(&self, file: &str, line: u32) -> bool {
        self.locations.iter().any(|at| at.file == file && at.line == line)
            || self
                .stacks
                .iter()
                .flat_map(|stack| &stack.frames)
                .any(|at| at.file.as_deref() == Some(file) && at.line == Some(line))
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rule, severity, confidence, origin, message, .. } = self;
        writeln!(f, "{severity}[{rule}] ({confidence}, {origin}): {message}")?;
        for at in &self.locations {
            writeln!(f, "  {} {}:{}: {}", at.role, at.file, at.line, at.label)?;
        }
        for stack in &self.stacks {
            writeln!(f, "  {}", stack.label)?;
            for frame in &stack.frames {
                let (file, line) = (frame.file.as_deref().unwrap_or("?"), frame.line.unwrap_or(0));
                writeln!(f, "    {} at {file}:{line}", frame.function)?;
            }
        }
        for note in self.notes.iter().chain(&self.minor_notes) {
            writeln!(f, "  note: {note}")?;
        }
        writeln!(f, "  details: {}", self.details)?;
        writeln!(f, "  seen {} times in {:?}", self.occurrences, self.tests)
    }
}
