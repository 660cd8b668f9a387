//! The environment that cargo gives a test, rebuilt: see `Compilation::fill_env`
//! in cargo's sources, whose order this follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{BuildScript, Package};

/// Where the system looks for shared libraries.
const LIBRARY_PATH_ENV: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_FALLBACK_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// What is the same for every test of a build.
#[derive(Debug)]
pub struct Common {
    /// The cargo that built.
    pub cargo: OsString,
    /// `<target dir>/<triple>/<profile>`
    pub output: Utf8PathBuf,
    /// Folders that build scripts put on the linker's path.
    pub native_folders: BTreeSet<Utf8PathBuf>,
    /// Where the compiler keeps the target's libraries.
    pub sysroot_libraries: PathBuf,
    /// The `[env]` table of cargo's configuration.
    pub configured: BTreeMap<String, OsString>,
}

impl Common {
    /// Takes in what a build script said.
    pub fn add_build_script(&mut self, script: &BuildScript) {
        for path in &script.linked_paths {
            let folder = match path.as_str().split_once('=') {
                Some(("native" | "crate" | "dependency" | "framework" | "all", folder)) => {
                    Utf8Path::new(folder)
                }
                _ => path,
            };
            // As cargo does: the system's folders are no business of the
            // loader's path, and can do harm there.
            if folder.starts_with(&self.output) {
                self.native_folders.insert(folder.to_owned());
            }
        }
    }

    fn library_path(&self) -> Option<OsString> {
        let inherited = env::var_os(LIBRARY_PATH_ENV).filter(|value| !value.is_empty());
        let mut folders: Vec<PathBuf> = self.native_folders.iter().map(Into::into).collect();
        folders.push(self.output.clone().into());
        folders.push(self.output.join("deps").into());
        folders.push(self.sysroot_libraries.clone());
        match &inherited {
            Some(inherited) => folders.extend(env::split_paths(inherited)),
            // The loader's defaults, which setting the variable switches off.
            None if cfg!(target_os = "macos") => {
                folders.extend(env::home_dir().map(|home| home.join("lib")));
                folders.extend(["/usr/local/lib", "/usr/lib"].map(PathBuf::from));
            }
            None => {}
        }
        env::join_paths(folders).ok()
    }
}

/// The variables that cargo adds to the environment of a package's test.
/// `rust_version` is the manifest's, as it is written there; `binaries` are the
/// package's own programs, for integration tests and benchmarks.
pub fn of_test(
    common: &Common,
    package: &Package,
    rust_version: &str,
    build_script: Option<&BuildScript>,
    binaries: &BTreeMap<String, Utf8PathBuf>,
) -> Vec<(OsString, OsString)> {
    let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
    let mut set = |name: &str, value: &OsStr| {
        variables.insert(name.into(), value.into());
    };
    if let Some(path) = common.library_path() {
        set(LIBRARY_PATH_ENV, &path);
    }
    if let Some(script) = build_script {
        set("OUT_DIR", script.out_dir.as_ref());
        for (name, value) in &script.env {
            set(name, value.as_ref());
        }
    }
    set("CARGO", &common.cargo);
    let folder = package.manifest_path.parent().unwrap_or(&package.manifest_path);
    set("CARGO_MANIFEST_DIR", folder.as_ref());
    set("CARGO_MANIFEST_PATH", package.manifest_path.as_ref());
    let version = &package.version;
    let path_text =
        |path: &Option<Utf8PathBuf>| path.as_ref().map_or("", |path| path.as_str()).to_owned();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    for (name, value) in [
        ("VERSION", version.to_string()),
        ("VERSION_MAJOR", version.major.to_string()),
        ("VERSION_MINOR", version.minor.to_string()),
        ("VERSION_PATCH", version.patch.to_string()),
        ("VERSION_PRE", version.pre.to_string()),
        ("NAME", package.name.to_string()),
        ("DESCRIPTION", text(&package.description)),
        ("HOMEPAGE", text(&package.homepage)),
        ("REPOSITORY", text(&package.repository)),
        ("LICENSE", text(&package.license)),
        ("LICENSE_FILE", path_text(&package.license_file)),
        ("AUTHORS", package.authors.join(":")),
        ("RUST_VERSION", rust_version.to_owned()),
        ("README", path_text(&package.readme)),
    ] {
        set(&format!("CARGO_PKG_{name}"), value.as_ref());
    }
    for (name, path) in binaries {
        set(&format!("CARGO_BIN_EXE_{name}"), path.as_ref());
    }
    for (name, value) in &common.configured {
        // What cargo sets itself, its configuration does not override.
        variables.entry(name.into()).or_insert_with(|| value.clone());
    }
    variables.into_iter().collect()
}
