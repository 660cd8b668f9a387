//! What the probe knows of the locks that a crate built on `lock_api`.

#[cfg(concaudit_lock_api = "0.4")]
use lock_api_0_4 as lock_api;
#[cfg(concaudit_lock_api = "0.5")]
use lock_api_0_5 as lock_api;

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use concaudit_core::{
    lifecycle::thread::{Starting, spawning},
    platform::options::Options,
    record::{lock::Mode, resource::ResourceKind, task::Task},
};
use lock_api::{GetThreadId, RawMutex, RawRwLock};

/// A lock as a crate would write it, as simple as it gets: readers exclude each other.
struct Spin(AtomicBool);

impl Spin {
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Acquire)
    }

    fn wait(&self) {
        while !self.take() {
            thread::yield_now();
        }
    }

    fn free(&self) {
        self.0.store(false, Ordering::Release);
    }

    fn is_taken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(concaudit_lock_api = "0.4")]
mod raw {
    use super::*;

    // SAFETY: one at a time.
    unsafe impl RawMutex for Spin {
        const INIT: Self = Self(AtomicBool::new(false));
        type GuardMarker = lock_api::GuardSend;

        fn lock(&self) {
            self.wait();
        }

        fn try_lock(&self) -> bool {
            self.take()
        }

        unsafe fn unlock(&self) {
            self.free();
        }
    }

    // SAFETY: one at a time.
    unsafe impl RawRwLock for Spin {
        const INIT: Self = Self(AtomicBool::new(false));
        type GuardMarker = lock_api::GuardSend;

        fn lock_shared(&self) {
            self.wait();
        }

        fn try_lock_shared(&self) -> bool {
            self.take()
        }

        unsafe fn unlock_shared(&self) {
            self.free();
        }

        fn lock_exclusive(&self) {
            self.wait();
        }

        fn try_lock_exclusive(&self) -> bool {
            self.take()
        }

        unsafe fn unlock_exclusive(&self) {
            self.free();
        }

        fn is_locked(&self) -> bool {
            self.is_taken()
        }
    }
}

#[cfg(concaudit_lock_api = "0.5")]
mod raw {
    use super::*;

    // SAFETY: one at a time.
    unsafe impl RawMutex for Spin {
        const INIT: Self = Self(AtomicBool::new(false));
        type Guard = lock_api::GuardSend;

        fn lock(&self) -> Self::Guard {
            self.wait();
            Self::Guard::new()
        }

        fn try_lock(&self) -> Option<Self::Guard> {
            self.take().then(Self::Guard::new)
        }

        unsafe fn unlock(&self, _: Self::Guard) {
            self.free();
        }

        fn is_locked(&self) -> bool {
            self.is_taken()
        }
    }

    // SAFETY: one at a time.
    unsafe impl RawRwLock for Spin {
        const INIT: Self = Self(AtomicBool::new(false));
        type SharedGuard = lock_api::GuardSend;
        type ExclusiveGuard = lock_api::GuardSend;

        fn lock_shared(&self) -> Self::SharedGuard {
            self.wait();
            Self::SharedGuard::new()
        }

        fn try_lock_shared(&self) -> Option<Self::SharedGuard> {
            self.take().then(Self::SharedGuard::new)
        }

        unsafe fn unlock_shared(&self, _: Self::SharedGuard) {
            self.free();
        }

        fn lock_exclusive(&self) -> Self::ExclusiveGuard {
            self.wait();
            Self::ExclusiveGuard::new()
        }

        fn try_lock_exclusive(&self) -> Option<Self::ExclusiveGuard> {
            self.take().then(Self::ExclusiveGuard::new)
        }

        unsafe fn unlock_exclusive(&self, _: Self::ExclusiveGuard) {
            self.free();
        }

        fn is_locked(&self) -> bool {
            self.is_taken()
        }

        fn is_locked_exclusive(&self) -> bool {
            self.is_taken()
        }
    }
}

struct ThisThread;

// SAFETY: an address in its own memory tells a thread from all others.
unsafe impl GetThreadId for ThisThread {
    const INIT: Self = Self;

    fn nonzero_thread_id(&self) -> NonZeroUsize {
        thread_local!(static KEY: u8 = const { 0 });
        KEY.with(|key| NonZeroUsize::new(std::ptr::from_ref(key).addr()).unwrap())
    }
}

type Mutex<T> = lock_api::Mutex<Spin, T>;
type RwLock<T> = lock_api::RwLock<Spin, T>;
type ReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, Spin, T>;

/// Runs on a thread of its own, with a function that says what that thread holds.
fn audited(test: impl FnOnce(&dyn Fn() -> Vec<(ResourceKind, Mode)>) + Send + 'static) {
    concaudit_core::activate(Options::parse(""));
    let record = spawning(None).expect("it is active");
    let running = thread::spawn(move || {
        let me: Arc<Task> = Arc::clone(&record);
        let _running = Starting::new(Some(record)).begin();
        let holds = move || {
            let holds = me.holds();
            holds
                .iter()
                .map(|hold| (hold.acquisition.resource.kind(), hold.acquisition.mode))
                .collect()
        };
        test(&holds);
        assert_eq!(holds(), []);
    });
    running.join().unwrap();
}

#[test]
fn locks_of_a_crates_own_are_held_from_lock_to_drop() {
    audited(|holds| {
        static LOCK: RwLock<u32> = RwLock::new(1);
        let guard: ReadGuard<'_, u32> = LOCK.read();
        assert_eq!(holds(), [(ResourceKind::LockApiRwLock, Mode::Shared)]);
        assert!(LOCK.try_write().is_none() && LOCK.is_locked());
        drop(guard);
        let _writer = LOCK.write();
        let mutex = Mutex::new(1);
        let guard = lock_api::MutexGuard::map(mutex.lock(), |value| value);
        assert_eq!(
            holds(),
            [
                (ResourceKind::LockApiRwLock, Mode::Exclusive),
                (ResourceKind::LockApiMutex, Mode::Exclusive)
            ]
        );
        drop(guard);
    });
}

#[test]
fn a_release_by_hand_is_seen() {
    audited(|holds| {
        let lock = RwLock::new(1);
        std::mem::forget(lock.read());
        assert_eq!(holds(), [(ResourceKind::LockApiRwLock, Mode::Shared)]);
        #[cfg(concaudit_lock_api = "0.4")]
        // SAFETY: its guard was forgotten.
        unsafe {
            lock.raw().unlock_shared();
        }
        #[cfg(concaudit_lock_api = "0.5")]
        // SAFETY: its guard was forgotten.
        unsafe {
            lock.raw().unlock_shared(lock_api::GuardSend::new());
        }
    });
}

#[test]
fn a_reentrant_mutex_is_held_once() {
    audited(|holds| {
        let mutex = lock_api::ReentrantMutex::<Spin, ThisThread, u32>::new(1);
        let (outer, inner) = (mutex.lock(), mutex.lock());
        assert_eq!(holds(), [(ResourceKind::LockApiMutex, Mode::Exclusive)]);
        drop((outer, inner));
    });
}

#[test]
fn a_guard_may_outlive_everything_but_its_lock() {
    audited(|holds| {
        let lock = Arc::new(RwLock::new(1));
        let guard = lock.write_arc();
        assert_eq!(holds(), [(ResourceKind::LockApiRwLock, Mode::Exclusive)]);
        let guard: lock_api::ArcRwLockWriteGuard<Spin, u32> = guard;
        drop(lock);
        drop(guard);
    });
}
