//! Asks the test binaries what they hold.

use std::{
    collections::HashSet,
    io,
    num::NonZeroUsize,
    process::{ExitStatus, Output, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::{
    arguments::{IgnoredTests, TestFilter},
    command::{command, program},
    types::TestCase,
};
use crate::instrument::TestBinary;

/// Listing takes milliseconds; what takes this long hangs.
const LIST_WAIT: Duration = Duration::from_secs(60);
/// How many bytes of an unlistable binary's standard error are shown.
const STDERR_TAIL: usize = 4096;

/// The tests of a build.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those to be run: in the binaries' order, then as each binary lists them.
    pub cases: Vec<TestCase>,
    /// Tests that the filter leaves out, `#[ignore]`d ones included.
    pub skipped: usize,
    /// Benchmarks, which are never run.
    pub benchmarks: usize,
    /// Binaries with at least one test to be run.
    pub binaries: usize,
}

/// Why a binary's tests are not known.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("failed to list the tests of {binary}: `{program} --list` could not be started")]
    Spawn { binary: String, program: String, source: io::Error },
    #[error(
        "failed to list the tests of {binary}: `{program} --list` ended with {status}; \
         if it takes no libtest arguments, set `harness = false` for it{stderr_tail}"
    )]
    Exit {
        binary: String,
        program: String,
        status: ExitStatus,
        /// The end of its standard error, on lines of its own; or empty.
        stderr_tail: String,
    },
    #[error(
        "failed to list the tests of {binary}: `{program} --list` did not end within {} s",
        LIST_WAIT.as_secs()
    )]
    TimedOut { binary: String, program: String },
}

/// Lists the tests of every binary, several binaries at a time, and applies
/// `filter`. A `harness = false` binary is one case that no filter leaves out.
pub async fn list(binaries: &[Arc<TestBinary>], filter: &TestFilter) -> Result<Listing, ListError> {
    let places =
        Arc::new(Semaphore::new(thread::available_parallelism().map_or(2, NonZeroUsize::get)));
    let mut asking = JoinSet::new();
    for (index, binary) in binaries.iter().enumerate().filter(|(_, binary)| binary.harness) {
        let (binary, places) = (Arc::clone(binary), Arc::clone(&places));
        asking.spawn(async move {
            let _place = places.acquire_owned().await;
            (index, ask(&binary).await)
        });
    }
    let mut answers: Vec<Option<Answer>> = Vec::new();
    answers.resize_with(binaries.len(), || None);
    let mut failures = Vec::new();
    while let Some(joined) = asking.join_next().await {
        match joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
            (index, Ok(answer)) => answers[index] = Some(answer),
            (index, Err(error)) => failures.push((index, error)),
        }
    }
    // Whichever failed first in time, the message is the same every time.
    if let Some((_, error)) = failures.into_iter().min_by_key(|(index, _)| *index) {
        return Err(error);
    }

    let mut listing = Listing::default();
    for (binary, answer) in binaries.iter().zip(answers) {
        let case = |path, ignored| TestCase { binary: Arc::clone(binary), path, ignored };
        match answer {
            None => listing.cases.push(case(None, false)),
            Some(answer) => {
                listing.benchmarks += answer.benchmarks;
                for path in answer.tests {
                    let ignored = answer.ignored.contains(&path);
                    if filter.selects(&path, ignored) {
                        listing.cases.push(case(Some(path), ignored));
                    } else {
                        listing.skipped += 1;
                    }
                }
            }
        }
    }
    if let Some(partition) = filter.partition {
        let before = listing.cases.len();
        listing.cases = partition.of(listing.cases);
        listing.skipped += before - listing.cases.len();
    }
    let binaries: HashSet<&str> = listing.cases.iter().map(|case| &*case.binary.id).collect();
    listing.binaries = binaries.len();
    Ok(listing)
}

/// What a binary holds.
#[derive(Debug, Default)]
struct Answer {
    tests: Vec<String>,
    ignored: HashSet<String>,
    benchmarks: usize,
}

async fn ask(binary: &TestBinary) -> Result<Answer, ListError> {
    let (all, ignored) = tokio::try_join!(
        run_list(binary, IgnoredTests::Include),
        run_list(binary, IgnoredTests::Only)
    )?;
    let mut answer = Answer::default();
    for line in String::from_utf8_lossy(&all).lines() {
        if let Some(path) = line.strip_suffix(": test") {
            answer.tests.push(path.to_owned());
        } else if line.ends_with(": benchmark") {
            answer.benchmarks += 1;
        }
        // Anything else was printed before `main`, and names no test.
    }
    answer.ignored = String::from_utf8_lossy(&ignored)
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(str::to_owned)
        .collect();
    Ok(answer)
}

async fn run_list(binary: &TestBinary, ignored: IgnoredTests) -> Result<Vec<u8>, ListError> {
    let mut command = tokio::process::Command::from(command(binary));
    command.args(["--list", "--format", "terse"]).stdin(Stdio::null()).kill_on_drop(true);
    if ignored == IgnoredTests::Only {
        command.arg("--ignored");
    }
    let names = || (binary.id.clone(), program(binary));
    let Output { status, stdout, stderr } = match timeout(LIST_WAIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(source)) => {
            let (binary, program) = names();
            return Err(ListError::Spawn { binary, program, source });
        }
        Err(_) => {
            let (binary, program) = names();
            return Err(ListError::TimedOut { binary, program });
        }
    };
    if status.success() {
        return Ok(stdout);
    }
    let tail = &stderr[stderr.len().saturating_sub(STDERR_TAIL)..];
    let tail = String::from_utf8_lossy(tail);
    let tail = tail.trim_end();
    let stderr_tail = if tail.is_empty() { String::new() } else { format!("\n{tail}") };
    let (binary, program) = names();
    Err(ListError::Exit { binary, program, status, stderr_tail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing::script_binary;

    #[tokio::test]
    async fn tests_are_listed_in_order_with_filters_and_whole_units() {
        let libtest = script_binary(
            "lib",
            true,
            r#"
            case "$*" in
            "--list --format terse") printf 'noise\nb: test\na: test\na::slow: test\nc: benchmark\n' ;;
            "--list --format terse --ignored") printf 'a::slow: test\n' ;;
            *) exit 9 ;;
            esac
            test -z "$__CARGO_CONCAUDIT_REGISTRY" && test "$MINE" = yes && test "$PWD" = /
            "#,
        );
        let unit = script_binary("unit", false, "exit 1");
        let binaries = [unit, libtest];
        let listing = list(&binaries, &TestFilter::default()).await.unwrap();
        let names: Vec<_> = listing.cases.iter().map(TestCase::full_name).collect();
        assert_eq!(names, ["unit", "lib b", "lib a"]);
        assert_eq!((listing.skipped, listing.benchmarks, listing.binaries), (1, 1, 2));

        let filter = TestFilter {
            patterns: vec!["slow".to_owned()],
            ignored: IgnoredTests::Include,
            ..TestFilter::default()
        };
        let listing = list(&binaries, &filter).await.unwrap();
        let names: Vec<_> = listing.cases.iter().map(TestCase::full_name).collect();
        assert_eq!(names, ["unit", "lib a::slow"], "name filters are not for whole units");
        assert!(listing.cases[1].ignored);
    }

    #[tokio::test]
    async fn a_binary_that_cannot_be_listed_says_why() {
        let broken = script_binary("broken", true, "echo no such library >&2; exit 127");
        let error = list(&[broken], &TestFilter::default()).await.unwrap_err().to_string();
        assert!(error.contains("broken") && error.ends_with("\nno such library"), "{error}");
    }
}
