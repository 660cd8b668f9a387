//! Who calls whom.
//!
//! ```text
//! cargo concaudit ...          the user, or CI
//!   └ main → run               no wrapper call, so the command line decides
//!       ├ (none) | test        audit::audit: build, run, model, audit, report
//!       │   ├ cargo test --no-run, with this binary as RUSTC_WRAPPER
//!       │   │   └ main → instrument::wrapper    once per crate
//!       │   └ main → run::guard    ends what is left where this tool is killed
//!       ├ run                  run::run_and_audit: a program instead of tests
//!       ├ setup                builds the probe into the cache
//!       ├ clean                removes what was built
//!       ├ config               the settings in force
//!       ├ report | diff | merge  JSON reports in other formats, compared, joined
//!       └ rules | explain | schema | completions        print and are done
//! ```

use std::{env, process::ExitCode};

use anyhow::Context as _;

use super::{
    args::{self, Command, GlobalOptions, Invocation, SchemaOf},
    audit, clean, completions,
    console::Console,
    diff,
    exit::{self, ExpectedError},
    man, report_file, rules,
    settings::Settings,
    setup,
};
use crate::{
    config,
    report::json,
    rules::{RULE_NAMES, page},
};

/// Does what the command line says.
pub fn run() -> ExitCode {
    let invocation = match args::parse(env::args_os()) {
        Ok(invocation) => invocation,
        // Help and version are "errors" of clap's, with code 0.
        Err(error) => {
            return ExitCode::from(u8::try_from(Console::usage(&error)).unwrap_or(exit::USAGE));
        }
    };
    let mut console = Console::new(&invocation.global);
    match perform(&invocation, &mut console) {
        Ok(()) => ExitCode::from(exit::CLEAN),
        Err(error) => {
            if !error.is_told_by_report() {
                console.error(&error);
            }
            ExitCode::from(error.process_exit_code())
        }
    }
}

/// Ends the other program that this binary is, the rustc wrapper: cargo shows
/// what it prints, and takes any code but 0 for a crate that does not compile.
pub fn end_wrapper<E>(result: Result<ExitCode, E>) -> ExitCode
where
    E: std::error::Error + Send + Sync + 'static,
{
    result.unwrap_or_else(|error| {
        let error = ExpectedError::Tool(error.into());
        Console::new(&GlobalOptions::default()).error(&error);
        ExitCode::from(error.process_exit_code())
    })
}

fn perform(invocation: &Invocation, console: &mut Console) -> Result<(), ExpectedError> {
    match &invocation.command {
        Command::Test(options) => {
            let settings = Settings::read(options)?;
            audit::audit(&settings, &invocation.global, console)
        }
        Command::Config(options) => {
            let settings = Settings::read(options)?;
            print(console, &settings.tell())
        }
        Command::Run(options) => {
            let test = options.test.as_deref().context("the options are there once parsed")?;
            let settings = Settings::read(test)?;
            super::run::run_and_audit(options, &settings, &invocation.global, console)
        }
        Command::Setup(options) => setup::setup(options, console),
        Command::Clean(options) => clean::clean(options, console),
        Command::Explain(options) => match &options.rule {
            Some(rule) => print(console, page(rule).unwrap_or_default()),
            None => print(console, &rules::list()),
        },
        Command::Diff(options) => diff::diff(options, console),
        Command::Merge(options) => report_file::merge(options, console),
        Command::Report(options) => report_file::report(options, console),
        Command::Rules => print(console, &rules::list()),
        Command::Schema(options) => {
            let schema = match options.of {
                SchemaOf::Report => json::schema(),
                SchemaOf::Settings => config::schema(RULE_NAMES),
            };
            print(console, &schema.map_err(anyhow::Error::from)?)
        }
        Command::Man(options) => print(console, &man::page(options.subcommand.as_deref())?),
        Command::Completions(options) => print(console, &completions::script(options.shell)),
    }
}

fn print(console: &mut Console, text: &str) -> Result<(), ExpectedError> {
    console
        .report(text)
        .map_err(|source| ExpectedError::WriteReport { path: "standard output".into(), source })
}
