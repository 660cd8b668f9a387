//! Folders as data: copied before use, compared after it.

use std::{collections::BTreeMap, path::Path};

use sha2::{Digest, Sha256};

/// Every file below a folder with a hash of what is in it, `target/` aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, Vec<u8>>);

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let entries = fs_err::read_dir(folder).expect("a folder of ours can be read");
    for entry in entries {
        let path = entry.expect("a folder of ours can be read").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                walk(&path, visit);
            }
        } else {
            visit(&path);
        }
    }
}

impl Tree {
    pub fn of(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        walk(folder, &mut |path| {
            let name = path.strip_prefix(folder).expect("below the folder");
            let contents = fs_err::read(path).expect("a file of ours can be read");
            files.insert(name.display().to_string(), Sha256::digest(contents).to_vec());
        });
        Self(files)
    }
}

/// Copies a folder, `target/` aside.
pub fn copy(from: &Path, to: &Path) {
    walk(from, &mut |path| {
        let destination = to.join(path.strip_prefix(from).expect("below the folder"));
        let folder = destination.parent().expect("below the destination");
        fs_err::create_dir_all(folder).expect("a scratch folder can be made");
        fs_err::copy(path, destination).expect("a file of ours can be copied");
    });
}
