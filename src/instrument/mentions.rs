//! Whether a word is anywhere in the sources of a project: cheap to tell, and what is
//! nowhere in them names no test, unless a macro puts that name together.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

/// So many files are looked at; the sources of a project have fewer.
const MAX_FILES: usize = 20_000;
/// A source file beyond this size is generated.
const MAX_SIZE: u64 = 16 << 20;

/// Whether a Rust source file below one of `folders`, or the name of any file there, has
/// `word` in it; yes where that cannot be told. What cargo builds is left out.
pub fn is_mentioned(folders: &[Utf8PathBuf], target_directory: &Utf8Path, word: &str) -> bool {
    let mut left = MAX_FILES;
    // An error is a file that a test may come from.
    folders.iter().any(|root| look(root, root, target_directory, word, &mut left).unwrap_or(true))
}

fn look(
    root: &Utf8Path,
    folder: &Utf8Path,
    target_directory: &Utf8Path,
    word: &str,
    left: &mut usize,
) -> io::Result<bool> {
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        // A test's path has the names of modules in it, and `target` is cargo's.
        if path == target_directory || name.starts_with('.') || (folder == root && name == "target")
        {
            continue;
        }
        if name.contains(word) {
            return Ok(true);
        }
        let Some(fewer) = left.checked_sub(1) else { return Ok(true) };
        *left = fewer;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if look(root, path, target_directory, word, left)? {
                return Ok(true);
            }
        } else if path.extension() == Some("rs") {
            let is_huge = fs::metadata(path)?.len() > MAX_SIZE;
            let text = if is_huge { None } else { Some(fs::read(path)?) };
            let has_word = text.is_none_or(|text| String::from_utf8_lossy(&text).contains(word));
            if has_word {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_sources_and_in_the_names_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        for (file, text) in [
            ("src/orders.rs", "fn cheap_ones_first() {}"),
            ("target/debug/build/out.rs", "fn generated() {}"),
            ("elsewhere/out.rs", "fn generated() {}"),
            ("README.md", "prose"),
        ] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), text).unwrap();
        }
        let target = root.join("elsewhere");
        let is = |word| is_mentioned(std::slice::from_ref(&root), &target, word);
        assert!(is("orders") && is("cheap_ones") && is("READ"));
        assert!(!is("generated") && !is("prose") && !is("explian"));
        assert!(is_mentioned(&[root.join("gone")], &target, "x"), "nobody knows");
    }
}
