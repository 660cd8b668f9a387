//! Stands in for `std` in tokio.
//!
//! tokio's locks are nobody's business but its own, with one exception: what
//! `watch::Receiver::borrow` returns is the read guard of a `std::sync::RwLock`, which
//! people hold across awaits, and take twice. tokio has no other use for that lock, so
//! all of tokio's are seen. See `concaudit-std` for how this works.
//!
//! Its condition variables are where it parks a thread, in `blocking_lock` for one, and
//! where its threads for blocking tasks wait for the next.
//! `mem::replace` is how tokio takes the output out of a task that has ended, for
//! whoever reads its `JoinHandle`; `ptr::read` and `ptr::write` are how messages pass through
//! its channels.

#![no_std]

#[doc(hidden)]
extern crate std as real;

pub use real::*;

pub mod mem {
    //! [`real::mem`], with a `replace` that the probe may look at.

    pub use real::mem::*;

    /// As [`real::mem::replace`].
    #[inline(always)]
    #[must_use = "if you don't need the old value, you can just assign the new value directly"]
    pub fn replace<T>(dest: &mut T, src: T) -> T {
        if concaudit_core::detect::panics::is_any_readable() {
            concaudit_core::detect::panics::taken(core::ptr::from_mut(dest).addr(), size_of::<T>());
        }
        if concaudit_core::lifecycle::happens_before::is_any_finished() {
            concaudit_core::lifecycle::happens_before::taken(
                core::ptr::from_mut(dest).addr(),
                size_of::<T>(),
            );
        }
        real::mem::replace(dest, src)
    }
}

pub mod ptr {
    //! [`real::ptr`], with a `read` and a `write` that the probe may look at: they are how
    //! tokio puts a message into a channel, and takes it out.

    pub use real::ptr::*;

    /// As [`real::ptr::read`].
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub unsafe fn read<T>(src: *const T) -> T {
        if concaudit_core::lifecycle::happens_before::is_any_put() {
            concaudit_core::lifecycle::happens_before::got(src.addr());
        }
        // SAFETY: the caller promises it.
        unsafe { real::ptr::read(src) }
    }

    /// As [`real::ptr::write`].
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub unsafe fn write<T>(dst: *mut T, src: T) {
        if concaudit_core::record::vector_clock::is_any() {
            concaudit_core::lifecycle::happens_before::put(dst.addr());
        }
        // SAFETY: the caller promises it.
        unsafe { real::ptr::write(dst, src) }
    }
}

pub mod sync {
    //! [`real::sync`], with a reader-writer lock that the probe sees, and a condition
    //! variable that tells it who waits.

    use core::ops::Deref;

    use concaudit_core::lifecycle::thread::{idles, parked};
    pub use concaudit_std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub use real::sync::*;
    use real::time::Duration;

    /// As [`real::sync::Condvar`].
    #[derive(Debug, Default)]
    pub struct Condvar(real::sync::Condvar);

    impl Condvar {
        /// As [`real::sync::Condvar::new`].
        #[must_use]
        pub const fn new() -> Self {
            Self(real::sync::Condvar::new())
        }

        /// As [`real::sync::Condvar::wait`].
        ///
        /// # Errors
        /// As there.
        pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
            let _parked = parked();
            self.0.wait(guard)
        }

        /// As [`real::sync::Condvar::wait_timeout`].
        ///
        /// # Errors
        /// As there.
        pub fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            duration: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
            let _idle = idles();
            self.0.wait_timeout(guard, duration)
        }
    }

    impl Deref for Condvar {
        type Target = real::sync::Condvar;

        fn deref(&self) -> &real::sync::Condvar {
            &self.0
        }
    }
}
