//! Builds a project's tests with the probe: the cargo invocation, and what
//! comes out of it.

use std::{
    io,
    os::fd::AsFd as _,
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use sha2::{Digest, Sha256};

use super::{
    configuration::Configuration,
    coverage::{self, Coverage},
    embedded::{Sources, short_hex},
    error::BuildError,
    events::BuildEvent,
    exclusions::Exclusions,
    invocation::{Ended, Invocation, binaries, triple_of},
    kept::{self, OUTPUT_FOLDER},
    locks::{Facades, facades_of},
    mentions,
    options::{BuildArgs, BuildOptions},
    probe::{self, Probe, ProbeOptions},
    program::{self, Program},
    toolchain::Toolchain,
    types::Build,
    workspace::{Workspace, current_folder, read_metadata, require_manifest, toolchain},
    wrapper,
};
use crate::project::canonical;

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
    let program = match &options.program {
        Some(choice) => Some(program::choose(choice, args, &workspace.metadata)?),
        None => None,
    };
    let options = &BuildOptions {
        args: program.as_ref().map_or_else(|| args.clone(), |program| program.build_args(args)),
        ..options.clone()
    };
    let args = &options.args;
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
    let what = program.as_ref().map(Program::description);
    events(BuildEvent::BuildStarted { target: &target, program: what.as_deref() });
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
    let built = match &program {
        Some(program) => messages.program(program).into_iter().collect(),
        None => messages.tests().collect::<Vec<_>>(),
    };
    let mut binaries =
        binaries(built, &messages, &workspace, &toolchain, &configuration, &target, &output)?;
    if program.is_some() {
        // As `cargo run` has it.
        for binary in binaries.iter_mut().filter_map(Arc::get_mut) {
            binary.is_program = true;
            binary.harness = false;
            binary.working_directory.clone_from(&folder);
        }
    }
    let duration = started.elapsed();
    events(BuildEvent::BuildFinished {
        binaries: binaries.len(),
        elapsed: duration,
        program: what.as_deref(),
    });
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
