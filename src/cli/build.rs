//! The instrumented build, as the command line asks for it.

use super::{
    args::{ColorChoice, GlobalOptions, TestOptions},
    console::Console,
    exit::ExpectedError,
};
use crate::instrument::{self, Build, BuildError, BuildOptions, ProgramChoice};

/// Builds the instrumented tests.
pub fn build(
    options: &TestOptions,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<Build, ExpectedError> {
    let build = build_options(options, None, global);
    instrument::build(&build, &mut |event| console.build_event(&event)).map_err(build_error)
}

/// Builds an instrumented program.
pub fn build_program(
    options: &TestOptions,
    choice: ProgramChoice,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<Build, ExpectedError> {
    let build = build_options(options, Some(choice), global);
    instrument::build(&build, &mut |event| console.build_event(&event)).map_err(|error| {
        match build_error(error) {
            ExpectedError::BuildFailed => {
                ExpectedError::Tool(anyhow::Error::msg("failed to build the program"))
            }
            error => error,
        }
    })
}

fn build_options(
    options: &TestOptions,
    program: Option<ProgramChoice>,
    global: &GlobalOptions,
) -> BuildOptions {
    BuildOptions {
        program,
        args: options.build.clone(),
        first_party: options.rules.first_party.clone(),
        locks: options.rules.locks.clone(),
        message_format: options.message_format.clone(),
        quiet: global.quiet,
        verbose: global.verbose.saturating_sub(1),
        color: global.color.map(|color| {
            match color {
                ColorChoice::Auto => "auto",
                ColorChoice::Always => "always",
                ColorChoice::Never => "never",
            }
            .to_owned()
        }),
    }
}

/// What of a failed build is the user's slip of the pen, and what is more.
pub fn build_error(error: BuildError) -> ExpectedError {
    match error {
        BuildError::NotAProject { .. }
        | BuildError::NoManifest { .. }
        | BuildError::FirstPartyNotFound { .. }
        | BuildError::UnsupportedTarget { .. }
        | BuildError::CurrentFolder(_)
        | BuildError::Program(_)
        | BuildError::Configuration(_) => ExpectedError::Usage(error.into()),
        // It has no causes that the text would lose.
        BuildError::PackageNotFound { .. } => {
            ExpectedError::NothingAudited { reason: error.to_string() }
        }
        // Cargo has said why.
        BuildError::Compile { .. } => ExpectedError::BuildFailed,
        error => ExpectedError::Tool(error.into()),
    }
}

/// Whether the project may have a test with this word in its name.
pub fn is_mentioned(options: &TestOptions, word: &str) -> Result<bool, ExpectedError> {
    instrument::is_mentioned(&options.build, word).map_err(build_error)
}

/// Runs the doctests as `cargo test` would. Returns whether all passed.
pub fn run_doctests(options: &TestOptions, global: &GlobalOptions) -> Result<bool, ExpectedError> {
    let arguments: Vec<String> =
        [options.select.filters.clone(), options.select.libtest_arguments()].concat();
    let verbose = global.verbose.saturating_sub(1);
    instrument::run_doctests(&options.build, verbose, global.quiet, &arguments).map_err(build_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_told_from_nothing_to_audit_and_from_a_failure() {
        let name = || "shopp".to_owned();
        let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
        for (error, code) in [
            (BuildError::FirstPartyNotFound { name: name(), workspace: "/w".into() }, 2),
            (BuildError::CurrentFolder(gone), 2),
            (BuildError::UnsupportedTarget { target: name() }, 2),
            (
                BuildError::PackageNotFound {
                    name: name(),
                    workspace: "/w".into(),
                    suggestion: String::new(),
                },
                4,
            ),
            (BuildError::Metadata { diagnostics: String::new() }, 101),
        ] {
            assert_eq!(build_error(error).process_exit_code(), code);
        }
    }

    #[test]
    fn a_usage_error_keeps_its_cause() {
        let gone = std::io::Error::other("it is gone");
        let error = build_error(BuildError::CurrentFolder(gone));
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("it is gone"));
    }
}
