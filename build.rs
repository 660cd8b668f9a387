//! Embeds the sources of the probe (`probe/`) and the protocol (`proto/`), so
//! that an installed binary can build the probe on any machine.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// What is embedded, relative to the package.
const ROOTS: [&str; 2] = ["probe", "proto"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let mut files = Vec::new();
    for root in ROOTS {
        collect(&package, Path::new(root), &mut files)?;
    }
    files.sort();

    let mut table = String::from("&[\n");
    for file in &files {
        // Forward slashes on every platform: the names are part of the probe key.
        let name = file.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        let path = package.join(file);
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())
            .expect("writing to a string does not fail");
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("embedded.rs");
    #[expect(clippy::disallowed_methods, reason = "fs-err is no build dependency")]
    fs::write(out, table)
}

/// Appends the files below `folder` (relative to `package`), build output and
/// hidden files left out.
fn collect(package: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let absolute = package.join(folder);
    println!("cargo::rerun-if-changed={}", absolute.display());
    if !absolute.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(absolute)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            collect(package, &path, files)?;
        } else {
            println!("cargo::rerun-if-changed={}", package.join(&path).display());
            files.push(path);
        }
    }
    Ok(())
}
