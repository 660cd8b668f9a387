//! The instrumented builds of a target directory: which are kept, and for how long.
//!
//! ```text
//! <target>/concaudit/<key>/       one build, cargo's target directory
//! <target>/concaudit/<key>.lock   held shared while it is in use; modified when that began
//! ```
//!
//! Invariant: nobody removes `<key>/` who does not hold its lock exclusively. The lock
//! files stay: whoever waits for one that is removed would hold nothing.

use std::{
    fs::TryLockError,
    io,
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

/// The folder below cargo's target directory that is ours.
pub const OUTPUT_FOLDER: &str = "concaudit";
/// So many builds of other flags, other toolchains and other versions of this tool are
/// kept beside the one in use.
const OTHERS_KEPT: usize = 3;
/// What a folder is renamed to before it is removed.
const DOOMED: &str = "removed";

/// A build that nobody removes meanwhile.
#[derive(Debug)]
pub struct InUse {
    /// `None` where the file system knows no locks.
    _lock: Option<fs::File>,
}

/// Says that the build `key` is in use from now on.
pub fn take(parent: &Utf8Path, key: &str) -> InUse {
    InUse { _lock: lock_file(parent, key).and_then(|lock| lock.lock_shared().map(|()| lock)).ok() }
}

/// Creates it, and notes the time.
fn lock_file(parent: &Utf8Path, key: &str) -> io::Result<fs::File> {
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(parent.join(format!("{key}.lock")))?;
    lock.file().set_modified(SystemTime::now())?;
    Ok(lock)
}

/// Removes those builds that were not used for longest, except `current` and a few, and
/// returns them. What is in use stays; what cannot be removed does, too.
pub fn collect(parent: &Utf8Path, current: &str) -> Vec<Utf8PathBuf> {
    finish_removals(parent);
    let mut others: Vec<(SystemTime, String)> = builds(parent)
        .into_iter()
        .filter(|key| key != current)
        .map(|key| (last_use(parent, &key), key))
        .collect();
    others.sort();
    let too_many = others.len().saturating_sub(OTHERS_KEPT);
    let mut removed = Vec::new();
    for (_, key) in others.into_iter().take(too_many) {
        let Ok(lock) = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(parent.join(format!("{key}.lock")))
        else {
            continue;
        };
        if lock.try_lock().is_err() {
            continue;
        }
        let folder = parent.join(&key);
        // A rename takes no time: nobody waits for the lock while gigabytes go.
        if fs::rename(&folder, parent.join(format!("{key}.{DOOMED}"))).is_ok() {
            removed.push(folder);
        }
    }
    finish_removals(parent);
    removed
}

/// Removes what was to be removed, now or in a run that was killed.
fn finish_removals(parent: &Utf8Path) {
    for name in names(parent) {
        if name.strip_suffix(DOOMED).and_then(|key| key.strip_suffix('.')).is_some_and(is_key) {
            let _ = fs::remove_dir_all(parent.join(name));
        }
    }
}

/// Removes all builds. Returns how many there were.
pub fn clean(parent: &Utf8Path) -> Result<usize, CleanError> {
    let mut locks = Vec::new();
    for name in names(parent) {
        if name.strip_suffix(".lock").is_some_and(is_key)
            && let Ok(lock) = fs::File::open(parent.join(name))
        {
            if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
                return Err(CleanError::InUse);
            }
            locks.push(lock);
        }
    }
    let count = builds(parent).len();
    fs::remove_dir_all(parent).map_err(CleanError::Io)?;
    Ok(count)
}

/// Why the builds of a project could not be removed.
#[derive(Debug)]
pub enum CleanError {
    /// A run uses one of them.
    InUse,
    /// Not ours, read-only, not there, ...
    Io(io::Error),
}

fn builds(parent: &Utf8Path) -> Vec<String> {
    names(parent).into_iter().filter(|name| is_key(name)).collect()
}

fn names(parent: &Utf8Path) -> Vec<String> {
    let entries = parent.read_dir_utf8().into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_owned()).collect()
}

/// Sixteen hexadecimal digits: nothing else in the folder is ours to remove.
fn is_key(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Of a version of this tool that had no lock files: when the folder was made, or
/// something in it.
fn last_use(parent: &Utf8Path, key: &str) -> SystemTime {
    let modified = |path: Utf8PathBuf| fs::metadata(path).and_then(|it| it.modified());
    modified(parent.join(format!("{key}.lock")))
        .or_else(|_| modified(parent.join(key)))
        .unwrap_or(SystemTime::UNIX_EPOCH + Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> String {
        format!("{number:016x}")
    }

    fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let parent = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        (folder, parent)
    }

    /// A build that was used so many seconds ago.
    fn make(parent: &Utf8Path, number: usize, seconds: u64) {
        fs::create_dir_all(parent.join(key(number)).join("debug")).unwrap();
        let lock = lock_file(parent, &key(number)).unwrap();
        lock.file().set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn the_oldest_builds_go_but_those_in_use() {
        let (_folder, parent) = temporary();
        for number in 0..8 {
            make(&parent, number, 100 - number as u64);
        }
        fs::create_dir(parent.join("mine")).unwrap();
        fs::create_dir(parent.join("00000000000000aa.removed")).unwrap();
        // Opened a moment ago, and not the oldest any more.
        let used = take(&parent, &key(0));
        make(&parent, 1, 1000);
        let oldest_in_use = fs::File::open(parent.join(format!("{}.lock", key(1)))).unwrap();
        oldest_in_use.lock_shared().unwrap();
        let removed = collect(&parent, &key(0));
        let left: Vec<usize> = (0..8).filter(|it| parent.join(key(*it)).exists()).collect();
        assert_eq!(left, [0, 1, 5, 6, 7], "the current one, one in use, and three");
        assert_eq!(removed, [2, 3, 4].map(|number| parent.join(key(number))));
        assert!(parent.join("mine").exists());
        assert!(!parent.join("00000000000000aa.removed").exists());
        assert!(matches!(clean(&parent), Err(CleanError::InUse)));
        drop((used, oldest_in_use));
        assert_eq!(clean(&parent).unwrap(), 5);
        assert!(!parent.exists());
    }

    #[test]
    fn a_build_without_a_lock_file_is_as_old_as_its_folder() {
        let (_folder, parent) = temporary();
        fs::create_dir(parent.join(key(9))).unwrap();
        for number in 0..3 {
            make(&parent, number, 100);
        }
        assert_eq!(collect(&parent, &key(5)).len(), 1);
        assert!(parent.join(key(9)).exists(), "it is the newest");
        assert!(collect(&parent, &key(5)).is_empty());
    }
}
