//! What is run, and what came of it.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use crate::{
    instrument::TestBinary,
    model::{LeftProcess, Outcome},
    telemetry::{LookedAt, PackedRecording},
};

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
    /// Whether it is no test but a program.
    pub fn is_program(&self) -> bool {
        self.binary.is_program
    }

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
    /// Which test it was.
    pub case: TestCase,
    /// How it ended.
    pub outcome: Outcome,
    /// Where the process exited by itself.
    pub exit_code: Option<i32>,
    /// Wall time of its process.
    pub duration: Duration,
    /// Standard output and standard error, as they came, interleaved; the
    /// middle is cut out where it is over the limit.
    pub output: Vec<u8>,
    /// The telemetry of its processes, the test's own first.
    pub recordings: Vec<PackedRecording>,
    /// Processes that descend from it, and that its end did not end.
    pub left: Vec<LeftProcess>,
    /// The seed of its random delays, where it had any.
    pub seed: Option<NonZeroU64>,
    /// What came of it before, where it failed and was run again, oldest first.
    pub failed_attempts: Vec<TestRun>,
}

/// What happens while tests run. The runner emits, the console shows.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// The tests are known; none runs yet.
    RunStarted {
        /// To be run.
        tests: usize,
        /// In which they are.
        binaries: usize,
        /// Left out by the filters, or `#[ignore]`d.
        skipped: usize,
    },
    /// The process of a test is about to start.
    TestStarted {
        /// Which test.
        case: &'a TestCase,
    },
    /// Runs for longer than it was expected to.
    TestSlow {
        /// Which test.
        case: &'a TestCase,
        /// Since its start.
        elapsed: Duration,
    },
    /// A test has failed, and is run once more.
    TestRetried {
        /// What came of it.
        run: &'a TestRun,
        /// How often it has been run by now.
        attempt: usize,
    },
    /// The process of a test has ended and told all it will ever tell.
    TestFinished {
        /// What came of it.
        run: &'a TestRun,
        /// Tests that have finished by now, this one included.
        finished: usize,
        /// Tests of the run.
        total: usize,
    },
    /// What a test that runs is about: the user wants to see it.
    TestLooked {
        /// Which test.
        case: &'a TestCase,
        /// Since its start.
        elapsed: Duration,
        /// Its processes, in the order of their announcements.
        processes: &'a [LookedAt],
    },
    /// The user asked to stop; what runs is being ended.
    Interrupted,
    /// No test runs any more.
    RunFinished,
}
