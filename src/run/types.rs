//! What is run, and what came of it.

use std::{sync::Arc, time::Duration};

use crate::{instrument::TestBinary, model::Outcome, telemetry::Recording};

/// One test to be run.
#[derive(Debug, Clone)]
pub struct TestCase {
    /// Its binary.
    pub binary: Arc<TestBinary>,
    /// Its path in the binary, `tests::it_works`; `None` for a
    /// `harness = false` binary, which is one unit.
    pub path: Option<String>,
    /// `#[ignore]`d, and run all the same since the user asked for it.
    pub ignored: bool,
}

impl TestCase {
    /// `binary-id test::path`, or the binary's id alone.
    pub fn full_name(&self) -> String {
        match &self.path {
            Some(path) => format!("{} {path}", self.binary.id),
            None => self.binary.id.clone(),
        }
    }
}

/// A test that was run.
#[derive(Debug)]
pub struct TestRun {
    pub case: TestCase,
    pub outcome: Outcome,
    /// Where the process exited by itself.
    pub exit_code: Option<i32>,
    pub duration: Duration,
    /// Standard output and standard error, as they came, interleaved; the
    /// middle is cut out where it is over the limit.
    pub output: Vec<u8>,
    /// The telemetry of its processes, the test's own first.
    pub recordings: Vec<Recording>,
}

/// What happens while tests run. The runner emits, the console shows.
#[derive(Debug)]
pub enum RunEvent<'a> {
    RunStarted {
        tests: usize,
        binaries: usize,
        skipped: usize,
    },
    TestStarted {
        case: &'a TestCase,
        running: usize,
    },
    /// Runs for longer than it was expected to.
    TestSlow {
        case: &'a TestCase,
        elapsed: Duration,
    },
    TestFinished {
        run: &'a TestRun,
        finished: usize,
        total: usize,
    },
    /// The user asked to stop; what runs is being ended.
    Interrupted,
    RunFinished {
        elapsed: Duration,
    },
}
