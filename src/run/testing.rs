//! Shell scripts that pass for test binaries.

use std::sync::Arc;

use crate::instrument::TestBinary;

/// A binary whose `runner` is a shell that runs `script` and ignores the
/// executable; nothing is written to disk. The script sees the binary's
/// arguments as its own.
pub fn script_binary(id: &str, harness: bool, script: &str) -> Arc<TestBinary> {
    Arc::new(TestBinary {
        id: id.to_owned(),
        package: id.to_owned(),
        crate_name: id.to_owned(),
        is_program: false,
        is_optimised: false,
        exe: "/no/such/executable".into(),
        harness,
        working_directory: "/".into(),
        environment: vec![("MINE".into(), "yes".into())],
        runner: vec!["/bin/sh".into(), "-c".into(), script.into()],
    })
}
