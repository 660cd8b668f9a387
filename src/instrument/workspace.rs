//! The workspace as `cargo metadata` has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::{Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::Metadata;

use super::{
    artifacts, configuration::Configuration, error::BuildError, options::BuildArgs,
    toolchain::Toolchain,
};
use crate::project::{self, Project, canonical};

/// Cargo's metadata, and those packages of it that are first-party.
pub struct Workspace {
    pub metadata: Metadata,
    pub rust_versions: BTreeMap<String, String>,
    pub first_party: BTreeSet<String>,
}

impl Workspace {
    pub fn read(
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

    pub fn project(&self) -> Project {
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

pub fn not_found(name: &str, metadata: &Metadata) -> BuildError {
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
pub fn read_metadata(
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

/// Says what is missing before cargo is asked, whose messages are for people.
pub fn require_manifest(args: &BuildArgs, folder: &Utf8Path) -> Result<(), BuildError> {
    if let Some(manifest) = &args.manifest_path {
        let path = folder.join(manifest);
        return if path.is_file() { Ok(()) } else { Err(BuildError::NoManifest { path }) };
    }
    if folder.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
        return Ok(());
    }
    Err(BuildError::NotAProject { folder: folder.to_owned() })
}

pub fn current_folder() -> Result<Utf8PathBuf, BuildError> {
    let folder = env::current_dir().map_err(BuildError::CurrentFolder)?;
    Utf8PathBuf::from_path_buf(folder).map_err(|folder| BuildError::Path {
        path: folder.display().to_string(),
        reason: "it is not UTF-8".into(),
    })
}

pub fn toolchain(
    configuration: &Configuration,
    folder: &Utf8Path,
) -> Result<Toolchain, BuildError> {
    let cargo = env::var_os("CARGO").filter(|cargo| !cargo.is_empty());
    let cargo = cargo.unwrap_or_else(|| "cargo".into());
    Ok(Toolchain::of(&configuration.rustc(), cargo, folder.as_std_path())?)
}
