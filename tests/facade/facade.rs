//! Where the facade is: in the probe's cache, which the tests against the fixtures share.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

/// The facade, ready to be linked.
#[derive(Debug)]
pub struct Facade {
    /// The library that stands in for `std`.
    pub library: PathBuf,
    /// The folder of all that it needs.
    pub dependencies: PathBuf,
}

/// Built by the built binary, the first time.
pub static FACADE: LazyLock<Facade> = LazyLock::new(|| {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-concaudit"))
        .args(["concaudit", "setup", "--color=never"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env(
            "CARGO_CONCAUDIT_CACHE_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures/cache"),
        )
        .stdin(Stdio::null())
        .output()
        .expect("the built binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the probe is not built\n{said}");
    let dependencies = said
        .lines()
        .find_map(|line| line.split_once("the probe for ")?.1.split_once(" is in "))
        .map_or_else(
            || panic!("the folder of the probe is not told\n{said}"),
            |(_, folder)| PathBuf::from(folder),
        );
    let library = fs_err::read_dir(&dependencies)
        .expect("the folder of the probe is there")
        .map(|entry| entry.expect("can be listed").path())
        .find(|path| {
            let name = path.file_stem().and_then(|name| name.to_str());
            let is_library = path.extension().is_some_and(|extension| extension == "rlib");
            is_library && name.is_some_and(|name| name.starts_with("libconcaudit_std-"))
        })
        .expect("the probe has a facade of std");
    Facade { library, dependencies }
});
