//! The folder of a run's sockets, for whoever needs them to be files.
//!
//! A run holds a lock on a file in there for as long as it lives. Where nobody does, the
//! run has ended without the time to clean up, and the next one does it.

use std::{
    env, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use fs_err as fs;
use nix::unistd::geteuid;

/// What the names of such folders begin with.
const PREFIX: &str = "concaudit-";
/// The file that its owner holds a lock on.
const LOCK: &str = "lock";
/// `sun_path` holds 108 bytes, and the names of sockets need some of them.
const MAX_PARENT: usize = 48;
/// A folder without a lock that is younger than this is being made.
const NEW: Duration = Duration::from_secs(600);

/// A folder for sockets, removed when it is dropped.
#[derive(Debug)]
pub struct Folder {
    directory: tempfile::TempDir,
    /// Locked for as long as it is open.
    lock: fs::File,
}

impl Folder {
    /// Makes one where tests do not clean up, if there is such a place. On the way,
    /// removes those that runs which were killed have left.
    pub fn create() -> io::Result<Self> {
        let mut failure = None;
        for parent in parents() {
            remove_abandoned(&parent);
            match Self::create_in(&parent) {
                Ok(folder) => return Ok(folder),
                Err(error) => {
                    let _ = failure.get_or_insert(error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    fn create_in(parent: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let lock = lock(directory.path())?;
        Ok(Self { directory, lock })
    }

    /// Makes it again, under the same name, where somebody has removed it.
    pub fn restore(&mut self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        match std::fs::DirBuilder::new().mode(0o700).create(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.lock = lock(self.path())?;
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn lock(folder: &Path) -> io::Result<fs::File> {
    let lock = fs::File::create(folder.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

/// Where such a folder may be, the best place first.
fn parents() -> Vec<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = runtime.into_iter().chain([env::temp_dir(), PathBuf::from("/tmp")]);
    let is_usable = |path: &PathBuf| {
        // The line protocol has no escapes.
        path.is_absolute()
            && path.as_os_str().len() <= MAX_PARENT
            && path.to_str().is_some_and(|path| !path.contains(['\t', '\n']))
            && path.is_dir()
    };
    let mut usable: Vec<PathBuf> = Vec::new();
    for place in places.filter(is_usable) {
        if !usable.contains(&place) {
            usable.push(place);
        }
    }
    usable
}

/// Removes what runs have left that are gone. Whatever fails is left to the next one.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_named && is_abandoned(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return false };
    if !metadata.is_dir() || metadata.uid() != geteuid().as_raw() {
        return false;
    }
    if let Ok(lock) = fs::File::open(folder.join(LOCK)) {
        // Held by no process, wherever that would run.
        return lock.try_lock().is_ok();
    }
    let age = metadata.modified().ok().and_then(|made| made.elapsed().ok());
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    is_empty && age.is_some_and(|age| age > NEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_whose_owner_is_gone_is_removed_and_no_other() {
        let parent = tempfile::tempdir().unwrap();
        let alive = Folder::create_in(parent.path()).unwrap();
        let dead = parent.path().join("concaudit-dead");
        let (foreign, new) = (parent.path().join("other"), parent.path().join("concaudit-new"));
        for folder in [&dead, &foreign, &new] {
            fs::create_dir(folder).unwrap();
        }
        for folder in [&dead, &foreign] {
            fs::write(folder.join(LOCK), "").unwrap();
        }
        remove_abandoned(parent.path());
        assert!(alive.path().is_dir() && foreign.is_dir() && new.is_dir());
        assert!(!dead.exists());
    }

    #[test]
    fn a_folder_that_was_removed_is_made_again_and_is_nobody_elses() {
        let parent = tempfile::tempdir().unwrap();
        let mut folder = Folder::create_in(parent.path()).unwrap();
        fs::remove_dir_all(folder.path()).unwrap();
        folder.restore().unwrap();
        remove_abandoned(parent.path());
        assert!(folder.path().is_dir());
    }
}
