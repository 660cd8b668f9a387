//! Stand-ins with the shapes that the rooms of `instrument` and `run` will
//! have. MERGE: delete this file, import from the rooms instead (the lines
//! below `// MERGE` in `args.rs`, `console.rs`, `audit.rs` and `dispatch.rs`), and the module
//! `rooms` (its file is written, and left out of `mod.rs` until then) replaces
//! `pending::rooms`.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct BuildArgs {
    /// Package to run tests for
    #[arg(short, long = "package", value_name = "SPEC", help_heading = "Package selection")]
    pub packages: Vec<String>,
    /// Test only this package's library
    #[arg(long, help_heading = "Target selection")]
    pub lib: bool,
    /// Test only the specified test target
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub test: Vec<String>,
    /// Number of parallel jobs of the build, defaults to # of CPUs
    #[arg(short, long, value_name = "N", help_heading = "Compilation options")]
    pub jobs: Option<String>,
    /// Build artifacts in release mode, with optimizations
    #[arg(short, long, help_heading = "Compilation options")]
    pub release: bool,
    /// Directory for all generated artifacts
    #[arg(long, value_name = "DIRECTORY", help_heading = "Compilation options")]
    pub target_dir: Option<Utf8PathBuf>,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Manifest options")]
    pub manifest_path: Option<Utf8PathBuf>,
    /// Run without accessing the network
    #[arg(long, help_heading = "Manifest options")]
    pub offline: bool,
}

#[derive(Debug)]
pub enum BuildEvent<'a> {
    ProbeWaiting { lock: &'a Utf8Path },
    ProbeStarted { folder: &'a Utf8Path },
    ProbeCompiled { crates: usize },
    ProbeFinished { crates: usize, elapsed: Duration },
    BuildStarted { target: &'a str },
    Compiled { crates: usize },
    BuildFinished { binaries: usize, elapsed: Duration },
}

/// The adapters that `rooms.rs` replaces.
pub mod rooms {
    use crate::{
        cli::{
            args::{CleanOptions, GlobalOptions, RuleOptions, SetupOptions, TestOptions},
            audit::Executed,
            console::Console,
            exit::ExpectedError,
        },
        instrument::Build,
        model,
        report::finding::Finding,
        run::TestRun,
    };

    fn missing<T>(room: &str) -> Result<T, ExpectedError> {
        Err(anyhow::anyhow!("the room `{room}` is not part of this branch").into())
    }

    pub fn build(
        _: &TestOptions,
        _: &GlobalOptions,
        _: &mut Console,
    ) -> Result<Build, ExpectedError> {
        missing("instrument")
    }

    pub fn execute(_: &Build, _: &TestOptions, _: &mut Console) -> Result<Executed, ExpectedError> {
        missing("run")
    }

    pub fn model(build: &Build, _: &[TestRun]) -> model::Run {
        model::Run { project: std::sync::Arc::clone(&build.project), tests: Vec::new() }
    }

    pub fn findings(_: &model::Run, _: &RuleOptions) -> Vec<Finding> {
        Vec::new()
    }

    pub fn setup(_: &SetupOptions, _: &mut Console) -> Result<(), ExpectedError> {
        missing("instrument")
    }

    pub fn clean(_: &CleanOptions, _: &mut Console) -> Result<(), ExpectedError> {
        missing("instrument")
    }
}
