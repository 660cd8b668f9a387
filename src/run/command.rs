//! How a test binary is started: where, through what, and with which
//! environment.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
    process::Command,
};

use crate::instrument::TestBinary;

/// Variables of ours; a test that runs cargo must see none of them.
const OURS: &str = "__CARGO_CONCAUDIT_";
/// Variables that hold our own executable while an audited build runs.
const WRAPPERS: [&str; 4] = [
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];

/// The binary as cargo would run it, through its `runner` where it has one;
/// without the variables that an audited build adds.
pub fn command(binary: &TestBinary) -> Command {
    let mut words = binary.runner.iter().map(OsString::as_os_str);
    let mut command = match words.next() {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.args(words).arg(&binary.exe);
            command
        }
        None => Command::new(&binary.exe),
    };
    let own_exe = env::current_exe().ok();
    for (name, value) in env::vars_os() {
        if is_ours(&name, &value, own_exe.as_deref()) {
            command.env_remove(name);
        }
    }
    command.current_dir(&binary.working_directory);
    command.envs(binary.environment.iter().map(|(name, value)| (name, value)));
    command
}

/// The program that [`command`] starts, for messages.
pub fn program(binary: &TestBinary) -> String {
    binary.runner.first().map_or_else(
        || binary.exe.to_string(),
        |runner| format!("{} {}", runner.to_string_lossy(), binary.exe),
    )
}

fn is_ours(name: &OsStr, value: &OsStr, own_exe: Option<&Path>) -> bool {
    if name.as_encoded_bytes().starts_with(OURS.as_bytes()) {
        return true;
    }
    WRAPPERS.iter().any(|wrapper| name == *wrapper)
        && own_exe.is_some_and(|own| {
            let value = Path::new(value);
            value == own || fs_err::canonicalize(value).is_ok_and(|path| path == own)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_of_an_audited_build_are_taken_away() {
        let own = env::current_exe().unwrap();
        let check = |name: &str, value: &OsStr| is_ours(name.as_ref(), value, Some(&own));
        assert!(check("__CARGO_CONCAUDIT_TOKEN", "1".as_ref()));
        assert!(check("RUSTC_WRAPPER", own.as_os_str()));
        assert!(!check("RUSTC_WRAPPER", "sccache".as_ref()), "the user's own wrapper stays");
        assert!(!check("RUSTFLAGS", own.as_os_str()));
    }
}
