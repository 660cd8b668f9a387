//! The audited project: where it is, and whose code a source file is.
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

    /// `file` as it is reported: relative to the workspace root where it lies inside; of
    /// a dependency `fern-0.6.2/src/lib.rs`, of the standard library `std/src/panic.rs`,
    /// which are the same on every machine; else unchanged.
    #[must_use]
    pub fn display_path(&self, file: &Utf8Path) -> String {
        let path = match file.strip_prefix(&self.workspace_root) {
            Ok(inside) => inside.as_str(),
            Err(_) => within_its_crate(file.as_str()).unwrap_or(file.as_str()),
        };
        path.replace('\\', "/")
    }

    /// Where a file is, where [`Self::display_path`] does not lead to it.
    #[must_use]
    pub fn absolute_path(&self, file: &Utf8Path) -> Option<String> {
        let is_outside = file.is_absolute() && !file.starts_with(&self.workspace_root);
        is_outside.then(|| file.as_str().replace('\\', "/"))
    }
}

/// A file of cargo's registry, of its checkouts or of the standard library from its crate's
/// folder on.
fn within_its_crate(path: &str) -> Option<&str> {
    let after = |marker: &str| path.find(marker).map(|at| &path[at + marker.len()..]);
    let beyond = |path: &'_ str| path.split_once('/').map(|(_, rest)| rest.len());
    if let Some(rest) = after("/registry/src/") {
        // The registry's own folder.
        return beyond(rest).map(|left| &path[path.len() - left..]);
    }
    if let Some(rest) = after("/git/checkouts/") {
        // `<name>-<hash>/<commit>/..`: a member's folder, or what is in the only one.
        let left = rest.splitn(3, '/').nth(2)?.len();
        return Some(&path[path.len() - left..]);
    }
    let is_std = path.starts_with("/rustc/") || path.contains("/rustlib/src/rust/library/");
    is_std.then(|| after("/library/")).flatten().map(|rest| &path[path.len() - rest.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_same_on_every_machine() {
        let project = Project { workspace_root: "/home/me/app".into(), ..Project::default() };
        let cases = [
            ("/home/me/app/src/lib.rs", "src/lib.rs"),
            (
                "/home/me/.cargo/registry/src/host-1f/fern-0.6.2/src/log_impl.rs",
                "fern-0.6.2/src/log_impl.rs",
            ),
            (
                "/home/me/.cargo/git/checkouts/tokio-8a/3f2/tokio-util/src/lib.rs",
                "tokio-util/src/lib.rs",
            ),
            ("/rustc/59807/library/std/src/thread/mod.rs", "std/src/thread/mod.rs"),
            ("/t/lib/rustlib/src/rust/library/core/src/ops.rs", "core/src/ops.rs"),
            ("/home/me/other/src/lib.rs", "/home/me/other/src/lib.rs"),
            ("src/lib.rs", "src/lib.rs"),
        ];
        for (path, shown) in cases {
            assert_eq!(project.display_path(path.into()), shown);
        }
        assert_eq!(project.absolute_path("/home/me/app/src/lib.rs".into()), None);
        assert_eq!(project.absolute_path("/x/src/lib.rs".into()).as_deref(), Some("/x/src/lib.rs"));
    }
}
