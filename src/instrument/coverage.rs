//! What was instrumented; what was not, and why.

use std::collections::BTreeSet;

use camino::Utf8Path;
use cargo_metadata::{Artifact, Metadata, Package, TargetKind as Kind};

use super::{
    artifacts::{self, Messages},
    locks::{Facade, Facades, facades_of},
    wrapper::{self, Failure, Loss},
};
use crate::project::Project;

/// Packages with locks of their own making, which nothing shows.
const OPAQUE: [&str; 8] = [
    "async-lock",
    "async-mutex",
    "async-rwlock",
    "futures-intrusive",
    "futures-locks",
    "maitake-sync",
    "spin",
    "usync",
];

/// Such packages that nearly every graph has, for other reasons than their
/// locks: worth a word only where the project itself names them.
const OPAQUE_IF_NAMED: [&str; 3] = ["futures", "futures-util", "try-lock"];

/// Why a kind of locks is not seen that was not asked for.
const NOT_CHOSEN: &str = "left out by `--locks`";

/// Whether this of [`Coverage::missed`] is no loss: what `--locks` leaves out is not
/// wanted.
pub fn is_missed_by_choice(what: &str) -> bool {
    what.ends_with(NOT_CHOSEN)
}

/// A finished build, as far as it says what is seen.
#[derive(Debug, Clone, Copy)]
pub struct Coverage<'a> {
    /// What cargo said.
    pub messages: &'a Messages,
    /// The members at least.
    pub metadata: &'a Metadata,
    /// Cargo's target directory.
    pub target_dir: &'a Utf8Path,
    /// The folder in it of crates for the target.
    pub output: &'a Utf8Path,
    /// Those that were in use in the end.
    pub facades: &'a Facades,
    /// Those that were asked for.
    pub chosen: &'a Facades,
    /// Why some are no longer in use.
    pub lost: &'a [Failure],
    /// The crates that do without some.
    pub losses: &'a [Loss],
}

/// Crates that were compiled without a facade since they do not compile with it.
pub fn losses(messages: &Messages, target_dir: &Utf8Path) -> Vec<Loss> {
    let of = |artifact: &Artifact| {
        let mut files = artifact.filenames.iter().chain(&artifact.executable);
        files.find_map(|file| wrapper::loss(target_dir, file))
    };
    let mut losses: Vec<Loss> = messages.artifacts.iter().filter_map(of).collect();
    losses.sort_by(|a, b| (&a.title, &a.facades).cmp(&(&b.title, &b.facades)));
    // A library and its tests are two crates with one name.
    losses.dedup_by(|a, b| (&a.title, &a.facades) == (&b.title, &b.facades));
    losses
}

impl Coverage<'_> {
    /// What is lost of the project's own crates: each stands in [`Self::missed`], too.
    pub fn first_party_losses(&self, project: &Project) -> Vec<String> {
        let own = self.losses.iter().filter(|loss| project.has_package_at(&loss.root));
        own.map(loss_in_words).collect()
    }

    /// What was instrumented: "tokio 1.54.1".
    pub fn instrumented(&self) -> Vec<String> {
        let mut instrumented = BTreeSet::new();
        if self.facades.contains(&Facade::Std) {
            instrumented.insert("std".to_owned());
        }
        for library in self.messages.libraries(self.output) {
            if wrapper::is_instrumented(self.target_dir, library.file) {
                instrumented.insert(format!("{} {}", library.name, library.version));
            }
        }
        instrumented.into_iter().collect()
    }

    /// What was not, and why: each a fragment that a person can act on.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = BTreeSet::new();
        self.add_facades(&mut missed);
        self.add_members(&mut missed);
        self.add_libraries(&mut missed);
        self.add_tests(&mut missed);
        missed.into_iter().collect()
    }

    /// Those that were not wanted, or that break the build.
    fn add_facades(&self, missed: &mut BTreeSet<String>) {
        let all = facades_of(&[]);
        for facade in all.difference(self.chosen) {
            // It is said of tokio as a whole.
            if *facade != Facade::StdInTokio {
                missed.insert(format!("{}: {NOT_CHOSEN}", facade.shows()));
            }
        }
        for failure in self.lost {
            for facade in &failure.facades {
                missed.insert(format!("{}: {failure}", facade.shows()));
            }
        }
        missed.extend(self.losses.iter().map(loss_in_words));
    }

    /// What the facades are made from has none itself.
    fn add_members(&self, missed: &mut BTreeSet<String>) {
        for package in self.metadata.workspace_packages() {
            let name = package.name.as_str();
            if ["lock_api", "parking_lot", "parking_lot_core"].contains(&name) {
                missed.insert(format!(
                    "locks and threads in {name}: the facades are made from it, so it has none"
                ));
            }
        }
    }

    fn add_libraries(&self, missed: &mut BTreeSet<String>) {
        let mut opaque = BTreeSet::new();
        for library in self.messages.libraries(self.output) {
            let (name, version) = (library.name, &library.version);
            let is_seen = wrapper::is_instrumented(self.target_dir, library.file);
            let is_lost = wrapper::loss(self.target_dir, library.file).is_some();
            if is_seen || is_lost {
                continue;
            }
            let again =
                "it was compiled without the probe; run `cargo concaudit clean` and try again";
            match name {
                "tokio" if !self.facades.contains(&Facade::Tokio) => {}
                "tokio" if wrapper::can_be_instrumented(version) => {
                    missed.insert(format!("tokio {version}: {again}"));
                }
                "tokio" => {
                    missed.insert(format!(
                        "tokio {version}: only 1.20 and later versions of tokio 1 tell of tasks and locks"
                    ));
                }
                "parking_lot" if !self.facades.contains(&Facade::ParkingLot) => {}
                "parking_lot" if wrapper::parking_lot_is_supported(version) => {
                    missed.insert(format!("parking_lot {version}: {again}"));
                }
                "parking_lot" => {
                    missed.insert(format!(
                        "parking_lot {version}: there is no facade for this version"
                    ));
                }
                _ if OPAQUE_IF_NAMED.contains(&name) && !self.is_named(name) => {}
                _ if OPAQUE.contains(&name) || OPAQUE_IF_NAMED.contains(&name) => {
                    opaque.insert(name);
                }
                _ => {}
            }
        }
        if !opaque.is_empty() {
            let names: Vec<&str> = opaque.into_iter().collect();
            missed.insert(format!("locks of {}: they are of their own making", names.join(", ")));
        }
    }

    /// Whether a member depends on a package.
    fn is_named(&self, name: &str) -> bool {
        self.metadata
            .workspace_packages()
            .iter()
            .any(|package| package.dependencies.iter().any(|dependency| dependency.name == name))
    }

    fn add_tests(&self, missed: &mut BTreeSet<String>) {
        for (artifact, executable) in self.messages.tests() {
            let Some(package) = artifacts::package_of(self.metadata, &artifact.package_id) else {
                continue;
            };
            if !executable.starts_with(self.output) {
                missed.insert(format!(
                    "the tests of {}: procedural macros run in the compiler",
                    package.name
                ));
            }
        }
    }

    /// The tested packages that cargo would look for doctests in.
    pub fn with_doctests(&self) -> Vec<String> {
        let tested = self
            .messages
            .tests()
            .filter_map(|(artifact, _)| artifacts::package_of(self.metadata, &artifact.package_id));
        let has_doctests = |package: &&Package| {
            package.targets.iter().any(|target| target.doctest && !target.is_kind(Kind::Bin))
        };
        let names: BTreeSet<String> =
            tested.filter(has_doctests).map(|package| package.name.to_string()).collect();
        names.into_iter().collect()
    }
}

/// What is not seen of a crate, and why.
fn loss_in_words(loss: &Loss) -> String {
    let name = loss.title.split(' ').next().unwrap_or_default();
    let facades: Vec<Facade> = loss.facades.iter().copied().collect();
    let what = match (name, facades.as_slice()) {
        ("tokio", [facade, ..]) | ("parking_lot" | "lock_api", [facade]) => {
            facade.shows().to_owned()
        }
        (_, [Facade::Server]) => format!("what tests and programs of {} do", loss.title),
        _ => {
            let of: BTreeSet<&str> = facades
                .iter()
                .map(|facade| match facade {
                    Facade::ParkingLot => "locks of parking_lot",
                    Facade::LockApi => "locks built on lock_api",
                    _ => "std locks and threads",
                })
                .collect();
            let of: Vec<&str> = of.into_iter().collect();
            format!("{} inside {}", of.join(" and "), loss.title)
        }
    };
    format!("{what}: {} {}", loss.title, loss.reason)
}
