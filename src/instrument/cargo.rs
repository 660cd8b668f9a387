//! Builds a project's tests with the probe: the cargo invocation, and what
//! comes out of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, io,
    io::{BufRead as _, BufReader},
    os::fd::AsFd as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
    time::Instant,
};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{Message, Metadata};
use fs_err as fs;
use sha2::{Digest, Sha256};

use super::{
    artifacts::{self, Messages, TargetKind, WithoutHarness},
    configuration::{Configuration, ConfigurationError},
    coverage::{self, Coverage},
    embedded::{Sources, short_hex},
    environment,
    events::BuildEvent,
    exclusions::Exclusions,
    kept::{self, CleanError},
    locks::{Facades, LockKind, facades_of},
    mentions,
    options::{BuildArgs, MessageFormat},
    probe::{self, Probe, ProbeError, ProbeOptions},
    toolchain::{Toolchain, ToolchainError},
    types::{Build, TestBinary},
    wrapper,
};
use crate::project::{self, Project, canonical};

/// The folder below cargo's target directory that is ours.
const OUTPUT_FOLDER: &str = "concaudit";

/// What is built.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// As for `cargo test`.
    pub args: BuildArgs,
    /// Packages of the graph, by name, whose code counts as the project's own.
    pub first_party: Vec<String>,
    /// Which locks are instrumented; all, where none is named.
    pub locks: Vec<LockKind>,
    /// Cargo's `--message-format`, of which JSON goes to the events; empty for cargo's
    /// own choice.
    pub message_format: Vec<MessageFormat>,
    /// Cargo's `--quiet`.
    pub quiet: bool,
    /// Cargo's `--verbose`, so many times.
    pub verbose: u8,
    /// Cargo's `--color`: `auto`, `always` or `never`; cargo's own choice
    /// otherwise.
    pub color: Option<String>,
}

/// For whom the probe is built ahead of time.
#[derive(Debug, Clone, Default)]
pub struct SetupOptions {
    /// The target triple; the project's or the host's otherwise.
    pub target: Option<String>,
    /// Never touch the network.
    pub offline: bool,
    /// As in `cargo build --jobs`.
    pub jobs: Option<String>,
}

/// Where the probe is.
#[derive(Debug)]
pub struct Setup {
    /// The folder of its libraries.
    pub folder: Utf8PathBuf,
    /// For which target triple.
    pub target: String,
    /// By which rustc, `1.95.0`.
    pub rustc: String,
}

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

/// Builds the tests of the project in the current folder (or at
/// `--manifest-path`) with the probe, which is built first where the cache has
/// none. Cargo's own output goes to standard error.
pub fn build(
    options: &BuildOptions,
    events: &mut dyn FnMut(BuildEvent<'_>),
) -> Result<Build, BuildError> {
    let started = Instant::now();
    let args = &options.args;
    let folder = current_folder()?;
    require_manifest(args, &folder)?;
    let configuration = Configuration::load(folder.as_std_path(), &args.config)?;
    let toolchain = toolchain(&configuration, &folder)?;
    let target = target(args.target.as_ref(), &configuration, &toolchain)?;
    require_support(&target)?;
    let workspace = Workspace::read(&toolchain, args, &options.first_party, &target)?;
    let probe = probe::ensure(
        Sources::EMBEDDED,
        &toolchain,
        &ProbeOptions {
            cache: &probe::cache_dir()?,
            target: &target,
            links_statically: configuration.links_statically(triple_of(&target))?,
            linker: configuration.linker(triple_of(&target))?,
            offline: args.is_offline(),
            jobs: args.jobs.as_deref(),
            build_dir: probe::kept_build_dir(),
        },
        events,
    )?;

    let parent = match &args.target_dir {
        Some(target_dir) => folder.join(target_dir),
        None => workspace.metadata.target_directory.clone(),
    };
    events(BuildEvent::BuildStarted { target: &target });
    let mut facades = facades_of(&options.locks);
    let mut lost = Vec::new();
    let mut in_use = Vec::new();
    let mut prepare = |facades: &Facades, events: &mut dyn FnMut(BuildEvent<'_>)| {
        let (target_dir, key) = prepare_target_dir(&parent, &probe, facades)?;
        let parent = parent.join(OUTPUT_FOLDER);
        in_use.push(kept::take(&parent, &key));
        // Between the first look and the lock, another run could have collected it.
        prepare_folder(&target_dir)?;
        for folder in kept::collect(&parent, &key) {
            events(BuildEvent::Collected { folder: &folder });
        }
        let exclusions = Exclusions::read(&target_dir);
        Ok::<_, BuildError>((target_dir, exclusions))
    };
    let (mut target_dir, mut exclusions) = prepare(&facades, events)?;
    let messages = loop {
        let invocation = Invocation {
            options,
            toolchain: &toolchain,
            configuration: &configuration,
            target: &target,
            target_dir: &target_dir,
            probe: &probe,
            facades: &facades,
            without: exclusions.all(),
            has_build_dir: workspace.metadata.build_directory.is_some(),
        };
        let ended = invocation.run(events);
        match ended {
            Ok(Ended::Built(messages)) => break messages,
            Ok(Ended::Broken(failures)) => {
                let mut is_whole = false;
                for failure in failures {
                    let packages = exclusions.add(&failure);
                    let what = if packages.is_empty() {
                        is_whole = true;
                        facades = &facades - &failure.facades;
                        format!("{failure}; building all again without")
                    } else {
                        let packages = packages.join(", ");
                        format!("{failure}; building {packages} again without")
                    };
                    events(BuildEvent::FacadeLost { what: &what });
                    if packages.is_empty() {
                        lost.push(failure);
                    }
                }
                if is_whole {
                    exclusions.forget(triple_of(&target));
                    (target_dir, exclusions) = prepare(&facades, events)?;
                } else {
                    exclusions.have_compiled_again(triple_of(&target));
                }
            }
            // What the user's own error has to do with a facade is not known. Nor is whether
            // the compiler answered cargo as it should: cargo keeps its answers, and does
            // not know of the user's wrapper behind ours.
            Err(error) => {
                exclusions.forget(triple_of(&target));
                let _ = fs::remove_file(target_dir.join(".rustc_info.json"));
                return Err(error);
            }
        }
    };
    exclusions.keep().map_err(|source| BuildError::TargetDir {
        action: "write to",
        path: target_dir.clone(),
        source,
    })?;

    let output = target_dir.join(triple_of(&target));
    let losses = coverage::losses(&messages, &target_dir);
    for loss in &losses {
        let what = format!("{loss}; it was compiled without");
        events(BuildEvent::FacadeLost { what: &what });
    }
    let coverage = Coverage {
        messages: &messages,
        metadata: &workspace.metadata,
        target_dir: &target_dir,
        output: &output,
        facades: &facades,
        chosen: &facades_of(&options.locks),
        lost: &lost,
        losses: &losses,
    };
    let (instrumented, not_instrumented) = (coverage.instrumented(), coverage.missed());
    let with_doctests =
        if args.has_default_targets() { coverage.with_doctests() } else { Vec::new() };
    let mut project = workspace.project();
    project.test_sources = messages.sources_of_tests_alone(&project.workspace_root);
    let project = Arc::new(project);
    let first_party_losses = coverage.first_party_losses(&project);
    let binaries =
        test_binaries(&messages, &workspace, &toolchain, &configuration, &target, &output)?;
    let duration = started.elapsed();
    events(BuildEvent::BuildFinished { binaries: binaries.len(), elapsed: duration });
    Ok(Build {
        project,
        binaries,
        instrumented,
        not_instrumented,
        first_party_losses,
        with_doctests,
        duration,
        _in_use: in_use,
    })
}

/// Runs `cargo test --doc` as the user would, for whom it prints. Returns whether all
/// doctests passed.
pub fn run_doctests(
    args: &BuildArgs,
    verbose: u8,
    quiet: bool,
    test_arguments: &[String],
) -> Result<bool, BuildError> {
    let folder = current_folder()?;
    let configuration = Configuration::load(folder.as_std_path(), &args.config)?;
    let toolchain = toolchain(&configuration, &folder)?;
    let mut command = Command::new(&toolchain.cargo);
    command.args(["test", "--doc"]);
    args.append_manifest_options(&mut command);
    args.append_build_options(&mut command);
    if let Some(target) = &args.target {
        command.args(["--target", target]);
    }
    if let Some(target_dir) = &args.target_dir {
        command.args(["--target-dir", target_dir.as_str()]);
    }
    if quiet {
        command.arg("--quiet");
    }
    command.args(std::iter::repeat_n("--verbose", verbose.into()));
    command.arg("--").args(test_arguments);
    // Standard output is the report's.
    let stdout = io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
    command.stdin(Stdio::null()).stdout(stdout.unwrap_or_else(|_| Stdio::inherit()));
    let status = command.status().map_err(|source| BuildError::Spawn {
        program: toolchain.cargo.to_string_lossy().into_owned(),
        source,
    })?;
    Ok(status.success())
}

/// Whether a source file of the project, or the name of one, has `word` in it. Where
/// that cannot be told at a small price, it is taken for granted.
pub fn is_mentioned(args: &BuildArgs, word: &str) -> Result<bool, BuildError> {
    let folder = current_folder()?;
    require_manifest(args, &folder)?;
    let configuration = Configuration::load(folder.as_std_path(), &args.config)?;
    let toolchain = toolchain(&configuration, &folder)?;
    let metadata = read_metadata(&toolchain, args, None)?.0;
    let folders: Vec<Utf8PathBuf> = metadata
        .workspace_packages()
        .iter()
        .filter_map(|package| package.manifest_path.parent().map(Utf8Path::to_owned))
        .collect();
    Ok(mentions::is_mentioned(&folders, &metadata.target_directory, word))
}

/// Builds the probe for the toolchain of the current folder, unless it is in
/// the cache.
pub fn setup(
    options: &SetupOptions,
    events: &mut dyn FnMut(BuildEvent<'_>),
) -> Result<Setup, BuildError> {
    let folder = current_folder()?;
    let configuration = Configuration::load(folder.as_std_path(), &[])?;
    let toolchain = toolchain(&configuration, &folder)?;
    let target = target(options.target.as_ref(), &configuration, &toolchain)?;
    require_support(&target)?;
    let probe = probe::ensure(
        Sources::EMBEDDED,
        &toolchain,
        &ProbeOptions {
            cache: &probe::cache_dir()?,
            target: &target,
            links_statically: configuration.links_statically(triple_of(&target))?,
            linker: configuration.linker(triple_of(&target))?,
            offline: options.offline,
            jobs: options.jobs.as_deref(),
            build_dir: probe::kept_build_dir(),
        },
        events,
    )?;
    Ok(Setup { folder: probe.dependencies.clone(), target, rustc: toolchain.release })
}

/// What [`clean`] removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rubbish {
    /// The project's instrumented builds.
    Builds,
    /// The cached probes of all toolchains.
    Probes,
    /// Both, the former where the current folder is in a project.
    All,
}

/// What was removed.
#[derive(Debug)]
pub struct Removed {
    /// The folder that is no more.
    pub folder: Utf8PathBuf,
    /// What was in it: [`Rubbish::Builds`] or [`Rubbish::Probes`].
    pub what: Rubbish,
    /// So many of them.
    pub count: usize,
}

/// Removes what was built.
pub fn clean(args: &BuildArgs, rubbish: Rubbish) -> Result<Vec<Removed>, BuildError> {
    let mut removed = Vec::new();
    if rubbish != Rubbish::Probes {
        removed.extend(match clean_builds(args) {
            Err(BuildError::NotAProject { .. }) if rubbish == Rubbish::All => None,
            cleaned => cleaned?,
        });
    }
    if rubbish != Rubbish::Builds
        && let Some((folder, count)) = probe::clean(&probe::cache_dir()?)?
    {
        removed.push(Removed { folder, what: Rubbish::Probes, count });
    }
    Ok(removed)
}

fn clean_builds(args: &BuildArgs) -> Result<Option<Removed>, BuildError> {
    let folder = current_folder()?;
    require_manifest(args, &folder)?;
    let target_dir = if let Some(target_dir) = &args.target_dir {
        folder.join(target_dir)
    } else {
        let configuration = Configuration::load(folder.as_std_path(), &args.config)?;
        let toolchain = toolchain(&configuration, &folder)?;
        read_metadata(&toolchain, args, None)?.0.target_directory
    };
    let output = target_dir.join(OUTPUT_FOLDER);
    match kept::clean(&output) {
        Ok(count) => Ok(Some(Removed { folder: output, what: Rubbish::Builds, count })),
        Err(CleanError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(CleanError::Io(source)) => {
            Err(BuildError::TargetDir { action: "remove", path: output, source })
        }
        Err(CleanError::InUse) => Err(BuildError::BuildInUse { path: output }),
    }
}

/// Before cargo builds for minutes what cannot be run or linked.
fn require_support(target: &str) -> Result<(), BuildError> {
    // What is in the file of a custom target is not known.
    let is_custom = triple_of(target) != target;
    let is_supported = target.contains("-linux-")
        && ["x86_64-", "aarch64-"].iter().any(|prefix| target.starts_with(prefix));
    if is_custom || is_supported {
        Ok(())
    } else {
        Err(BuildError::UnsupportedTarget { target: target.to_owned() })
    }
}

fn current_folder() -> Result<Utf8PathBuf, BuildError> {
    let folder = env::current_dir().map_err(BuildError::CurrentFolder)?;
    Utf8PathBuf::from_path_buf(folder).map_err(|folder| BuildError::Path {
        path: folder.display().to_string(),
        reason: "it is not UTF-8".into(),
    })
}

/// Says what is missing before cargo is asked, whose messages are for people.
fn require_manifest(args: &BuildArgs, folder: &Utf8Path) -> Result<(), BuildError> {
    if let Some(manifest) = &args.manifest_path {
        let path = folder.join(manifest);
        return if path.is_file() { Ok(()) } else { Err(BuildError::NoManifest { path }) };
    }
    if folder.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
        return Ok(());
    }
    Err(BuildError::NotAProject { folder: folder.to_owned() })
}

fn toolchain(configuration: &Configuration, folder: &Utf8Path) -> Result<Toolchain, BuildError> {
    let cargo = env::var_os("CARGO").filter(|cargo| !cargo.is_empty());
    let cargo = cargo.unwrap_or_else(|| "cargo".into());
    Ok(Toolchain::of(&configuration.rustc(), cargo, folder.as_std_path())?)
}

/// The target that was asked for, or the project's, or the host's.
fn target(
    asked: Option<&String>,
    configuration: &Configuration,
    toolchain: &Toolchain,
) -> Result<String, BuildError> {
    match asked {
        Some(target) => Ok(target.clone()),
        None => Ok(configuration.target()?.unwrap_or_else(|| toolchain.host.clone())),
    }
}

/// A target is named by its triple, or by the file that specifies it.
fn triple_of(target: &str) -> &str {
    let path = Utf8Path::new(target);
    match path.extension() {
        Some("json") => path.file_stem().unwrap_or(target),
        _ => target,
    }
}

/// Cargo's metadata, and those packages of it that are first-party.
struct Workspace {
    metadata: Metadata,
    rust_versions: BTreeMap<String, String>,
    first_party: BTreeSet<String>,
}

impl Workspace {
    fn read(
        toolchain: &Toolchain,
        args: &BuildArgs,
        first_party: &[String],
        target: &str,
    ) -> Result<Self, BuildError> {
        // Members alone need no dependency to be resolved, let alone downloaded.
        let (mut metadata, mut json) = read_metadata(toolchain, args, None)?;
        let names_member =
            |name: &String| metadata.packages.iter().any(|package| package.name == *name);
        // Patterns, versions and URLs are cargo's to judge.
        let is_plain = |name: &&String| {
            name.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'))
        };
        let tested: Vec<&String> = args.packages.iter().filter(is_plain).collect();
        if !tested.iter().copied().chain(first_party).all(names_member) {
            (metadata, json) = read_metadata(toolchain, args, Some(target))?;
            let is_missing =
                |name: &&String| metadata.packages.iter().all(|package| package.name != **name);
            if let Some(name) = tested.into_iter().find(is_missing) {
                return Err(not_found(name, &metadata));
            }
            if let Some(name) = first_party.iter().find(is_missing) {
                return Err(BuildError::FirstPartyNotFound {
                    name: name.clone(),
                    workspace: metadata.workspace_root,
                });
            }
        }
        Ok(Self {
            rust_versions: artifacts::rust_versions(&json),
            metadata,
            first_party: first_party.iter().cloned().collect(),
        })
    }

    fn project(&self) -> Project {
        let packages = self.metadata.packages.iter().filter_map(|package| {
            let is_member = self.metadata.workspace_members.contains(&package.id);
            (is_member || self.first_party.contains(package.name.as_str())).then(|| {
                project::Package {
                    name: package.name.to_string(),
                    root: canonical(package.manifest_path.parent().unwrap_or(Utf8Path::new("/"))),
                }
            })
        });
        Project {
            workspace_root: canonical(&self.metadata.workspace_root),
            packages: packages.collect(),
            test_sources: BTreeSet::new(),
        }
    }
}

fn not_found(name: &str, metadata: &Metadata) -> BuildError {
    let mut members: Vec<String> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    members.sort();
    // More than a screen line of names helps nobody.
    let suggestion = if members.len() <= 12 {
        format!("; its packages are {}", members.join(", "))
    } else {
        String::new()
    };
    BuildError::PackageNotFound {
        name: name.to_owned(),
        workspace: metadata.workspace_root.clone(),
        suggestion,
    }
}

/// Cargo's metadata, parsed and as it came: of the members alone, or of the
/// whole graph for a target.
fn read_metadata(
    toolchain: &Toolchain,
    args: &BuildArgs,
    graph_of: Option<&str>,
) -> Result<(Metadata, String), BuildError> {
    let mut command = Command::new(&toolchain.cargo);
    command.args(["metadata", "--format-version=1", "--color=never"]);
    args.append_manifest_options(&mut command);
    match graph_of {
        Some(target) => command.args(["--filter-platform", target]),
        None => command.arg("--no-deps"),
    };
    let output = command.stdin(Stdio::null()).output().map_err(|source| BuildError::Spawn {
        program: toolchain.cargo.to_string_lossy().into_owned(),
        source,
    })?;
    let diagnostics = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if !output.status.success() {
        return Err(BuildError::Metadata { diagnostics: diagnostics() });
    }
    let json = String::from_utf8(output.stdout)
        .map_err(|error| BuildError::Metadata { diagnostics: error.to_string() })?;
    let metadata = serde_json::from_str(&json)
        .map_err(|error| BuildError::Metadata { diagnostics: error.to_string() })?;
    Ok((metadata, json))
}

/// Creates our folder below cargo's target directory, and returns its name as well.
/// Cargo's fingerprints know nothing of the probe or of the wrapper, so that name does.
fn prepare_target_dir(
    target_dir: &Utf8Path,
    probe: &Probe,
    facades: &Facades,
) -> Result<(Utf8PathBuf, String), BuildError> {
    let mut hash = Sha256::new();
    hash.update(&probe.identity);
    hash.update(probe.dependencies.as_str());
    hash.update(wrapper::SOURCES);
    hash.update(serde_json::to_vec(facades).expect("plain data"));
    let key = short_hex(hash, 8);
    let path = target_dir.join(OUTPUT_FOLDER).join(&key);
    prepare_folder(&path)?;
    Ok((canonical(&path), key))
}

fn prepare_folder(path: &Utf8Path) -> Result<(), BuildError> {
    let error = |source| BuildError::TargetDir { action: "create", path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(error)
}

/// One run of `cargo test --no-run`.
struct Invocation<'a> {
    options: &'a BuildOptions,
    toolchain: &'a Toolchain,
    configuration: &'a Configuration,
    target: &'a str,
    target_dir: &'a Utf8Path,
    probe: &'a Probe,
    facades: &'a Facades,
    /// The packages that do without some of them.
    without: Vec<wrapper::Without>,
    /// Whether this cargo knows `build.build-dir`.
    has_build_dir: bool,
}

/// How a build ended that did not fail for good.
enum Ended {
    /// As it should.
    Built(Messages),
    /// Some crates need to do without a facade. Never empty.
    Broken(Vec<wrapper::Failure>),
}

impl Invocation<'_> {
    fn command(&self) -> Result<Command, BuildError> {
        let program = env::current_exe()
            .map_err(|source| BuildError::Spawn { program: "cargo-concaudit".into(), source })?;
        let user_wrapper = self
            .configuration
            .rustc_wrapper()
            .map(|path| path.into_os_string().into_string())
            .transpose()
            .map_err(|path| BuildError::Path {
                path: path.to_string_lossy().into_owned(),
                reason: "the path of a rustc wrapper must be UTF-8".into(),
            })?;
        let state = wrapper::State {
            target: self.target.to_owned(),
            target_dir: self.target_dir.to_owned(),
            dependencies: self.probe.dependencies.clone(),
            sources: self.probe.sources.clone(),
            libraries: self.probe.libraries.clone(),
            facades: self.facades.clone(),
            without: self.without.clone(),
            wrapper: user_wrapper,
        };
        let mut command = Command::new(&self.toolchain.cargo);
        command.args(["test", "--no-run", "--message-format"]);
        command.arg(MessageFormat::for_cargo(&self.options.message_format));
        command.args(["--target", self.target]);
        command.args(["--target-dir", self.target_dir.as_str()]);
        self.options.args.append_manifest_options(&mut command);
        self.options.args.append_build_options(&mut command);
        // Instrumented crates must never lie among the user's, wherever they
        // keep intermediate files.
        if self.has_build_dir {
            let folder = toml::Value::String(self.target_dir.to_string());
            command.arg("--config").arg(format!("build.build-dir={folder}"));
        }
        if self.options.quiet {
            command.arg("--quiet");
        }
        command.args(std::iter::repeat_n("--verbose", self.options.verbose.into()));
        if let Some(color) = &self.options.color {
            command.args(["--color", color]);
        }
        command
            .env("RUSTC_WRAPPER", program)
            .env(wrapper::STATE_ENV, state.to_env())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        Ok(command)
    }

    fn run(&self, events: &mut dyn FnMut(BuildEvent<'_>)) -> Result<Ended, BuildError> {
        wrapper::forget_failures(self.target_dir);
        let spawn_error = |source| BuildError::Spawn {
            program: self.toolchain.cargo.to_string_lossy().into_owned(),
            source,
        };
        let mut child = self.command()?.spawn().map_err(spawn_error)?;
        let stdout = child.stdout.take().expect("piped above");
        let mut messages = Messages::default();
        let is_passed_on = self.options.message_format.iter().any(|format| format.is_json());
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { break };
            if is_passed_on {
                events(BuildEvent::Message { json: &line });
            }
            match serde_json::from_str(&line) {
                Ok(Message::CompilerArtifact(artifact)) => messages.artifacts.push(artifact),
                Ok(Message::BuildScriptExecuted(script)) => messages.build_scripts.push(script),
                // A line that is none of cargo's is a build script's or a
                // wrapper's affair.
                Ok(_) | Err(_) => {}
            }
        }
        let status = child.wait().map_err(spawn_error)?;
        if status.success() {
            return Ok(Ended::Built(messages));
        }
        let failures = wrapper::failures(self.target_dir);
        // What is not in use cannot be done without: each round has fewer.
        let is_of_use = failures
            .iter()
            .any(|failure| failure.facades.iter().any(|facade| self.facades.contains(facade)));
        if is_of_use { Ok(Ended::Broken(failures)) } else { Err(BuildError::Compile { status }) }
    }
}

fn test_binaries(
    messages: &Messages,
    workspace: &Workspace,
    toolchain: &Toolchain,
    configuration: &Configuration,
    target: &str,
    output: &Utf8Path,
) -> Result<Vec<Arc<TestBinary>>, BuildError> {
    let runner = configuration.runner(target)?;
    // Cargo's children see the real path, not the proxy or a bare name.
    let cargo = if Path::new(&toolchain.cargo).is_absolute() {
        toolchain.cargo.clone()
    } else {
        toolchain.bare_cargo.clone()
    };
    // Tests of procedural macros are the host's, and lie beside.
    let host_output = output.parent().unwrap_or(output);
    let common = |executable: &Utf8Path| {
        let (root, triple) = if executable.starts_with(output) {
            (output, triple_of(target))
        } else {
            (host_output, toolchain.host.as_str())
        };
        // `<root>/<profile>/deps/<test>`
        let profile = executable
            .strip_prefix(root)
            .ok()
            .and_then(|relative| relative.components().next())
            .map_or("debug", |profile| profile.as_str());
        let mut common = environment::Common {
            cargo: cargo.clone(),
            output: root.join(profile),
            native_folders: BTreeSet::new(),
            sysroot_libraries: toolchain.library_folder(triple),
            configured: configuration.environment(),
        };
        for script in &messages.build_scripts {
            common.add_build_script(script);
        }
        common
    };

    let mut binaries = Vec::new();
    for (artifact, executable) in messages.tests() {
        let Some(package) = artifacts::package_of(&workspace.metadata, &artifact.package_id) else {
            continue;
        };
        let programs = match artifacts::kind_of(&artifact.target) {
            TargetKind::Test | TargetKind::Bench => messages.binaries(&artifact.package_id),
            _ => BTreeMap::new(),
        };
        let rust_version = workspace.rust_versions.get(&package.id.repr);
        let folder = package.manifest_path.parent().unwrap_or(&package.manifest_path);
        let common = common(executable);
        binaries.push(Arc::new(TestBinary {
            id: artifacts::binary_id(&package.name, &artifact.target),
            package: package.name.to_string(),
            crate_name: artifact.target.name.replace('-', "_"),
            is_optimised: artifact.profile.opt_level != "0",
            exe: executable.clone(),
            harness: !WithoutHarness::of(&package.manifest_path).contains(&artifact.target),
            working_directory: folder.to_owned(),
            environment: environment::of_test(
                &common,
                package,
                rust_version.map_or("", String::as_str),
                messages.build_script(&artifact.package_id, &common.output),
                &programs,
            ),
            // The target's runner is not for the host's tests.
            runner: if executable.starts_with(output) { runner.clone() } else { Vec::new() },
        }));
    }
    Ok(binaries)
}
