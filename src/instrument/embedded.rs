//! The probe's sources, as they are embedded in this binary by `build.rs`.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use sha2::{Digest, Sha256};

/// Manifests are embedded under this name: `cargo package` leaves out folders
/// that have a `Cargo.toml` of their own.
const DISARMED_MANIFEST: &str = "Cargo.toml.in";

/// A set of source files: path relative to the set's root, with forward
/// slashes, and content. Sorted by path.
#[derive(Debug, Clone, Copy)]
pub struct Sources(&'static [(&'static str, &'static [u8])]);

impl Sources {
    /// What this binary carries: `probe/` and `proto/`.
    pub const EMBEDDED: Self = Self(include!(concat!(env!("OUT_DIR"), "/embedded.rs")));

    /// A set of other sources than the embedded ones.
    #[cfg(test)]
    pub const fn new(files: &'static [(&'static str, &'static [u8])]) -> Self {
        Self(files)
    }

    /// The text of one file, by its embedded path.
    pub fn text(self, path: &str) -> Option<&'static str> {
        let (_, content) = self.0.iter().find(|(name, _)| *name == path)?;
        std::str::from_utf8(content).ok()
    }

    /// The paths of all files.
    #[cfg(test)]
    pub fn paths(self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    /// Feeds names and contents to a hash, each with its length so that no two
    /// sets run together.
    pub fn hash_into(self, hash: &mut Sha256) {
        for (name, content) in self.0 {
            for part in [name.as_bytes(), content] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
    }

    /// The files below an embedded folder, as they are unpacked, with a hash of each.
    pub fn below(self, folder: &str) -> impl Iterator<Item = (Utf8PathBuf, String)> {
        self.0
            .iter()
            .filter(move |(name, _)| Utf8Path::new(name).starts_with(folder))
            .map(|(name, content)| (armed(name), hash_of(content)))
    }

    /// Writes all files below `folder`, manifests armed.
    pub fn unpack(self, folder: &Utf8Path) -> std::io::Result<()> {
        for (name, content) in self.0 {
            let path = folder.join(armed(name));
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, content)?;
        }
        Ok(())
    }
}

/// The name under which an embedded file is unpacked.
fn armed(name: &str) -> Utf8PathBuf {
    let path = Utf8Path::new(name);
    if path.file_name() == Some(DISARMED_MANIFEST) {
        path.with_file_name("Cargo.toml")
    } else {
        path.to_owned()
    }
}

/// What tells one content of a file from another.
pub fn hash_of(content: &[u8]) -> String {
    short_hex(Sha256::new_with_prefix(content), 8)
}

/// The first `bytes` bytes of a hash, in lowercase hexadecimal digits.
pub fn short_hex(hash: Sha256, bytes: usize) -> String {
    use std::fmt::Write as _;
    hash.finalize().iter().take(bytes).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_embedded_sources_have_the_workspace_its_lockfile_and_its_members() {
        let sources = Sources::EMBEDDED;
        let manifest: toml::Table =
            sources.text("probe/Cargo.toml.in").expect("the probe's manifest").parse().unwrap();
        assert!(sources.text("probe/Cargo.lock").is_some());
        assert!(sources.text("proto/concaudit/v1/audit.proto").is_some());
        for member in manifest["workspace"]["members"].as_array().unwrap() {
            let member = member.as_str().unwrap();
            assert!(sources.text(&format!("probe/{member}/Cargo.toml.in")).is_some(), "{member}");
            assert!(sources.text(&format!("probe/{member}/src/lib.rs")).is_some(), "{member}");
        }
        assert!(!sources.paths().any(|path| path.ends_with("Cargo.toml")));
    }

    #[test]
    fn the_packaged_crate_carries_every_embedded_file() {
        let output = Command::new(env!("CARGO"))
            .args(["package", "--list", "--allow-dirty", "--offline"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for path in Sources::EMBEDDED.paths() {
            assert!(
                listed.lines().any(|line| line.replace('\\', "/") == path),
                "{path} is left out"
            );
        }
    }

    #[test]
    fn unpacking_arms_the_manifests() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        Sources::new(&[("probe/Cargo.toml.in", b"[workspace]"), ("probe/a/src/lib.rs", b"")])
            .unpack(root)
            .unwrap();
        assert_eq!(fs::read_to_string(root.join("probe/Cargo.toml")).unwrap(), "[workspace]");
        assert!(root.join("probe/a/src/lib.rs").exists());
        assert!(!root.join("probe/Cargo.toml.in").exists());
    }
}
