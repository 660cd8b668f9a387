//! What the wrapper phases tell the build, in files below the target directory:
//! many of them run at once, so each crate has a file of its own.

use std::{fmt, io};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::state::{State, Without};
use crate::instrument::locks::{Facade, Facades};

/// Where the names of instrumented crates are kept. It lives and dies with the
/// compiled crates, so it is right for those that cargo finds compiled, too.
const INSTRUMENTED: &str = "instrumented";
/// Where the crates are named that a facade has broken beyond repair.
const FAILED: &str = "failed";
/// Where the crates are named that were compiled without a facade since they
/// do not compile with it. It lives as long as [`INSTRUMENTED`].
const LOST: &str = "lost";

/// A crate that is compiled without some facades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// For people: `tokio 1.54.1`.
    pub title: String,
    /// The folder of its package.
    pub root: Utf8PathBuf,
    /// What it does without. Never empty.
    pub facades: Facades,
    /// Why, as what is said of it: "does not compile with ...".
    pub reason: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.title, self.reason)
    }
}

/// A crate that does not compile with a facade, nor without it while others have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// For people: `tokio 1.54.1`.
    pub title: String,
    /// What the compiler says, in a line.
    pub error: String,
    /// Which facades to do without. Never empty.
    pub facades: Facades,
    /// In which packages: those between which types cross, the crate's own among them.
    /// Empty where only the whole build can do without.
    pub packages: Vec<Without>,
}

/// What is said of a crate that does not compile with some facades.
pub fn reason(facades: &Facades, error: &str) -> String {
    let names: Vec<String> = facades.iter().map(ToString::to_string).collect();
    let verb = if facades.contains(&Facade::Server) { "link" } else { "compile" };
    format!("does not {verb} with {}: {error}", names.join(" and "))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.title, reason(&self.facades, &self.error))
    }
}

/// The folder that is there where any crate was compiled so that its locks are seen.
pub fn instrumented(state: &State) -> Utf8PathBuf {
    state.target_dir.join(INSTRUMENTED)
}

/// Takes note of a crate that is compiled so that locks of its own are seen.
pub fn note_instrumented(state: &State, stem: &str) -> io::Result<()> {
    write(&instrumented(state), stem, "")
}

/// Forgets how a crate was compiled before.
pub fn forget(state: &State, stem: &str) {
    for folder in [INSTRUMENTED, LOST] {
        let _ = fs::remove_file(state.target_dir.join(folder).join(stem));
    }
}

/// Takes note of a crate that is compiled without a facade.
pub fn note_loss(state: &State, stem: &str, loss: &Loss) -> io::Result<()> {
    let text = serde_json::to_string(loss).expect("plain data");
    write(&state.target_dir.join(LOST), stem, &text)
}

/// Takes note of a crate that a facade has broken.
pub fn note_failure(state: &State, stem: &str, failure: &Failure) -> io::Result<()> {
    let text = serde_json::to_string(failure).expect("plain data");
    write(&state.target_dir.join(FAILED), stem, &text)
}

fn write(folder: &Utf8Path, stem: &str, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(stem), text)
}

/// The name of a library or program without `lib` and extension.
fn stem_of(file: &Utf8Path) -> Option<&str> {
    let stem = file.file_stem()?;
    Some(stem.strip_prefix("lib").unwrap_or(stem))
}

/// Whether a library (`libtokio-0123456789abcdef.rlib`) in the target directory
/// was compiled so that its locks are seen.
pub fn is_instrumented(target_dir: &Utf8Path, library: &Utf8Path) -> bool {
    stem_of(library).is_some_and(|stem| target_dir.join(INSTRUMENTED).join(stem).exists())
}

/// What a library or program in the target directory had to do without.
pub fn loss(target_dir: &Utf8Path, file: &Utf8Path) -> Option<Loss> {
    let text = fs::read(target_dir.join(LOST).join(stem_of(file)?)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Forgets the failures of earlier builds.
pub fn forget_failures(target_dir: &Utf8Path) {
    let _ = fs::remove_dir_all(target_dir.join(FAILED));
}

/// The crates that a facade has broken.
pub fn failures(target_dir: &Utf8Path) -> Vec<Failure> {
    let Ok(entries) = fs::read_dir(target_dir.join(FAILED)) else { return Vec::new() };
    let mut failures: Vec<Failure> = entries
        .flatten()
        .filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok())
        .collect();
    failures.sort_by(|a, b| a.title.cmp(&b.title));
    // A library and its tests are two crates with one name.
    failures.dedup();
    failures
}
