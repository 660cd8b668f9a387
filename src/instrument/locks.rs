//! Which kinds of locks are instrumented, and what stands in for what.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

/// A kind of locks, as `--locks` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum LockKind {
    /// tokio's tasks and locks
    Tokio,
    /// Locks and threads of the standard library
    Std,
    /// Locks of `parking_lot`, and of crates that build theirs on `lock_api`
    #[value(name = "parking_lot")]
    ParkingLot,
    /// All of them
    All,
}

/// A crate of ours that stands in for another, for some or all of the crates
/// that use that other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facade {
    /// For `tracing`, in tokio.
    Tokio,
    /// For `std`, in tokio: it shows the lock in `watch`.
    StdInTokio,
    /// For `std`, in all other crates.
    Std,
    /// For `parking_lot`.
    ParkingLot,
    /// For `lock_api`, in crates with raw locks of their own.
    LockApi,
    /// None: what programs are linked with, so that what the facades see is heard of.
    Server,
}

/// Those that a build uses.
pub type Facades = BTreeSet<Facade>;

impl Facade {
    /// What is not seen without it.
    pub fn shows(self) -> &'static str {
        match self {
            Self::Tokio => "tasks and locks of tokio",
            Self::StdInTokio => "read guards of tokio's `watch`, and deadlocks in `blocking_lock`",
            Self::Std => "locks and threads of std",
            Self::ParkingLot => "locks of parking_lot",
            Self::LockApi => "locks that other crates build on lock_api",
            Self::Server => "tasks, threads and locks",
        }
    }

    /// Of which kind its locks are.
    pub fn kind(self) -> LockKind {
        match self {
            Self::Tokio | Self::StdInTokio => LockKind::Tokio,
            Self::Std => LockKind::Std,
            Self::ParkingLot | Self::LockApi => LockKind::ParkingLot,
            Self::Server => LockKind::All,
        }
    }

    const ALL: [Self; 6] =
        [Self::Tokio, Self::StdInTokio, Self::Std, Self::ParkingLot, Self::LockApi, Self::Server];
}

impl fmt::Display for Facade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokio => "the instrumentation of tokio",
            Self::StdInTokio => "the facade for std in tokio",
            Self::Std => "the facade for std",
            Self::ParkingLot => "the facade for parking_lot",
            Self::LockApi => "the facade for lock_api",
            Self::Server => "the probe",
        })
    }
}

/// What it takes to see these kinds of locks; all, where none is named.
pub fn facades_of(kinds: &[LockKind]) -> Facades {
    let is_chosen = |facade: &Facade| {
        let kind = facade.kind();
        let is_for_all = kind == LockKind::All || kinds.contains(&LockKind::All);
        kinds.is_empty() || is_for_all || kinds.contains(&kind)
    };
    Facade::ALL.into_iter().filter(is_chosen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_brings_the_facades_that_show_it_and_all_brings_every_one() {
        assert_eq!(
            facades_of(&[LockKind::Tokio]),
            Facades::from([Facade::Tokio, Facade::StdInTokio, Facade::Server])
        );
        assert_eq!(facades_of(&[LockKind::Std]), Facades::from([Facade::Std, Facade::Server]));
        let all = Facades::from(Facade::ALL);
        assert_eq!(facades_of(&[LockKind::Std, LockKind::All]), all);
        assert_eq!(facades_of(&[]), all);
    }
}
