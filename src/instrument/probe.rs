//! The probe: built once per toolchain and target, kept in the user's cache.
//!
//! ```text
//! <cache>/probe/<key>.lock      held exclusively while building, shared while in use
//! <cache>/probe/<key>.partial/  a build that is under way, or was interrupted
//! <cache>/probe/<key>/src       the sources, of which some are compiled for each project
//! <cache>/probe/<key>/deps      what instrumented crates are compiled against and linked with
//! <cache>/probe/<key>/probe.json
//! ```
//!
//! Invariant: `<key>/` appears by a rename, complete, or not at all.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs::TryLockError,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{Artifact, Message, TargetKind, semver::Version};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    embedded::{Sources, hash_of, short_hex},
    events::BuildEvent,
    server,
    toolchain::Toolchain,
    wrapper::Libraries,
};

/// Overrides where the probe is kept; an absolute folder, created if missing.
pub const CACHE_DIR_ENV: &str = "CARGO_CONCAUDIT_CACHE_DIR";

/// Names a folder in which cargo's output is kept from one build of the probe to
/// the next: for those who work on the probe.
const BUILD_DIR_ENV: &str = "__CARGO_CONCAUDIT_PROBE_BUILD_DIR";

/// The crates that a user's crates may see: the facades, and what they are made of.
/// Those of them that are named on a command line come first, see [`Libraries`]. All
/// others are the server's.
const VISIBLE: [&str; 5] =
    ["concaudit_tracing", "concaudit_std", "concaudit_std_tokio", "concaudit_core", "libc"];
/// What is compiled for each project.
const COMPILED_LATER: [&str; 2] = ["probe/parking_lot", "probe/lock_api"];
const WORKSPACE_MANIFEST: &str = "probe/Cargo.toml.in";
const STAMP: &str = "probe.json";
/// Enough for the last few diagnostics, not for a flood.
const MAX_DIAGNOSTICS: usize = 16 * 1024;

/// The flags of every probe crate. The metadata keeps the probe's crates apart
/// from equal ones in the user's graph; rustc accepts several `-C metadata` and
/// mixes them all into the crate's identity, cargo's own among them. Nothing is
/// optimised at link time, so nobody needs bitcode.
const RUSTFLAGS: [&str; 3] =
    ["-Cmetadata=concaudit", "-Cembed-bitcode=no", "-Cforce-frame-pointers=yes"];

/// A program that links the C library statically has one `fork`, and the probe
/// must not have another.
const STATIC: &str = "--cfg=concaudit_static";

fn rustflags(options: &ProbeOptions<'_>) -> Vec<&'static str> {
    RUSTFLAGS.into_iter().chain(options.links_statically.then_some(STATIC)).collect()
}

/// A probe that is ready to be linked.
#[derive(Debug)]
pub struct Probe {
    /// The folder of all its libraries.
    pub dependencies: Utf8PathBuf,
    /// Those of them that are named on a command line.
    pub libraries: Libraries,
    /// The folder of its sources.
    pub sources: Utf8PathBuf,
    /// Changes whenever what is linked changes. Crates that were compiled
    /// against another identity cannot be linked with this probe.
    pub identity: String,
    /// Keeps `clean` from removing it under a build's feet.
    _in_use: Option<fs::File>,
}

/// How the probe is to be built.
#[derive(Debug)]
pub struct ProbeOptions<'a> {
    /// The cache folder, see [`cache_dir`].
    pub cache: &'a Utf8Path,
    /// The target triple of the audited crates.
    pub target: &'a str,
    /// The audited programs link the C library statically.
    pub links_statically: bool,
    /// The target's linker in cargo's configuration.
    pub linker: Option<PathBuf>,
    /// Never touch the network.
    pub offline: bool,
    /// As in `cargo build --jobs`.
    pub jobs: Option<&'a str>,
    /// Where cargo's output stays, see [`kept_build_dir`].
    pub build_dir: Option<Utf8PathBuf>,
}

/// Why there is no probe.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No home folder.
    #[error(
        "failed to find the user's cache folder; set {CACHE_DIR_ENV} to a folder that can be written"
    )]
    NoCacheDir,
    /// The path is of no use to cargo.
    #[error(
        "failed to use the cache folder {path}: it is not UTF-8 or not absolute; set {CACHE_DIR_ENV} to another"
    )]
    CacheDirName { path: String },
    /// Full, read-only, not ours, ...
    #[error(
        "failed to {action} in the probe cache at {path}; free or unlock it, or set {CACHE_DIR_ENV} to another folder"
    )]
    Cache {
        action: &'static str,
        path: Utf8PathBuf,
        #[source]
        source: io::Error,
    },
    /// The probe's `rust-version` is not met.
    #[error(
        "failed to build the probe: it needs Rust {needed} or newer, and the project uses {found}; try `cargo +stable concaudit`"
    )]
    ToolchainTooOld { needed: String, found: String },
    /// This binary was put together without the probe.
    #[error(
        "failed to read the embedded probe: {what}; this is a fault of this build of cargo-concaudit"
    )]
    Embedded { what: String },
    /// Offline, and cargo's cache lacks some.
    #[error(
        "failed to build the probe offline: its crates have not been downloaded; run `cargo concaudit setup` while online\n{diagnostics}"
    )]
    CratesMissing { diagnostics: String },
    /// Cargo does not start.
    #[error("failed to run `{cargo}` to build the probe")]
    Spawn {
        cargo: String,
        #[source]
        source: io::Error,
    },
    /// Cargo says why.
    #[error("failed to build the probe for {target} in {folder}\n{diagnostics}")]
    Build { target: String, folder: Utf8PathBuf, diagnostics: String },
    /// No linker, or one that does not do this.
    #[error("failed to link the probe's server for {target}\n{source}")]
    Link {
        target: String,
        #[source]
        source: server::LinkError,
    },
    /// Some other run uses what is to be removed.
    #[error(
        "failed to remove the probe cache at {path}: another run is using it; try again when it has ended"
    )]
    InUse { path: Utf8PathBuf },
}

/// What the stamp file says of a finished probe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamp {
    identity: String,
    /// Crate name to file name, for those in [`VISIBLE`].
    visible: BTreeMap<String, String>,
    /// File name in `deps` to size in bytes; the identity is the hash of what is in them.
    files: BTreeMap<String, u64>,
    /// Path in `src` to a hash of the content, for those files that are still needed.
    sources: BTreeMap<Utf8PathBuf, String>,
}

/// The folder that [`BUILD_DIR_ENV`] names.
pub fn kept_build_dir() -> Option<Utf8PathBuf> {
    env::var(BUILD_DIR_ENV).ok().filter(|kept| !kept.is_empty()).map(Utf8PathBuf::from)
}

/// Where the probe is kept: [`CACHE_DIR_ENV`], else the platform's folder for
/// caches.
pub fn cache_dir() -> Result<Utf8PathBuf, ProbeError> {
    let path = match env::var_os(CACHE_DIR_ENV).filter(|value| !value.is_empty()) {
        Some(path) => path.into(),
        None => directories::ProjectDirs::from("", "", "cargo-concaudit")
            .ok_or(ProbeError::NoCacheDir)?
            .cache_dir()
            .to_owned(),
    };
    match Utf8PathBuf::from_path_buf(path) {
        Ok(path) if path.is_absolute() => Ok(path),
        Ok(path) => Err(ProbeError::CacheDirName { path: path.into_string() }),
        Err(path) => Err(ProbeError::CacheDirName { path: path.display().to_string() }),
    }
}

/// The probe for a toolchain and target, from the cache or built now.
pub fn ensure(
    sources: Sources,
    toolchain: &Toolchain,
    options: &ProbeOptions<'_>,
    events: &mut dyn FnMut(BuildEvent<'_>),
) -> Result<Probe, ProbeError> {
    let all = options.cache.join("probe");
    let key = key(sources, toolchain, options);
    let folder = all.join(&key);
    let lock_path = all.join(format!("{key}.lock"));

    // A finished probe needs no right to write: the cache may be an image's.
    if let Some(probe) = open(&folder, &lock_path, fs::File::try_lock_shared) {
        return Ok(probe);
    }
    require_rust_version(sources, toolchain)?;

    let cache_error = |action| {
        let path = options.cache.to_owned();
        move |source| ProbeError::Cache { action, path, source }
    };
    fs::create_dir_all(&all).map_err(cache_error("create a folder"))?;
    let lock = fs::File::create(&lock_path).map_err(cache_error("create a lock file"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            events(BuildEvent::ProbeWaiting { lock: &lock_path });
            lock.lock().map_err(cache_error("take a lock"))?;
        }
        Err(TryLockError::Error(source)) => return Err(cache_error("take a lock")(source)),
    }
    if read_stamp(&folder).is_none() {
        build(sources, toolchain, options, &folder, events)?;
    }
    lock.unlock().map_err(cache_error("release a lock"))?;
    // Blocking: those who waited with us hold it for a moment each.
    let share = |lock: &fs::File| lock.lock_shared().map_err(TryLockError::Error);
    open(&folder, &lock_path, share).ok_or_else(|| ProbeError::Cache {
        action: "find the finished build",
        path: folder.clone(),
        source: io::ErrorKind::NotFound.into(),
    })
}

/// Removes every probe of the cache, and the cache folder if nothing else is in it.
/// Returns the folder in which they were, and how many; `None` where there was none.
pub fn clean(cache: &Utf8Path) -> Result<Option<(Utf8PathBuf, usize)>, ProbeError> {
    let all = cache.join("probe");
    let entries = match fs::read_dir(&all) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ProbeError::Cache { action: "list files", path: all, source }),
    };
    let mut locks = Vec::new();
    let mut count = 0;
    for path in entries.flatten().map(|entry| entry.path()) {
        count += usize::from(path.join(STAMP).is_file());
        if path.extension() == Some(OsStr::new("lock"))
            && let Ok(lock) = fs::File::open(&path)
        {
            if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
                return Err(ProbeError::InUse { path: all });
            }
            locks.push(lock);
        }
    }
    fs::remove_dir_all(&all).map_err(|source| ProbeError::Cache {
        action: "remove files",
        path: all.clone(),
        source,
    })?;
    // Fails where the user keeps other things there, which is as it should be.
    let _ = fs::remove_dir(cache);
    Ok(Some((all, count)))
}

/// What a probe is built from, in 16 hexadecimal digits.
fn key(sources: Sources, toolchain: &Toolchain, options: &ProbeOptions<'_>) -> String {
    let mut hash = Sha256::new();
    sources.hash_into(&mut hash);
    let parts = [env!("CARGO_PKG_VERSION"), &toolchain.verbose_version, options.target];
    for part in parts.into_iter().chain(rustflags(options)) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    short_hex(hash, 8)
}

/// The finished probe in `folder`, if it is there and whole.
fn open(
    folder: &Utf8Path,
    lock: &Utf8Path,
    share: impl FnOnce(&fs::File) -> Result<(), TryLockError>,
) -> Option<Probe> {
    // Locked before the look, else `clean` could come between.
    let in_use = fs::File::open(lock).ok();
    if let Some(lock) = &in_use {
        // Someone builds or cleans: the caller waits for the lock then.
        share(lock).ok()?;
    }
    let stamp = read_stamp(folder)?;
    let dependencies = folder.join("deps");
    let [tracing, std, std_in_tokio, core, libc] =
        VISIBLE.map(|name| stamp.visible.get(name).map(|file| dependencies.join(file)));
    let core = core?;
    let linked = [server::OBJECT, core.file_name()?, libc.as_ref()?.file_name()?];
    Some(Probe {
        libraries: Libraries {
            linked: linked.map(str::to_owned).to_vec(),
            tracing: tracing?,
            std: std?,
            std_in_tokio: std_in_tokio?,
            core,
        },
        dependencies,
        sources: folder.join("src"),
        identity: stamp.identity,
        _in_use: in_use,
    })
}

/// The stamp of a finished probe whose every file is there, and as it was: caches are
/// pruned by age, file by file, by tools that know nothing of us, and disks lose what
/// they had promised to keep. Reading it all takes less time than one call of rustc.
fn read_stamp(folder: &Utf8Path) -> Option<Stamp> {
    let stamp: Stamp = serde_json::from_slice(&fs::read(folder.join(STAMP)).ok()?).ok()?;
    let is_there =
        |path: Utf8PathBuf, size: u64| fs::metadata(path).is_ok_and(|file| file.len() == size);
    let dependencies = folder.join("deps");
    let is_whole = stamp.files.iter().all(|(name, size)| is_there(dependencies.join(name), *size))
        && identity(&stamp.visible, &dependencies).is_ok_and(|found| found == stamp.identity)
        && stamp.sources.iter().all(|(path, hash)| {
            fs::read(folder.join("src").join(path)).is_ok_and(|content| hash_of(&content) == *hash)
        });
    is_whole.then_some(stamp)
}

/// A hash of everything in `deps`.
fn identity(visible: &BTreeMap<String, String>, dependencies: &Utf8Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    for name in visible.values().map(String::as_str).chain([server::OBJECT]) {
        hash.update(name);
        hash.update(fs::read(dependencies.join(name))?);
    }
    Ok(short_hex(hash, 8))
}

fn require_rust_version(sources: Sources, toolchain: &Toolchain) -> Result<(), ProbeError> {
    let embedded = |what: String| ProbeError::Embedded { what };
    let manifest: toml::Table = sources
        .text(WORKSPACE_MANIFEST)
        .ok_or_else(|| embedded(format!("it has no {WORKSPACE_MANIFEST}")))?
        .parse()
        .map_err(|error: toml::de::Error| embedded(error.message().to_owned()))?;
    let Some(needed) = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("rust-version")?.as_str())
    else {
        return Ok(());
    };
    if release_triple(&toolchain.release) < release_triple(needed) {
        let found = toolchain.release.clone();
        return Err(ProbeError::ToolchainTooOld { needed: needed.to_owned(), found });
    }
    Ok(())
}

/// `1.88` and `1.88.0-nightly` as numbers: a nightly counts as its release.
fn release_triple(version: &str) -> Option<(u64, u64, u64)> {
    let padded =
        if version.matches('.').count() == 1 { format!("{version}.0") } else { version.to_owned() };
    let version = Version::parse(&padded).ok()?;
    Some((version.major, version.minor, version.patch))
}

fn build(
    sources: Sources,
    toolchain: &Toolchain,
    options: &ProbeOptions<'_>,
    folder: &Utf8Path,
    events: &mut dyn FnMut(BuildEvent<'_>),
) -> Result<(), ProbeError> {
    let started = Instant::now();
    events(BuildEvent::ProbeStarted { folder });
    // A fixed name: crate identities can depend on it, and must not vary.
    let partial = Utf8PathBuf::from(format!("{folder}.partial"));
    let cache_error = |action| {
        let path = options.cache.to_owned();
        move |source| ProbeError::Cache { action, path, source }
    };
    for leftover in [partial.as_path(), folder] {
        match fs::remove_dir_all(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cache_error("remove an unfinished build")(error));
            }
            _ => {}
        }
    }
    sources.unpack(&partial.join("src")).map_err(cache_error("unpack the probe"))?;

    let target_dir = options.build_dir.clone().unwrap_or_else(|| partial.join("target"));
    let artifacts = compile(toolchain, options, &partial, &target_dir, events)?;
    let crates = artifacts.len();
    let dependencies = partial.join("deps");
    fs::create_dir_all(&dependencies).map_err(cache_error("create a folder"))?;
    let target_output = target_dir.join(options.target);
    let (visible, of_server): (Vec<_>, Vec<_>) =
        libraries(&artifacts, &target_output).partition(|(name, _)| VISIBLE.contains(name));
    let of_server: Vec<Utf8PathBuf> = of_server.into_iter().map(|(_, file)| file).collect();
    let object = dependencies.join(server::OBJECT);
    server::link(toolchain, options.linker.as_ref(), &of_server, &object)
        .map_err(|source| ProbeError::Link { target: options.target.to_owned(), source })?;
    let mut stamp =
        collect(&visible, &dependencies).map_err(cache_error("collect the probe's libraries"))?;
    if let Some(missing) = VISIBLE.iter().find(|name| !stamp.visible.contains_key(**name)) {
        return Err(ProbeError::Embedded { what: format!("it has no crate {missing}") });
    }
    stamp.sources = COMPILED_LATER.iter().flat_map(|folder| sources.below(folder)).collect();
    fs::write(partial.join(STAMP), serde_json::to_vec_pretty(&stamp).expect("plain data"))
        .map_err(cache_error("write the stamp"))?;
    if options.build_dir.is_none() {
        fs::remove_dir_all(&target_dir).map_err(cache_error("remove build output"))?;
    }
    fs::rename(&partial, folder).map_err(cache_error("put the build into place"))?;
    events(BuildEvent::ProbeFinished { crates, elapsed: started.elapsed() });
    Ok(())
}

/// Runs cargo on the unpacked sources. Returns what it compiled, build scripts
/// left out.
fn compile(
    toolchain: &Toolchain,
    options: &ProbeOptions<'_>,
    partial: &Utf8Path,
    target_dir: &Utf8Path,
    events: &mut dyn FnMut(BuildEvent<'_>),
) -> Result<Vec<Artifact>, ProbeError> {
    let mut command = Command::new(&toolchain.bare_cargo);
    keep_settings_out(&mut command);
    command
        .args(["build", "--release", "--locked", "--workspace", "--lib", "--color=never"])
        .arg("--message-format=json-render-diagnostics")
        .args(["--target", options.target])
        .args(["--target-dir", target_dir.as_str()])
        .arg("--manifest-path")
        .arg(partial.join("src/probe/Cargo.toml"))
        // Cargo looks for its configuration upwards from here: a cache within a
        // project must not see the project's.
        .current_dir(Path::new(partial).ancestors().last().unwrap_or(Path::new("/")))
        .env("RUSTC", &toolchain.rustc)
        // Set and empty, they switch off what `$CARGO_HOME/config.toml` says.
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(options).join("\x1f"))
        .env("CARGO_BUILD_BUILD_DIR", target_dir)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_RELEASE_PANIC", "unwind")
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if options.offline {
        command.arg("--offline");
    }
    if let Some(jobs) = options.jobs {
        command.args(["--jobs", jobs]);
    }
    let spawn_error = |source| ProbeError::Spawn {
        cargo: toolchain.bare_cargo.to_string_lossy().into_owned(),
        source,
    };
    let mut child = command.spawn().map_err(spawn_error)?;
    let stdout = child.stdout.take().expect("piped above");
    let mut stderr = child.stderr.take().expect("piped above");
    let diagnostics = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });

    let mut artifacts = Vec::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Ok(Message::CompilerArtifact(artifact)) = message
            && !artifact.target.is_kind(TargetKind::CustomBuild)
        {
            artifacts.push(artifact);
            events(BuildEvent::ProbeCompiled { crates: artifacts.len() });
        }
    }
    let status = child.wait().map_err(spawn_error)?;
    let diagnostics = diagnostics.join().unwrap_or_default();
    if status.success() {
        return Ok(artifacts);
    }
    let diagnostics = tail(&diagnostics, MAX_DIAGNOSTICS).to_owned();
    // Before the first crate nothing but missing sources can go wrong offline.
    if (options.offline && artifacts.is_empty()) || diagnostics.contains("--offline") {
        Err(ProbeError::CratesMissing { diagnostics })
    } else if diagnostics.contains("No space left on device") {
        Err(ProbeError::Cache {
            action: "write a build",
            path: options.cache.to_owned(),
            source: io::ErrorKind::StorageFull.into(),
        })
    } else {
        let target = options.target.to_owned();
        Err(ProbeError::Build { target, folder: partial.to_owned(), diagnostics })
    }
}

/// The libraries for the target, with the names of their crates. Procedural macros,
/// and what they are made of, are the host's.
fn libraries<'a>(
    artifacts: &'a [Artifact],
    target_output: &'a Utf8Path,
) -> impl Iterator<Item = (&'a str, Utf8PathBuf)> {
    artifacts
        .iter()
        .filter_map(|artifact| Some((artifact.target.name.as_str(), library(artifact)?)))
        .filter(move |(_, file)| file.starts_with(target_output))
}

/// Gathers the libraries that a user's crates are compiled against in the folder where
/// the server is, and says what is in it.
fn collect(libraries: &[(&str, Utf8PathBuf)], dependencies: &Utf8Path) -> io::Result<Stamp> {
    let mut visible = BTreeMap::new();
    for (crate_name, file) in libraries {
        let name = file.file_name().unwrap_or_default().to_owned();
        let to = dependencies.join(&name);
        if fs::hard_link(file, &to).is_err() {
            fs::copy(file, &to)?;
        }
        visible.insert((*crate_name).to_owned(), name);
    }
    let mut files = BTreeMap::new();
    for name in visible.values().map(String::as_str).chain([server::OBJECT]) {
        files.insert(name.to_owned(), fs::metadata(dependencies.join(name))?.len());
    }
    let identity = identity(&visible, dependencies)?;
    Ok(Stamp { identity, visible, files, sources: BTreeMap::new() })
}

/// The library of an artifact under its hashed name. Cargo names the members of
/// a workspace by a copy without hash, and by their hashed metadata file.
fn library(artifact: &Artifact) -> Option<Utf8PathBuf> {
    let with = |extension: &str| {
        artifact.filenames.iter().find(|file| file.extension() == Some(extension))
    };
    with("rmeta").map(|file| file.with_extension("rlib")).or_else(|| with("rlib").cloned())
}

/// Removes from the environment what would change how crates are compiled.
/// What says where crates come from and how to reach the network stays, and so
/// do linkers, which are the machine's.
fn keep_settings_out(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if is_build_setting(&name) {
            command.env_remove(name);
        }
    }
}

fn is_build_setting(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    if let Some(setting) = name.strip_prefix("CARGO_") {
        let is_kept = setting == "HOME"
            || ["HTTP_", "NET_", "REGISTRY_", "REGISTRIES_", "CREDENTIAL_", "SOURCE_"]
                .iter()
                .any(|prefix| setting.starts_with(prefix))
            || (setting.starts_with("TARGET_") && setting.ends_with("_LINKER"));
        return !is_kept;
    }
    name.starts_with("RUSTC")
        || name.starts_with("__CARGO")
        || matches!(name, "RUSTFLAGS" | "RUSTDOC" | "RUSTDOCFLAGS")
}

/// The last `limit` bytes of a text, from the start of a line.
fn tail(text: &str, limit: usize) -> &str {
    let text = text.trim_end();
    if text.len() <= limit {
        return text;
    }
    let start = text.len() - limit;
    text.as_bytes()[start..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or("", |newline| &text[start + newline + 1..])
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const MANIFEST: &[u8] = b"[workspace]\nmembers = [\"core\", \"libc\", \"server\", \"std\", \
        \"std-tokio\", \"tracing\"]\nresolver = \"3\"\n\
        [workspace.package]\nrust-version = \"1.85\"\n";
    const LOCK: &[u8] = b"version = 4\n\
        [[package]]\nname = \"concaudit-core\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"concaudit-server\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"concaudit-std\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"concaudit-std-tokio\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"concaudit-tracing\"\nversion = \"0.1.0\"\n\
        [[package]]\nname = \"libc\"\nversion = \"0.1.0\"\n";
    /// A probe that compiles in no time.
    const SMALL: Sources = Sources::new(&[
        ("probe/Cargo.lock", LOCK),
        ("probe/Cargo.toml.in", MANIFEST),
        (
            "probe/core/Cargo.toml.in",
            b"[package]\nname = \"concaudit-core\"\nversion = \"0.1.0\"\n",
        ),
        ("probe/core/src/lib.rs", b"pub fn f() {}"),
        ("probe/libc/Cargo.toml.in", b"[package]\nname = \"libc\"\nversion = \"0.1.0\"\n"),
        ("probe/libc/src/lib.rs", b""),
        (
            "probe/server/Cargo.toml.in",
            b"[package]\nname = \"concaudit-server\"\nversion = \"0.1.0\"\n",
        ),
        ("probe/server/src/lib.rs", b"#[no_mangle] pub static __CONCAUDIT_CONSTRUCTOR: u8 = 0;"),
        ("probe/std/Cargo.toml.in", b"[package]\nname = \"concaudit-std\"\nversion = \"0.1.0\"\n"),
        ("probe/std/src/lib.rs", b""),
        (
            "probe/std-tokio/Cargo.toml.in",
            b"[package]\nname = \"concaudit-std-tokio\"\nversion = \"0.1.0\"\n",
        ),
        ("probe/std-tokio/src/lib.rs", b""),
        (
            "probe/tracing/Cargo.toml.in",
            b"[package]\nname = \"concaudit-tracing\"\nversion = \"0.1.0\"\n",
        ),
        ("probe/tracing/src/lib.rs", b""),
    ]);

    fn toolchain() -> Toolchain {
        Toolchain::of(Path::new("rustc"), env!("CARGO").into(), Path::new("/")).unwrap()
    }

    fn cache() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("cache")).unwrap();
        (folder, path)
    }

    fn options_in<'a>(cache: &'a Utf8Path, toolchain: &'a Toolchain) -> ProbeOptions<'a> {
        let target = &toolchain.host;
        ProbeOptions {
            cache,
            target,
            links_statically: false,
            linker: None,
            offline: true,
            jobs: None,
            build_dir: None,
        }
    }

    /// The probe, and the names of the events.
    fn ensure_in(
        sources: Sources,
        cache: &Utf8Path,
        toolchain: &Toolchain,
    ) -> (Result<Probe, ProbeError>, Vec<&'static str>) {
        let mut seen = Vec::new();
        let options = options_in(cache, toolchain);
        let probe = ensure(sources, toolchain, &options, &mut |event| {
            seen.push(match event {
                BuildEvent::ProbeWaiting { .. } => "waiting",
                BuildEvent::ProbeStarted { .. } => "started",
                BuildEvent::ProbeFinished { .. } => "finished",
                _ => return,
            });
        });
        (probe, seen)
    }

    #[test]
    fn a_probe_is_built_once_and_again_only_when_it_is_not_whole() {
        let (_guard, cache) = cache();
        let toolchain = toolchain();
        let folder =
            cache.join("probe").join(key(SMALL, &toolchain, &options_in(&cache, &toolchain)));
        // What an interrupted build leaves behind.
        fs::create_dir_all(format!("{folder}.partial/deps")).unwrap();
        fs::create_dir_all(&folder).unwrap();

        let (first, seen) = ensure_in(SMALL, &cache, &toolchain);
        let first = first.unwrap();
        assert_eq!(seen, ["started", "finished"]);
        assert!(first.libraries.tracing.file_name().unwrap().starts_with("libconcaudit_tracing-"));
        assert!(first.libraries.tracing.exists());
        assert!(!Utf8PathBuf::from(format!("{folder}.partial")).exists());

        let (second, seen) = ensure_in(SMALL, &cache, &toolchain);
        assert_eq!((second.unwrap().libraries, seen), (first.libraries.clone(), vec![]));

        fs::remove_file(&first.libraries.tracing).unwrap();
        let identity = first.identity.clone();
        drop(first);
        let (third, seen) = ensure_in(SMALL, &cache, &toolchain);
        assert_eq!(seen, ["started", "finished"]);
        // Else every crate that was linked with it would be compiled again.
        let third = third.unwrap();
        assert_eq!(third.identity, identity);

        // As long as it was, and not what it was.
        let mut content = fs::read(&third.libraries.core).unwrap();
        *content.last_mut().unwrap() ^= 1;
        fs::write(&third.libraries.core, content).unwrap();
        drop(third);
        let (fourth, seen) = ensure_in(SMALL, &cache, &toolchain);
        assert_eq!(seen, ["started", "finished"]);
        let fourth = fourth.unwrap();
        assert_eq!(fourth.identity, identity);

        // Cut short: a library, and what says which files there are.
        let core = fourth.libraries.core.clone();
        drop(fourth);
        for file in [core, folder.join(STAMP)] {
            let content = fs::read(&file).unwrap();
            fs::write(&file, &content[..content.len() / 2]).unwrap();
            let (again, seen) = ensure_in(SMALL, &cache, &toolchain);
            assert_eq!(seen, ["started", "finished"], "{file}");
            assert_eq!(again.unwrap().identity, identity);
        }
    }

    #[test]
    fn of_two_runs_at_once_one_builds_and_the_other_waits() {
        let (_guard, cache) = cache();
        let toolchain = toolchain();
        let builds = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let (probe, seen) = ensure_in(SMALL, &cache, &toolchain);
                    assert!(probe.unwrap().libraries.tracing.exists());
                    builds.fetch_add(usize::from(seen.contains(&"started")), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
    }

    #[test]
    fn a_cache_in_use_is_not_cleaned() {
        let (_guard, cache) = cache();
        let (probe, _) = ensure_in(SMALL, &cache, &toolchain());
        assert!(matches!(clean(&cache), Err(ProbeError::InUse { .. })));
        drop(probe);
        assert_eq!(clean(&cache).unwrap(), Some((cache.join("probe"), 1)));
        assert!(!cache.exists());
        assert_eq!(clean(&cache).unwrap(), None);
    }

    #[test]
    fn an_old_toolchain_is_told_which_one_is_needed() {
        let toolchain = Toolchain { release: "1.84.1".into(), ..toolchain() };
        let (probe, _) = ensure_in(SMALL, &cache().1, &toolchain);
        let error = probe.unwrap_err().to_string();
        assert!(error.contains("needs Rust 1.85") && error.contains("uses 1.84.1"), "{error}");
        let nightly = Toolchain { release: "1.85.0-nightly".into(), ..toolchain };
        assert!(require_rust_version(SMALL, &nightly).is_ok());
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_named() {
        let (probe, _) = ensure_in(SMALL, Utf8Path::new("/dev/null/cache"), &toolchain());
        let error = probe.unwrap_err().to_string();
        assert!(error.contains("/dev/null/cache") && error.contains(CACHE_DIR_ENV), "{error}");
    }

    #[test]
    fn missing_crates_point_to_setup() {
        const NEEDS_MORE: Sources = Sources::new(&[
            (
                "probe/Cargo.lock",
                b"version = 4\n[[package]]\nname = \"concaudit-tracing\"\nversion = \"0.1.0\"\n\
                  dependencies = [\"libc\"]\n[[package]]\nname = \"libc\"\nversion = \"0.2.1\"\n\
                  source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
                  checksum = \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
            ),
            ("probe/Cargo.toml.in", b"[workspace]\nmembers = [\"t\"]\nresolver = \"3\"\n"),
            (
                "probe/t/Cargo.toml.in",
                b"[package]\nname = \"concaudit-tracing\"\nversion = \"0.1.0\"\n\
                  [dependencies]\nlibc = \"=0.2.1\"\n",
            ),
            ("probe/t/src/lib.rs", b""),
        ]);
        let (_guard, cache) = cache();
        let (probe, _) = ensure_in(NEEDS_MORE, &cache, &toolchain());
        let error = probe.unwrap_err().to_string();
        assert!(error.contains("cargo concaudit setup"), "{error}");
    }

    #[test]
    fn settings_of_the_build_are_kept_out_and_those_of_the_network_stay() {
        for name in
            ["RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET", "CARGO_PROFILE_RELEASE_LTO"]
        {
            assert!(is_build_setting(&name.into()), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_X_INDEX", "PATH", "HOME"]
        {
            assert!(!is_build_setting(&name.into()), "{name}");
        }
    }
}
