//! The probe's server as one object.
//!
//! No crate of the user's sees the server: it brings some fifty crates, whose
//! implementations of traits for types of std would change how the user's code is
//! inferred. Programs are linked with it instead, as with any object. So that each
//! of these links is short, the server's crates are linked with each other ahead of
//! time (`ld -r`), and what of them nobody calls is left out.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::{Command, Output},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::toolchain::Toolchain;

/// The object's name.
pub const OBJECT: &str = "concaudit_server.o";

/// From which the server is reached: see `probe/server/src/start.rs`.
const ENTRY: &str = "__CONCAUDIT_CONSTRUCTOR";

/// What can link objects with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Linker {
    /// A compiler for C, which calls its own.
    Driver(PathBuf),
    /// The one that comes with most toolchains.
    Lld(PathBuf),
}

impl Linker {
    /// In the order in which they are tried: GNU's linker does not read all that lld
    /// writes, while all read what GNU's writes.
    fn all(toolchain: &Toolchain, configured: Option<&PathBuf>) -> Vec<Self> {
        let lld = toolchain.sysroot.join("lib/rustlib").join(&toolchain.host).join("bin/rust-lld");
        let lld = lld.is_file().then_some(Self::Lld(lld));
        let driver = configured.cloned().unwrap_or_else(|| "cc".into());
        std::iter::once(Self::Driver(driver)).chain(lld).collect()
    }

    fn command(&self, libraries: &[Utf8PathBuf], object: &Utf8Path) -> Command {
        let (program, first, prefix): (_, &[&str], _) = match self {
            Self::Lld(program) => (program, &["-flavor", "gnu"], ""),
            // Some make position-independent executables, unless told otherwise.
            Self::Driver(program) => (program, &["-nostdlib", "-no-pie"], "-Wl,"),
        };
        let mut command = Command::new(program);
        command.args(first).arg("-r");
        for option in ["--gc-sections", "--entry", ENTRY, "--undefined", ENTRY, "--start-group"] {
            command.arg(OsString::from(format!("{prefix}{option}")));
        }
        command.args(libraries).arg(format!("{prefix}--end-group")).arg("-o").arg(object);
        command
    }
}

/// Why the object could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{}", attempts.join("\n"))]
pub struct LinkError {
    /// What was tried, with what came of it.
    attempts: Vec<String>,
}

/// Links the server's libraries with each other. `configured` is the linker of the
/// target in cargo's configuration.
pub fn link(
    toolchain: &Toolchain,
    configured: Option<&PathBuf>,
    libraries: &[Utf8PathBuf],
    object: &Utf8Path,
) -> Result<(), LinkError> {
    let mut attempts = Vec::new();
    for linker in Linker::all(toolchain, configured) {
        let mut command = linker.command(libraries, object);
        match command.output() {
            Ok(output) if output.status.success() => return Ok(()),
            result => attempts.push(failure(&command, result)),
        }
    }
    Err(LinkError { attempts })
}

fn failure(command: &Command, result: io::Result<Output>) -> String {
    let why = match result {
        Ok(output) => {
            format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
        }
        Err(error) => error.to_string(),
    };
    format!("failed to run `{} -r`: {why}", command.get_program().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_for_c_passes_each_option_on() {
        let command = Linker::Driver("cc".into()).command(&["a.rlib".into()], "s.o".into());
        let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(
            args.join(" "),
            "-nostdlib -no-pie -r -Wl,--gc-sections -Wl,--entry -Wl,__CONCAUDIT_CONSTRUCTOR \
             -Wl,--undefined -Wl,__CONCAUDIT_CONSTRUCTOR -Wl,--start-group a.rlib \
             -Wl,--end-group -o s.o"
        );
    }

    #[test]
    fn what_was_tried_is_named() {
        let toolchain =
            Toolchain::of("rustc".as_ref(), env!("CARGO").into(), "/".as_ref()).unwrap();
        let toolchain = Toolchain { sysroot: "/nowhere".into(), ..toolchain };
        let linker = PathBuf::from("/nowhere/ld");
        let error = link(&toolchain, Some(&linker), &[], "/nowhere/o".into()).unwrap_err();
        assert!(error.to_string().starts_with("failed to run `/nowhere/ld -r`: No such file"));
    }
}
