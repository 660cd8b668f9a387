//! The packages of a build that do without some facades, since they do not compile with
//! them. Kept below the target directory, so that the next build does not fail first.
//!
//! Cargo's fingerprints know nothing of them: a package that is added has its fingerprints
//! removed, so that cargo compiles it again, and whoever depends on it.

use std::{collections::BTreeMap, io, time::SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::wrapper::{Failure, Without};

/// Where they are kept.
const FILE: &str = "without.json";
/// Where cargo keeps fingerprints, below the folder of a profile.
const FINGERPRINTS: &str = ".fingerprint";
const MANIFEST: &str = "Cargo.toml";

/// The packages that do without some facades.
#[derive(Debug)]
pub struct Exclusions {
    target_dir: Utf8PathBuf,
    /// By the folder of the manifest.
    packages: BTreeMap<Utf8PathBuf, Without>,
    /// Those of them that this build has added.
    added: Vec<Without>,
}

impl Exclusions {
    /// Those that an earlier build has found, but for packages whose manifest or sources have
    /// changed since: these are tried again.
    pub fn read(target_dir: &Utf8Path) -> Self {
        let file = target_dir.join(FILE);
        let written = fs::metadata(&file).and_then(|file| file.modified());
        let written = written.unwrap_or(SystemTime::UNIX_EPOCH);
        let packages: Vec<Without> = fs::read(&file)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        // One that cannot be read is tried again, too.
        let is_current = |package: &Without| {
            package.root.join(MANIFEST).is_file()
                && !has_changed(&package.root, target_dir, written).unwrap_or(true)
        };
        let packages =
            packages.into_iter().filter(is_current).map(|it| (it.root.clone(), it)).collect();
        Self { target_dir: target_dir.to_owned(), packages, added: Vec::new() }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Without> {
        self.packages.values().cloned().collect()
    }

    /// Adds those that a failure asks for. Returns the names of those that are new; empty
    /// where nothing is, so that the build as a whole has to do without.
    pub fn add(&mut self, failure: &Failure) -> Vec<String> {
        let mut names = Vec::new();
        for package in &failure.packages {
            let known = self.packages.get(&package.root);
            let facades = known.map(|it| it.facades.clone()).unwrap_or_default();
            if facades.is_superset(&package.facades) {
                continue;
            }
            let package = Without { facades: &facades | &package.facades, ..package.clone() };
            names.push(package.name.clone());
            self.added.push(package.clone());
            self.packages.insert(package.root.clone(), package);
        }
        names
    }

    /// Has cargo compile those that were added again.
    pub fn have_compiled_again(&self, triple: &str) {
        let Ok(profiles) = fs::read_dir(self.target_dir.join(triple)) else { return };
        for profile in profiles.flatten() {
            let Ok(units) = fs::read_dir(profile.path().join(FINGERPRINTS)) else { continue };
            for unit in units.flatten() {
                let name = unit.file_name();
                let is_of = |package: &Without| {
                    // `<package>-<hash>`
                    name.to_str()
                        .and_then(|name| name.rsplit_once('-'))
                        .is_some_and(|(name, _)| name == package.name)
                };
                if self.added.iter().any(is_of) {
                    // Where it fails the error comes again, and ends the build.
                    let _ = fs::remove_dir_all(unit.path());
                }
            }
        }
    }

    /// Undoes what this build has added.
    pub fn forget(&mut self, triple: &str) {
        self.have_compiled_again(triple);
        self.added.clear();
    }

    /// Keeps them for the next build, which is known to succeed with them.
    pub fn keep(&self) -> io::Result<()> {
        if self.added.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&self.all()).expect("plain data");
        fs::write(self.target_dir.join(FILE), text)
    }
}

/// Whether the manifest of a package or one of its sources was written after `time`. What
/// cargo builds and nested packages are left out.
fn has_changed(folder: &Utf8Path, target_dir: &Utf8Path, time: SystemTime) -> io::Result<bool> {
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_changed = if entry.file_type()?.is_dir() {
            !name.starts_with('.')
                && !target_dir.starts_with(path)
                && !path.join(MANIFEST).exists()
                && has_changed(path, target_dir, time)?
        } else {
            (name == MANIFEST || path.extension() == Some("rs"))
                && entry.metadata()?.modified()? > time
        };
        if is_changed {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::locks::{Facade, Facades};

    fn package(root: &Utf8Path, name: &str, facade: Facade) -> Without {
        let root = root.join(name);
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("Cargo.toml"), "").unwrap();
        let facades = Facades::from([facade]);
        Without { root, name: name.into(), facades, reason: "does not compile".into() }
    }

    fn failure(packages: Vec<Without>) -> Failure {
        let facades = Facades::from([Facade::Std]);
        Failure { title: "a 1.0.0".into(), error: "it is wrong".into(), facades, packages }
    }

    #[test]
    fn what_is_added_is_compiled_again_and_kept_and_known_is_not_new() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let (a, b) = (package(root, "a", Facade::Std), package(root, "b-c", Facade::Std));
        let target = root.join("target");
        let units = target.join("x/debug").join(FINGERPRINTS);
        for unit in ["a-01", "b-c-02", "b-03"] {
            fs::create_dir_all(units.join(unit)).unwrap();
        }
        let mut exclusions = Exclusions::read(&target);
        assert_eq!(exclusions.add(&failure(vec![a.clone(), b.clone()])), ["a", "b-c"]);
        exclusions.have_compiled_again("x");
        assert!(!units.join("a-01").exists() && !units.join("b-c-02").exists());
        assert!(units.join("b-03").exists());
        exclusions.keep().unwrap();

        let mut exclusions = Exclusions::read(&target);
        assert_eq!(exclusions.all(), [a.clone(), b]);
        assert!(exclusions.add(&failure(vec![a.clone()])).is_empty());
        let lock_api = Without { facades: Facades::from([Facade::LockApi]), ..a };
        assert_eq!(exclusions.add(&failure(vec![lock_api])), ["a"]);
        assert_eq!(exclusions.all()[0].facades, Facades::from([Facade::Std, Facade::LockApi]));
    }

    #[test]
    fn a_package_that_is_gone_or_whose_manifest_or_sources_have_changed_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let target = root.join("a/target/concaudit/k");
        fs::create_dir_all(&target).unwrap();
        let package = package(root, "a", Facade::Std);
        for folder in ["src/inner", "nested"] {
            fs::create_dir_all(package.root.join(folder)).unwrap();
        }
        fs::write(package.root.join("nested/Cargo.toml"), "").unwrap();
        let mut exclusions = Exclusions::read(&target);
        exclusions.add(&failure(vec![package.clone()]));
        exclusions.keep().unwrap();
        let is_known = || !Exclusions::read(&target).all().is_empty();
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        let write = |name: &str| {
            let file = package.root.join(name);
            fs::write(&file, "").unwrap();
            fs::OpenOptions::new().write(true).open(&file).unwrap().set_modified(later).unwrap();
        };
        for of_others in ["target/a.rs", "nested/lib.rs", "notes.txt"] {
            write(of_others);
            assert!(is_known(), "{of_others}");
        }
        for own in ["src/inner/lib.rs", "Cargo.toml"] {
            write(own);
            assert!(!is_known(), "{own}");
            fs::OpenOptions::new()
                .write(true)
                .open(package.root.join(own))
                .unwrap()
                .set_modified(SystemTime::UNIX_EPOCH)
                .unwrap();
            assert!(is_known(), "{own}");
        }
        fs::remove_file(package.root.join(MANIFEST)).unwrap();
        assert!(!is_known());
    }
}
