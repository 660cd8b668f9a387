//! Why a build did not come about.

use std::{io, process::ExitStatus};

use camino::Utf8PathBuf;

use super::{
    configuration::ConfigurationError, probe::ProbeError, program::ProgramError,
    toolchain::ToolchainError,
};

/// Why there are no instrumented tests.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Nothing to build.
    #[error(
        "failed to find a Cargo.toml in {folder} or any folder above it; go to a project, or name one with `--manifest-path`"
    )]
    NotAProject { folder: Utf8PathBuf },
    /// `--manifest-path` is wrong.
    #[error("failed to find the manifest {path}")]
    NoManifest { path: Utf8PathBuf },
    /// `-p` is wrong, and there is nothing to audit.
    #[error("failed to find the package `{name}` in the workspace at {workspace}{suggestion}")]
    PackageNotFound { name: String, workspace: Utf8PathBuf, suggestion: String },
    /// `--first-party` is wrong.
    #[error(
        "failed to find the package `{name}`, named by `--first-party`, among the dependencies of the workspace at {workspace}"
    )]
    FirstPartyNotFound { name: String, workspace: Utf8PathBuf },
    /// Cargo cannot read the project; it says why.
    #[error("failed to read the project's metadata\n{diagnostics}")]
    Metadata { diagnostics: String },
    /// The test sources do not compile, or cargo could not begin. Cargo has
    /// said so on standard error.
    #[error("failed to build the tests; cargo ended with {status}")]
    Compile { status: ExitStatus },
    /// Cargo does not start.
    #[error("failed to run `{program}`")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },
    /// The target directory is read-only or full.
    #[error("failed to {action} {path}; choose another folder with `--target-dir`")]
    TargetDir {
        action: &'static str,
        path: Utf8PathBuf,
        #[source]
        source: io::Error,
    },
    /// There is no probe for it.
    #[error(
        "failed to audit for the target `{target}`: the probe is for Linux on x86-64 (and, untested, on aarch64)"
    )]
    UnsupportedTarget { target: String },
    /// A run uses what is to be removed.
    #[error(
        "failed to remove the instrumented builds in {path}: another run is using them; try again when it has ended"
    )]
    BuildInUse { path: Utf8PathBuf },
    /// The current folder is gone.
    #[error("failed to find the current folder; go to one that exists")]
    CurrentFolder(#[source] io::Error),
    /// A path is not UTF-8.
    #[error("failed to use the path {path}: {reason}")]
    Path { path: String, reason: String },
    /// It is not known which program is meant.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Cargo's configuration cannot be followed.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// rustc does not say what it is.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The probe cannot be built.
    #[error(transparent)]
    Probe(#[from] ProbeError),
}
