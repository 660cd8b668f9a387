//! One call of cargo, and the binaries to run that it says it built.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{Artifact, Message};

use super::{
    artifacts::{self, Messages, TargetKind, WithoutHarness},
    configuration::Configuration,
    environment,
    error::BuildError,
    events::BuildEvent,
    locks::Facades,
    options::{BuildOptions, MessageFormat},
    probe::Probe,
    toolchain::Toolchain,
    types::TestBinary,
    workspace::Workspace,
    wrapper,
};

/// One run of `cargo test --no-run`, or of `cargo build` for a program.
pub struct Invocation<'a> {
    pub options: &'a BuildOptions,
    pub toolchain: &'a Toolchain,
    pub configuration: &'a Configuration,
    pub target: &'a str,
    pub target_dir: &'a Utf8Path,
    pub probe: &'a Probe,
    pub facades: &'a Facades,
    /// The packages that do without some of them.
    pub without: Vec<wrapper::Without>,
    /// Whether this cargo knows `build.build-dir`.
    pub has_build_dir: bool,
}

/// How a build ended that did not fail for good.
pub enum Ended {
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
        // Programs have the profile that `cargo run` has.
        match self.options.program {
            Some(_) => command.arg("build"),
            None => command.args(["test", "--no-run"]),
        };
        command.arg("--message-format");
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

    pub fn run(&self, events: &mut dyn FnMut(BuildEvent<'_>)) -> Result<Ended, BuildError> {
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

/// How cargo would run these executables of its.
pub fn binaries(
    built: Vec<(&Artifact, &Utf8PathBuf)>,
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
    for (artifact, executable) in built {
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
            is_program: false,
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

/// A target is named by its triple, or by the file that specifies it.
pub fn triple_of(target: &str) -> &str {
    let path = Utf8Path::new(target);
    match path.extension() {
        Some("json") => path.file_stem().unwrap_or(target),
        _ => target,
    }
}
