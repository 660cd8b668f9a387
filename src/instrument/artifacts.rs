//! What cargo said that it built, and what follows for the run.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{
    Artifact, BuildScript, Metadata, Package, PackageId, Target, TargetKind as Kind,
};
use fs_err as fs;
use toml::{Table, Value};

use super::program::Program;

/// The messages of one build.
#[derive(Debug, Default)]
pub struct Messages {
    /// In the order in which they were finished.
    pub artifacts: Vec<Artifact>,
    /// The runs of build scripts.
    pub build_scripts: Vec<BuildScript>,
}

impl Messages {
    /// The test executables.
    pub fn tests(&self) -> impl Iterator<Item = (&Artifact, &Utf8PathBuf)> {
        self.artifacts
            .iter()
            .filter(|artifact| artifact.profile.test)
            .filter_map(|artifact| Some((artifact, artifact.executable.as_ref()?)))
    }

    /// The executable of a program.
    pub fn program(&self, program: &Program) -> Option<(&Artifact, &Utf8PathBuf)> {
        self.artifacts
            .iter()
            .filter(|artifact| {
                artifact.package_id == program.package
                    && artifact.target.name == program.name
                    && kind_of(&artifact.target) == program.kind
                    && !artifact.profile.test
            })
            .find_map(|artifact| Some((artifact, artifact.executable.as_ref()?)))
    }

    /// The programs of a package, by name.
    pub fn binaries(&self, package: &PackageId) -> BTreeMap<String, Utf8PathBuf> {
        self.artifacts
            .iter()
            .filter(|artifact| {
                artifact.package_id == *package
                    && artifact.target.is_kind(Kind::Bin)
                    && !artifact.profile.test
            })
            .filter_map(|artifact| {
                Some((artifact.target.name.clone(), artifact.executable.clone()?))
            })
            .collect()
    }

    /// The run of a package's build script that its target crates saw.
    pub fn build_script(&self, package: &PackageId, output: &Utf8Path) -> Option<&BuildScript> {
        let mut runs = self.build_scripts.iter().filter(|script| script.package_id == *package);
        let first = runs.next()?;
        // A package that is a build dependency too has a second run, for the host.
        Some(
            std::iter::once(first)
                .chain(runs)
                .find(|script| script.out_dir.starts_with(output))
                .unwrap_or(first),
        )
    }

    /// The libraries that target crates link.
    pub fn libraries<'a>(&'a self, output: &'a Utf8Path) -> impl Iterator<Item = Library<'a>> {
        self.artifacts.iter().filter_map(move |artifact| {
            let with = |extension| {
                artifact.filenames.iter().find(|file| file.extension() == Some(extension))
            };
            let file = with("rmeta").or_else(|| with("rlib"))?;
            let (name, version) = name_and_version(artifact);
            file.starts_with(output).then_some(Library { name, version, file })
        })
    }
}

impl Messages {
    /// Sources that only a test build of a library or a program has, and the plain one has
    /// not: `#[cfg(test)] mod helpers;`. Of a target that was not compiled plainly, or does not
    /// tell of what (a program, beside which cargo writes that in another form), nothing is
    /// known. Relative paths are those of `root`.
    pub fn sources_of_tests_alone(&self, root: &Utf8Path) -> BTreeSet<Utf8PathBuf> {
        type Sources<'a> = BTreeMap<(&'a PackageId, &'a str, bool), BTreeSet<Utf8PathBuf>>;
        let (mut plain, mut tested) = (Sources::new(), Sources::new());
        for artifact in &self.artifacts {
            let kind = kind_of(&artifact.target);
            if !matches!(kind, TargetKind::Lib | TargetKind::Bin) {
                continue;
            }
            let of = if artifact.profile.test { &mut tested } else { &mut plain };
            let target = (&artifact.package_id, &*artifact.target.name, kind == TargetKind::Lib);
            for file in artifact.filenames.iter().chain(&artifact.executable) {
                of.entry(target).or_default().extend(sources(file, root));
            }
        }
        let alone = tested.into_iter().filter_map(|(target, files)| {
            let plain = plain.get(&target).filter(|plain| !plain.is_empty())?;
            Some(files.difference(plain).cloned().collect::<Vec<_>>())
        });
        alone.flatten().collect()
    }
}

/// The sources of an artifact, by what the compiler wrote beside it.
fn sources(artifact: &Utf8Path, root: &Utf8Path) -> BTreeSet<Utf8PathBuf> {
    let stem = artifact.file_stem().unwrap_or_default();
    let is_library = matches!(artifact.extension(), Some("rmeta" | "rlib"));
    let stem = if is_library { stem.strip_prefix("lib").unwrap_or(stem) } else { stem };
    let text = fs::read_to_string(artifact.with_file_name(format!("{stem}.d")));
    sources_in(&text.unwrap_or_default(), root)
}

/// Each source has a line of its own, so that make does not mind where one is gone.
fn sources_in(text: &str, root: &Utf8Path) -> BTreeSet<Utf8PathBuf> {
    text.lines()
        .filter_map(|line| line.strip_suffix(':'))
        .map(|file| root.join(file.replace("\\ ", " ")))
        .filter(|file| file.extension() == Some("rs"))
        .collect()
}

/// A library of the graph.
#[derive(Debug)]
pub struct Library<'a> {
    /// The package's.
    pub name: &'a str,
    /// The package's.
    pub version: String,
    /// Its metadata or itself.
    pub file: &'a Utf8PathBuf,
}

/// The package of an artifact.
fn name_and_version(artifact: &Artifact) -> (&str, String) {
    let id = &artifact.package_id;
    // The manifest's folder is no help: `parking_lot-0.12.3`, or any other.
    let name = name_in(id).unwrap_or(&artifact.target.name);
    (name, version_in(id))
}

/// The name in a package id; `path+file:///p/tokio#1.54.1` has none where it is
/// the folder's.
fn name_in(id: &PackageId) -> Option<&str> {
    if let Some((url, fragment)) = id.repr.rsplit_once('#')
        && !fragment.contains(')')
    {
        return match fragment.rsplit_once('@') {
            Some((name, _)) => Some(name),
            None => url.split('?').next()?.rsplit('/').next(),
        };
    }
    id.repr.split(' ').next()
}

/// The version in a package id: `registry+https://host/index#tokio@1.54.1`,
/// `path+file:///p/tokio#1.54.1`, and before cargo 1.77 `tokio 1.54.1 (source)`.
fn version_in(id: &PackageId) -> String {
    if let Some((_, fragment)) = id.repr.rsplit_once('#')
        && !fragment.contains(')')
    {
        return fragment.rsplit_once('@').map_or(fragment, |(_, version)| version).to_owned();
    }
    id.repr.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// What a test binary was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// A library, of whatever crate type.
    Lib,
    /// A program.
    Bin,
    /// An integration test.
    Test,
    /// A benchmark.
    Bench,
    /// An example.
    Example,
}

/// What a target is, as far as the run cares.
pub fn kind_of(target: &Target) -> TargetKind {
    if target.is_kind(Kind::Test) {
        TargetKind::Test
    } else if target.is_kind(Kind::Bench) {
        TargetKind::Bench
    } else if target.is_kind(Kind::Example) {
        TargetKind::Example
    } else if target.is_kind(Kind::Bin) {
        TargetKind::Bin
    } else {
        TargetKind::Lib
    }
}

/// A test binary's id, as nextest makes it.
pub fn binary_id(package: &str, target: &Target) -> String {
    let name = &target.name;
    match kind_of(target) {
        TargetKind::Lib if target.is_proc_macro() => format!("{package}::proc-macro/{name}"),
        TargetKind::Lib => package.to_owned(),
        TargetKind::Test => format!("{package}::{name}"),
        TargetKind::Bin => format!("{package}::bin/{name}"),
        TargetKind::Bench => format!("{package}::bench/{name}"),
        TargetKind::Example => format!("{package}::example/{name}"),
    }
}

/// The targets of a manifest with `harness = false`.
#[derive(Debug, Default)]
pub struct WithoutHarness(BTreeSet<(&'static str, String)>);

impl WithoutHarness {
    /// Reads a manifest. One that cannot be read has none: cargo has read it
    /// just now, so this can only be a race with an editor.
    pub fn of(manifest: &Utf8Path) -> Self {
        fs::read_to_string(manifest)
            .ok()
            .and_then(|text| text.parse().ok())
            .map(|manifest: Table| Self::of_table(&manifest))
            .unwrap_or_default()
    }

    fn of_table(manifest: &Table) -> Self {
        let has_none =
            |target: &&Value| target.get("harness").and_then(Value::as_bool) == Some(false);
        let mut names = BTreeSet::new();
        if manifest.get("lib").is_some_and(|lib| has_none(&lib)) {
            names.insert(("lib", String::new()));
        }
        for section in ["bin", "test", "bench", "example"] {
            let targets = manifest.get(section).and_then(Value::as_array);
            for target in targets.into_iter().flatten().filter(has_none) {
                if let Some(name) = target.get("name").and_then(Value::as_str) {
                    names.insert((section, name.to_owned()));
                }
            }
        }
        Self(names)
    }

    /// Whether a target is one of them.
    pub fn contains(&self, target: &Target) -> bool {
        let (section, name) = match kind_of(target) {
            TargetKind::Lib => ("lib", ""),
            TargetKind::Bin => ("bin", target.name.as_str()),
            TargetKind::Test => ("test", target.name.as_str()),
            TargetKind::Bench => ("bench", target.name.as_str()),
            TargetKind::Example => ("example", target.name.as_str()),
        };
        self.0.contains(&(section, name.to_owned()))
    }
}

/// `rust-version` of every package, as the manifest has it: `1.70` is not
/// `1.70.0` in the environment of a test.
pub fn rust_versions(metadata_json: &str) -> BTreeMap<String, String> {
    let Ok(metadata) = serde_json::from_str::<serde_json::Value>(metadata_json) else {
        return BTreeMap::new();
    };
    let packages = metadata.get("packages").and_then(|packages| packages.as_array());
    packages
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let text = |key: &str| package.get(key)?.as_str().map(str::to_owned);
            Some((text("id")?, text("rust_version")?))
        })
        .collect()
}

/// The package that an artifact belongs to.
pub fn package_of<'a>(metadata: &'a Metadata, id: &PackageId) -> Option<&'a Package> {
    metadata.packages.iter().find(|package| package.id == *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_read_from_every_kind_of_package_id() {
        for (id, version) in [
            ("registry+https://github.com/rust-lang/crates.io-index#tokio@1.54.1", "1.54.1"),
            ("path+file:///work/tokio#1.20.0", "1.20.0"),
            ("git+https://example.org/t?branch=a#tokio@0.2.25", "0.2.25"),
            ("git+https://example.org/t?branch=a#0.2.25", "0.2.25"),
            ("tokio 1.38.2 (registry+https://github.com/rust-lang/crates.io-index)", "1.38.2"),
            ("tokio 1.38.2 (git+https://example.org/t#abc)", "1.38.2"),
        ] {
            let id = PackageId { repr: id.into() };
            assert_eq!(version_in(&id), version);
            assert!(matches!(name_in(&id), Some("tokio" | "t")), "{id}");
        }
    }

    #[test]
    fn sources_are_those_with_a_line_of_their_own() {
        let text = "/t/debug/deps/app-1.d: src/lib.rs src/my\\ tests.rs\n\n/t/debug/deps/app-1: \
                    src/lib.rs\n\nsrc/lib.rs:\nsrc/my\\ tests.rs:\n/abs/x.rs:\nREADME.md:\n\n# env-dep:A\n";
        let found: Vec<_> = sources_in(text, "/w".into()).into_iter().collect();
        assert_eq!(found, ["/abs/x.rs", "/w/src/lib.rs", "/w/src/my tests.rs"]);
    }

    #[test]
    fn only_named_targets_are_without_harness() {
        let manifest = "[lib]\nharness = false\n[[test]]\nname = \"a\"\nharness = false\n\
                        [[test]]\nname = \"b\"\n[[bench]]\nname = \"a\"\nharness = true\n"
            .parse()
            .unwrap();
        let without = WithoutHarness::of_table(&manifest).0;
        assert_eq!(
            without.into_iter().collect::<Vec<_>>(),
            [("lib", String::new()), ("test", "a".to_owned())]
        );
    }
}
