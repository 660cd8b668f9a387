//! What the build tells its wrapper phases.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::instrument::locks::{Facade, Facades};

/// Carries the [`State`] from the build to its wrapper phases.
pub const STATE_ENV: &str = "__CARGO_CONCAUDIT_WRAPPER_STATE";

/// Where below the target directory those crates lie that cargo knows nothing
/// of: the real `parking_lot`, and the facade for `lock_api`.
const SIDE: &str = "beside";

/// What the wrapper phase must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The target triple; crates for another are left alone.
    pub target: String,
    /// Cargo's target directory; what is compiled elsewhere (by a cargo that a
    /// build script runs) is left alone.
    pub target_dir: Utf8PathBuf,
    /// The folder of the probe's libraries.
    pub dependencies: Utf8PathBuf,
    /// The probe's sources, of which some are compiled for each project anew.
    pub sources: Utf8PathBuf,
    /// The libraries of the probe.
    pub libraries: Libraries,
    /// What is to stand in for others.
    pub facades: Facades,
    /// The packages that do without some of these.
    pub without: Vec<Without>,
    /// The wrapper that the user has, to be called in turn.
    pub wrapper: Option<String>,
}

/// A package whose crates are compiled without some facades.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Without {
    /// The folder of its manifest.
    pub root: Utf8PathBuf,
    /// Its name.
    pub name: String,
    /// What it does without. Never empty.
    pub facades: Facades,
    /// Why: "it does not compile with ...".
    pub reason: String,
}

/// The libraries of the probe that are named on a command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Libraries {
    /// Stands in for `tracing`, in tokio.
    pub tracing: Utf8PathBuf,
    /// Stands in for `std`.
    pub std: Utf8PathBuf,
    /// Stands in for `std`, in tokio.
    pub std_in_tokio: Utf8PathBuf,
    /// What the facades that are compiled for each project speak to.
    pub core: Utf8PathBuf,
    /// What programs are linked with besides, by file name, in the linker's order: the
    /// server, and what it needs.
    pub linked: Vec<String>,
}

impl State {
    /// As the value of [`STATE_ENV`].
    pub fn to_env(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }

    /// Whether a facade is in use.
    pub fn uses(&self, facade: Facade) -> bool {
        self.facades.contains(&facade)
    }

    /// What a package does without.
    pub fn without_in(&self, root: &Utf8Path) -> Option<&Without> {
        self.without.iter().find(|without| without.root == root)
    }

    /// The folder of the crates that cargo knows nothing of.
    pub fn side(&self) -> Utf8PathBuf {
        self.target_dir.join(SIDE)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::instrument::locks::facades_of;

    /// A state with every facade.
    pub fn state() -> State {
        State {
            target: "x86_64-unknown-linux-gnu".into(),
            target_dir: "/p/target/concaudit/k".into(),
            dependencies: "/cache/deps".into(),
            sources: "/cache/src".into(),
            libraries: Libraries {
                tracing: "/cache/deps/libconcaudit_tracing-1.rlib".into(),
                std: "/cache/deps/libconcaudit_std-1.rlib".into(),
                std_in_tokio: "/cache/deps/libconcaudit_std_tokio-1.rlib".into(),
                core: "/cache/deps/libconcaudit_core-1.rlib".into(),
                linked: vec![
                    "concaudit_server.o".into(),
                    "libconcaudit_core-1.rlib".into(),
                    "liblibc-1.rlib".into(),
                ],
            },
            facades: facades_of(&[]),
            without: Vec::new(),
            wrapper: None,
        }
    }

    impl State {
        /// The same but for some facades.
        pub fn without(&self, facades: &[Facade]) -> Self {
            let mut state = self.clone();
            state.facades.retain(|facade| !facades.contains(facade));
            state
        }
    }

    #[test]
    fn the_state_survives_its_way_through_the_environment() {
        let state = State { wrapper: Some("sccache".into()), ..state() };
        assert_eq!(serde_json::from_str::<State>(&state.to_env()).unwrap(), state);
    }
}
