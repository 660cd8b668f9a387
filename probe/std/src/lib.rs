//! Stands in for `std` in every crate of the audited program.
//!
//! Given to rustc as `--extern std=`, this is what `std` means there: all of the
//! real one, re-exported, with those items on top that lock, spawn or block. They
//! have the signatures, the auto traits, the variance and the output of the real
//! ones, which they wrap, and tell the probe in `concaudit-core` what they do. Where
//! nothing is audited they do what the real ones do, after a relaxed load.
//!
//! Explicit items shadow those of a glob, private ones too. So whatever this crate
//! has for itself is below one private module whose name `std` will never have.
//!
//! What is generic in here is compiled in the user's crate, mostly unoptimised, and
//! therefore small. The rest is in `hook`, and in the core.
//!
//! Each wrapper derefs to what it wraps. A method that is newer than this crate, or
//! unstable, is found there, and is not seen by the audit.

#![no_std]

#[doc(hidden)]
extern crate std as real;

pub use real::*;

mod __concaudit;

pub mod sync {
    //! [`real::sync`], with locks, once cells, channels and barriers that the probe sees.

    pub use real::sync::*;

    pub use crate::__concaudit::{
        barrier::Barrier,
        condvar::Condvar,
        lazy_lock::LazyLock,
        mutex::{Mutex, MutexGuard},
        once::Once,
        once_lock::OnceLock,
        rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    };

    #[expect(deprecated, reason = "std has it still")]
    pub use crate::__concaudit::once::ONCE_INIT;

    pub mod mpsc {
        //! [`real::sync::mpsc`], with channels whose waits the probe sees.

        pub use real::sync::mpsc::*;

        pub use crate::__concaudit::mpsc::{
            IntoIter, Iter, Receiver, Sender, SyncSender, TryIter, channel, sync_channel,
        };
    }
}

pub mod thread {
    //! [`real::thread`], with threads that the probe knows.

    pub use real::thread::*;

    #[expect(deprecated, reason = "std has them still")]
    pub use crate::__concaudit::blocking::{park_timeout_ms, sleep_ms};
    pub use crate::__concaudit::{
        blocking::{park, park_timeout, sleep},
        scoped::{Scope, ScopedJoinHandle, scope},
        spawn::{Builder, JoinHandle, spawn},
    };
}
