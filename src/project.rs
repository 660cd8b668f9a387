//! The audited project, as far as every room needs to know it: where it is and
//! whose code a source file is.
//!
//! Built once by [`crate::instrument`] from `cargo metadata`; pure data after.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

/// The project that is audited.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// The workspace root, absolute, symlinks resolved.
    pub workspace_root: Utf8PathBuf,
    /// Every package of the workspace, and every `--first-party` package.
    pub packages: Vec<Package>,
    /// Sources (absolute) that only the test build of a library or program has.
    pub test_sources: BTreeSet<Utf8PathBuf>,
}

/// A package whose code counts as the project's own.
#[derive(Debug, Clone)]
pub struct Package {
    /// As in its manifest.
    pub name: String,
    /// The folder of its manifest, absolute, symlinks resolved.
    pub root: Utf8PathBuf,
}

/// A path with its symlinks resolved, as far as it exists.
#[must_use]
pub fn canonical(path: &Utf8Path) -> Utf8PathBuf {
    path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned())
}

impl Project {
    /// The first-party package that a source file (absolute) belongs to: the
    /// one with the longest root, so that nested packages win.
    #[must_use]
    pub fn package_of(&self, file: &Utf8Path) -> Option<&Package> {
        self.packages
            .iter()
            .filter(|package| file.starts_with(&package.root))
            .max_by_key(|package| package.root.as_str().len())
    }

    /// Whether a folder is the root of a first-party package.
    #[must_use]
    pub fn has_package_at(&self, root: &Utf8Path) -> bool {
        let root = canonical(root);
        self.packages.iter().any(|package| package.root == root)
    }

    /// `file` as it is reported: relative to the workspace root where it lies
    /// inside, else unchanged.
    #[must_use]
    pub fn display_path(&self, file: &Utf8Path) -> String {
        file.strip_prefix(&self.workspace_root).unwrap_or(file).as_str().replace('\\', "/")
    }
}
