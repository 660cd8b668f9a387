//! Where the facade is: the probe's cache that all tests share.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    time::SystemTime,
};

use fs_err as fs;

/// The facade, ready to be linked.
#[derive(Debug)]
pub struct Facade {
    /// The library that stands in for `std`.
    pub library: PathBuf,
    /// The folder of all that it needs.
    pub dependencies: PathBuf,
}

/// What is read of `probe.json`.
#[derive(Debug, serde::Deserialize)]
struct Stamp {
    facades: HashMap<String, String>,
}

/// Built by the built binary, the first time.
pub static FACADE: LazyLock<Facade> = LazyLock::new(|| {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures/cache");
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-concaudit"))
        .args(["concaudit", "setup"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_CONCAUDIT_CACHE_DIR", &cache)
        .stdin(Stdio::null())
        .output()
        .expect("the built binary starts");
    assert!(
        output.status.success(),
        "the probe is not built\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let probe = current_probe(&cache.join("probe"));
    let stamp = fs::read(probe.join("probe.json")).expect("a finished probe has a stamp");
    let stamp: Stamp = serde_json::from_slice(&stamp).expect("the stamp is JSON");
    let dependencies = probe.join("deps");
    Facade { library: dependencies.join(&stamp.facades["concaudit_std"]), dependencies }
});

/// Of the probes in a cache, the one that was made of this repository's sources;
/// the newest one, should there be one for each of several toolchains.
fn current_probe(room: &Path) -> PathBuf {
    let mut probes: Vec<(SystemTime, PathBuf)> = fs::read_dir(room)
        .expect("the cache is there")
        .map(|entry| entry.expect("can be listed").path())
        .filter(|path| is_current(&path.join("src/probe")))
        .filter_map(|path| {
            Some((fs::metadata(path.join("probe.json")).ok()?.modified().ok()?, path))
        })
        .collect();
    probes.sort();
    probes.pop().expect("the probe that was just set up is in the cache").1
}

/// Whether a probe's sources are what the repository has.
fn is_current(unpacked: &Path) -> bool {
    fn same(folder: &Path, unpacked: &Path) -> bool {
        fs::read_dir(folder).expect("can be listed").all(|entry| {
            let path = entry.expect("can be listed").path();
            let name = path.file_name().expect("has a name").to_string_lossy().into_owned();
            let twin = unpacked.join(name.strip_suffix(".in").unwrap_or(&name));
            if name == "target" || name.starts_with('.') {
                true
            } else if path.is_dir() {
                same(&path, &twin)
            } else {
                fs::read(&twin).is_ok_and(|twin| twin == fs::read(&path).expect("can be read"))
            }
        })
    }
    same(&Path::new(env!("CARGO_MANIFEST_DIR")).join("probe"), unpacked)
}
