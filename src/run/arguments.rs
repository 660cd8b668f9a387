//! The arguments of test binaries, as libtest understands them.

use std::num::NonZeroUsize;

use super::partition::Partition;

/// An argument that makes no sense here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    #[error("failed to read the arguments after `--`: `{option}` needs a value")]
    MissingValue { option: String },
    #[error(
        "failed to read the arguments after `--`: `--test-threads {value}` is not a number above 0"
    )]
    TestThreads { value: String },
    #[error(
        "failed to read the arguments after `--`: `{option}` runs no tests, so nothing would be \
         audited: use {instead}",
        instead = match option.as_str() {
            "--list" => "`cargo concaudit --list`".to_owned(),
            option => format!("`cargo test -- {option}`"),
        }
    )]
    RunsNothing { option: String },
}

/// Which tests the `#[ignore]` attribute leaves out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IgnoredTests {
    /// Those that have it.
    #[default]
    Skip,
    /// Those that lack it (`--ignored`).
    Only,
    /// None (`--include-ignored`).
    Include,
}

/// Which tests of a binary are run, by libtest's rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestFilter {
    /// A test must match one of them, if there are any.
    pub patterns: Vec<String>,
    /// A test must match none of them.
    pub skip: Vec<String>,
    /// To match is to be equal, not to contain; for `skip` as well.
    pub exact: bool,
    /// Whether `#[ignore]`d tests are run.
    pub ignored: IgnoredTests,
    /// Of what is left then, only this part is run; whole units are tests here.
    pub partition: Option<Partition>,
}

impl TestFilter {
    /// Whether the test at `path` is to run.
    pub fn selects(&self, path: &str, ignored: bool) -> bool {
        let matches =
            |pattern: &String| if self.exact { path == pattern } else { path.contains(&**pattern) };
        let by_attribute = match self.ignored {
            IgnoredTests::Skip => !ignored,
            IgnoredTests::Only => ignored,
            IgnoredTests::Include => true,
        };
        by_attribute
            && (self.patterns.is_empty() || self.patterns.iter().any(matches))
            && !self.skip.iter().any(matches)
    }
}

/// What stands after `--`, with the filters before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestArguments {
    /// Which tests are run.
    pub filter: TestFilter,
    /// `--test-threads`: how many tests run at once.
    pub test_threads: Option<NonZeroUsize>,
    /// `--nocapture`: output is passed through, not captured.
    pub no_capture: bool,
    /// `--show-output`: the output of passed tests is shown as well.
    pub show_output: bool,
    /// What every libtest process gets besides: options that are not about
    /// which tests run.
    pub passthrough: Vec<String>,
    /// Everything as it was written: what a `harness = false` binary gets.
    pub raw: Vec<String>,
}

impl TestArguments {
    /// Reads the filters that stand before `--` and the arguments after it.
    pub fn parse(filters: &[String], arguments: &[String]) -> Result<Self, ArgumentsError> {
        let mut parsed = Self { raw: [filters, arguments].concat(), ..Self::default() };
        parsed.filter.patterns = filters.to_vec();
        let mut arguments = arguments.iter();
        let mut only_filters = false;
        while let Some(argument) = arguments.next() {
            if only_filters || !argument.starts_with('-') {
                parsed.filter.patterns.push(argument.clone());
                continue;
            }
            let (option, inline) = match argument.split_once('=') {
                Some((option, value)) if option.starts_with("--") => {
                    (option, Some(value.to_owned()))
                }
                _ => (argument.as_str(), None),
            };
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| arguments.next().cloned())
                    .ok_or_else(|| ArgumentsError::MissingValue { option: option.to_owned() })
            };
            match option {
                "--" => only_filters = true,
                "--skip" => parsed.filter.skip.push(value()?),
                "--exact" => parsed.filter.exact = true,
                // libtest refuses both together; here the wider one counts.
                "--ignored" => {
                    if parsed.filter.ignored == IgnoredTests::Skip {
                        parsed.filter.ignored = IgnoredTests::Only;
                    }
                }
                "--include-ignored" => parsed.filter.ignored = IgnoredTests::Include,
                "--test-threads" => {
                    let value = value()?;
                    let threads =
                        value.parse().map_err(|_| ArgumentsError::TestThreads { value })?;
                    parsed.test_threads = Some(threads);
                }
                "--nocapture" | "--no-capture" => parsed.no_capture = true,
                "--show-output" => parsed.show_output = true,
                // `--bench` turns tests off.
                "--list" | "--bench" | "--help" | "-h" => {
                    return Err(ArgumentsError::RunsNothing { option: option.to_owned() });
                }
                "--logfile" | "--color" | "--format" | "--shuffle-seed" | "-Z" => {
                    let value = value()?;
                    parsed.passthrough.extend([option.to_owned(), value]);
                }
                _ => parsed.passthrough.push(argument.clone()),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(filters: &[&str], arguments: &[&str]) -> Result<TestArguments, ArgumentsError> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        TestArguments::parse(&owned(filters), &owned(arguments))
    }

    #[test]
    fn arguments_are_understood_as_libtest_does_and_the_rest_is_passed_on() {
        let parsed = parse(
            &["before"],
            &[
                "--skip",
                "slow",
                "after",
                "--skip=net",
                "--test-threads=3",
                "--nocapture",
                "-Z",
                "unstable-options",
                "--report-time",
                "--format",
                "json",
            ],
        )
        .unwrap();
        assert_eq!(parsed.filter.patterns, ["before", "after"]);
        assert_eq!(parsed.filter.skip, ["slow", "net"]);
        assert_eq!(parsed.test_threads, NonZeroUsize::new(3));
        assert!(parsed.no_capture && !parsed.show_output);
        assert_eq!(
            parsed.passthrough,
            ["-Z", "unstable-options", "--report-time", "--format", "json"]
        );
        assert_eq!(parsed.raw.len(), 12);
    }

    #[test]
    fn arguments_that_cannot_be_meant_are_refused() {
        assert!(matches!(parse(&[], &["--skip"]), Err(ArgumentsError::MissingValue { .. })));
        assert!(matches!(
            parse(&[], &["--test-threads", "0"]),
            Err(ArgumentsError::TestThreads { .. })
        ));
        for option in ["--list", "--bench"] {
            assert!(matches!(parse(&[], &[option]), Err(ArgumentsError::RunsNothing { .. })));
        }
    }

    #[test]
    fn filters_match_as_in_cargo_test() {
        let select = |filter: &TestFilter| -> Vec<&str> {
            [("a::one", false), ("a::one_more", false), ("b::two", false), ("b::slow", true)]
                .into_iter()
                .filter(|(path, ignored)| filter.selects(path, *ignored))
                .map(|(path, _)| path)
                .collect()
        };
        let with = |filters: &[&str], arguments: &[&str]| parse(filters, arguments).unwrap().filter;
        assert_eq!(select(&with(&[], &[])), ["a::one", "a::one_more", "b::two"]);
        assert_eq!(select(&with(&["one", "two"], &[])), ["a::one", "a::one_more", "b::two"]);
        assert_eq!(select(&with(&["a::one"], &["--exact"])), ["a::one"]);
        assert_eq!(select(&with(&["a::"], &["--skip", "one", "--exact"])), [""; 0]);
        assert_eq!(select(&with(&[], &["--skip", "one"])), ["b::two"]);
        assert_eq!(select(&with(&[], &["--ignored"])), ["b::slow"]);
        assert_eq!(select(&with(&["b"], &["--include-ignored"])), ["b::two", "b::slow"]);
    }
}
