//! The build flags of `cargo test`, with cargo's names and meaning.

use std::process::Command;

use super::{locks::LockKind, program::ProgramChoice};

use camino::Utf8PathBuf;

/// What is built and how, as for `cargo test`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct BuildArgs {
    /// Package to run tests for
    #[arg(short, long = "package", value_name = "SPEC", help_heading = "Package selection")]
    pub packages: Vec<String>,
    /// Test all packages in the workspace
    #[arg(long, visible_alias = "all", help_heading = "Package selection")]
    pub workspace: bool,
    /// Exclude packages from the test
    #[arg(long, value_name = "SPEC", help_heading = "Package selection")]
    pub exclude: Vec<String>,

    /// Test only this package's library
    #[arg(long, help_heading = "Target selection")]
    pub lib: bool,
    /// Test all binaries
    #[arg(long, help_heading = "Target selection")]
    pub bins: bool,
    /// Test only the specified binary
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub bin: Vec<String>,
    /// Test all targets that have `test = true` set
    #[arg(long, help_heading = "Target selection")]
    pub tests: bool,
    /// Test only the specified test target
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub test: Vec<String>,
    /// Test all targets that have `bench = true` set
    #[arg(long, help_heading = "Target selection")]
    pub benches: bool,
    /// Test only the specified bench target
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub bench: Vec<String>,
    /// Test all examples
    #[arg(long, help_heading = "Target selection")]
    pub examples: bool,
    /// Test only the specified example
    #[arg(long, value_name = "NAME", help_heading = "Target selection")]
    pub example: Vec<String>,
    /// Test all targets (does not include doctests)
    #[arg(long, help_heading = "Target selection")]
    pub all_targets: bool,

    /// Space or comma separated list of features to activate
    #[arg(short = 'F', long, value_name = "FEATURES", help_heading = "Feature selection")]
    pub features: Vec<String>,
    /// Activate all available features
    #[arg(long, help_heading = "Feature selection")]
    pub all_features: bool,
    /// Do not activate the `default` feature
    #[arg(long, help_heading = "Feature selection")]
    pub no_default_features: bool,

    /// Number of parallel jobs of the build and of tests at a time, defaults to # of CPUs
    #[arg(
        short,
        long,
        value_name = "N",
        allow_hyphen_values = true,
        value_parser = jobs,
        help_heading = "Compilation options"
    )]
    pub jobs: Option<String>,
    /// Build artifacts in release mode, with optimizations
    #[arg(short, long, help_heading = "Compilation options")]
    pub release: bool,
    /// Build artifacts with the specified profile
    #[arg(long, value_name = "PROFILE-NAME", help_heading = "Compilation options")]
    pub profile: Option<String>,
    /// Build for the target triple
    #[arg(long, value_name = "TRIPLE", help_heading = "Compilation options")]
    pub target: Option<String>,
    /// Directory for all generated artifacts
    #[arg(long, value_name = "DIRECTORY", help_heading = "Compilation options")]
    pub target_dir: Option<Utf8PathBuf>,

    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Manifest options")]
    pub manifest_path: Option<Utf8PathBuf>,
    /// Ignore `rust-version` specification in packages
    #[arg(long, help_heading = "Manifest options")]
    pub ignore_rust_version: bool,
    /// Assert that `Cargo.lock` will remain unchanged
    #[arg(long, help_heading = "Manifest options")]
    pub locked: bool,
    /// Run without accessing the network
    #[arg(long, help_heading = "Manifest options")]
    pub offline: bool,
    /// Equivalent to specifying both --locked and --offline
    #[arg(long, help_heading = "Manifest options")]
    pub frozen: bool,
    /// Override a configuration value
    #[arg(long, value_name = "KEY=VALUE|PATH", help_heading = "Manifest options")]
    pub config: Vec<String>,
}

/// Cargo's formats for what it tells of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum MessageFormat {
    /// For people
    Human,
    /// For people, a line for each message
    Short,
    /// As JSON, rustc's messages included
    Json,
    /// As JSON, with messages that are rendered as by `short`
    JsonDiagnosticShort,
    /// As JSON, with messages that are rendered in colour
    JsonDiagnosticRenderedAnsi,
    /// As JSON, but for rustc's messages, which cargo renders
    JsonRenderDiagnostics,
}

impl MessageFormat {
    /// Whether standard output is to have cargo's JSON.
    pub fn is_json(self) -> bool {
        !matches!(self, Self::Human | Self::Short)
    }

    /// The value of `--message-format` that shows what these would and lets us read
    /// along: cargo's JSON.
    pub fn for_cargo(formats: &[Self]) -> String {
        if !formats.iter().any(|format| format.is_json()) {
            return match formats.last() {
                Some(Self::Short) => "json-render-diagnostics,json-diagnostic-short".to_owned(),
                _ => "json-render-diagnostics".to_owned(),
            };
        }
        let names = formats.iter().filter_map(clap::ValueEnum::to_possible_value);
        names.map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(",")
    }
}

/// A number of jobs as cargo takes it: negative for so many fewer than there are CPUs.
pub fn jobs(text: &str) -> Result<String, String> {
    match text.parse::<i32>() {
        Ok(0) => Err("must not be 0".to_owned()),
        Err(_) if text != "default" => Err("expected a number, or `default`".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

impl BuildArgs {
    /// Whether no network may be touched.
    pub fn is_offline(&self) -> bool {
        self.offline || self.frozen
    }

    /// Whether the targets were left to cargo; it would run doctests then.
    pub fn has_default_targets(&self) -> bool {
        !(self.lib
            || self.bins
            || self.tests
            || self.benches
            || self.examples
            || self.all_targets
            || [&self.bin, &self.test, &self.bench, &self.example]
                .iter()
                .any(|names| !names.is_empty()))
    }

    /// Appends those flags that every cargo command takes which reads a
    /// manifest.
    pub fn append_manifest_options(&self, command: &mut Command) {
        if let Some(path) = &self.manifest_path {
            command.arg("--manifest-path").arg(path);
        }
        let flags =
            [(self.locked, "--locked"), (self.offline, "--offline"), (self.frozen, "--frozen")];
        command.args(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag));
        for config in &self.config {
            command.args(["--config", config]);
        }
    }

    /// Appends the flags that select packages, targets and features and say how
    /// to compile them. `--target` and `--target-dir` are the caller's affair.
    pub fn append_build_options(&self, command: &mut Command) {
        let flags = [
            (self.workspace, "--workspace"),
            (self.lib, "--lib"),
            (self.bins, "--bins"),
            (self.tests, "--tests"),
            (self.benches, "--benches"),
            (self.examples, "--examples"),
            (self.all_targets, "--all-targets"),
            (self.all_features, "--all-features"),
            (self.no_default_features, "--no-default-features"),
            (self.release, "--release"),
            (self.ignore_rust_version, "--ignore-rust-version"),
        ];
        command.args(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag));
        let lists = [
            ("--package", &self.packages),
            ("--exclude", &self.exclude),
            ("--bin", &self.bin),
            ("--test", &self.test),
            ("--bench", &self.bench),
            ("--example", &self.example),
            ("--features", &self.features),
        ];
        for (flag, values) in lists {
            for value in values {
                command.args([flag, value]);
            }
        }
        // With `=`: a negative number of jobs is not a flag.
        if let Some(jobs) = &self.jobs {
            command.arg(format!("--jobs={jobs}"));
        }
        if let Some(profile) = &self.profile {
            command.args(["--profile", profile]);
        }
    }
}

/// What is built.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// As for `cargo test`.
    pub args: BuildArgs,
    /// A program is built instead of tests.
    pub program: Option<ProgramChoice>,
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        build: BuildArgs,
    }

    #[test]
    fn flags_reach_cargo_as_they_were_given() {
        let cli = Cli::parse_from(
            "x -p a --package b --all --exclude c --test t --features x,y -F z --release -j -1 \
             --locked --config k=1"
                .split_whitespace(),
        );
        let mut command = Command::new("cargo");
        cli.build.append_manifest_options(&mut command);
        cli.build.append_build_options(&mut command);
        let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(
            args.join(" "),
            "--locked --config k=1 --workspace --release --package a --package b --exclude c \
             --test t --features x,y --features z --jobs=-1"
        );
        assert!(!cli.build.has_default_targets());
    }
}
