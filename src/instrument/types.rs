//! What the build hands to the run.

use std::{ffi::OsString, sync::Arc, time::Duration};

use camino::Utf8PathBuf;

use super::kept::InUse;
use crate::project::Project;

/// An instrumented build.
#[derive(Debug)]
pub struct Build {
    /// The project that was built.
    pub project: Arc<Project>,
    /// In cargo's order.
    pub binaries: Vec<Arc<TestBinary>>,
    /// What was instrumented: "tokio 1.54.1".
    pub instrumented: Vec<String>,
    /// What was not, and why: a fragment that a person can act on.
    pub not_instrumented: Vec<String>,
    /// Packages with doctests, which cargo would run besides; none where the user chose
    /// targets.
    pub with_doctests: Vec<String>,
    /// Those of them that concern the project's own crates.
    pub first_party_losses: Vec<String>,
    /// Wall time.
    pub duration: Duration,
    /// Keeps it from being removed while its tests run.
    pub _in_use: Vec<InUse>,
}

/// One test binary, and how cargo would run it.
#[derive(Debug)]
pub struct TestBinary {
    /// As nextest names it: `package` for its library's unit tests,
    /// `package::target` for an integration test, `package::bin/target`, ...
    pub id: String,
    /// The package's name.
    pub package: String,
    /// The target's name, as a crate name: `my_crate`.
    pub crate_name: String,
    /// A program instead of tests.
    pub is_program: bool,
    /// Its own crate is compiled with optimisation.
    pub is_optimised: bool,
    /// The executable, absolute.
    pub exe: Utf8PathBuf,
    /// Whether it answers `--list` (libtest), or is one unit (`harness = false`).
    pub harness: bool,
    /// Where it runs: the package's folder.
    pub working_directory: Utf8PathBuf,
    /// What cargo adds to the environment: `CARGO_MANIFEST_DIR`, library path,
    /// `[env]` of the configuration, ...
    pub environment: Vec<(OsString, OsString)>,
    /// The `target.<triple>.runner` of the configuration, program first; empty
    /// where there is none.
    pub runner: Vec<OsString>,
}
