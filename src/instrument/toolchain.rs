//! Which cargo and rustc the project would use.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A toolchain, as seen from the project.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// The cargo to call within the project.
    pub cargo: OsString,
    /// The compiler to call elsewhere: not rustup's proxy, which would choose
    /// by the folder that it is called in.
    pub rustc: PathBuf,
    /// The cargo to call elsewhere, for the same reason.
    pub bare_cargo: OsString,
    /// The output of `rustc -vV`.
    pub verbose_version: String,
    /// The `release:` line of it, `1.95.0`.
    pub release: String,
    /// The `host:` line of it.
    pub host: String,
    /// The compiler's installation.
    pub sysroot: PathBuf,
}

/// Why a toolchain could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// The compiler cannot be started.
    #[error("failed to run `{program} {arguments}`; is a Rust toolchain installed?")]
    Spawn {
        program: String,
        arguments: &'static str,
        #[source]
        source: io::Error,
    },
    /// The compiler does not answer as rustc does.
    #[error("failed to ask `{program} {arguments}`: {output}")]
    Answer { program: String, arguments: &'static str, output: String },
}

impl Toolchain {
    /// Asks the given compiler, called within `folder` (rustup chooses the
    /// toolchain by the folder), what it is.
    pub fn of(rustc: &Path, cargo: OsString, folder: &Path) -> Result<Self, ToolchainError> {
        let verbose_version = ask(rustc, "-vV", folder)?;
        let field = |name: &str| {
            verbose_version
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .map(str::to_owned)
                .ok_or_else(|| ToolchainError::Answer {
                    program: rustc.display().to_string(),
                    arguments: "-vV",
                    output: verbose_version.clone(),
                })
        };
        let release = field("release")?;
        let host = field("host")?;
        let sysroot = PathBuf::from(ask(rustc, "--print=sysroot", folder)?.trim());
        let in_sysroot = |name: &str| {
            Some(sysroot.join("bin").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
                .filter(|path| path.is_file())
        };
        Ok(Self {
            rustc: in_sysroot("rustc").unwrap_or_else(|| rustc.to_owned()),
            bare_cargo: in_sysroot("cargo").map_or_else(|| cargo.clone(), Into::into),
            cargo,
            verbose_version,
            release,
            host,
            sysroot,
        })
    }

    /// Where the compiler keeps the libraries of `target`.
    pub fn library_folder(&self, target: &str) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(target).join("lib")
    }
}

fn ask(rustc: &Path, argument: &'static str, folder: &Path) -> Result<String, ToolchainError> {
    let Output { status, stdout, stderr } =
        Command::new(rustc).arg(argument).current_dir(folder).output().map_err(|source| {
            ToolchainError::Spawn {
                program: rustc.display().to_string(),
                arguments: argument,
                source,
            }
        })?;
    match String::from_utf8(stdout) {
        Ok(answer) if status.success() => Ok(answer),
        _ => Err(ToolchainError::Answer {
            program: rustc.display().to_string(),
            arguments: argument,
            output: String::from_utf8_lossy(&stderr).trim().to_owned(),
        }),
    }
}
