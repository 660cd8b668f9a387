//! Functions of the C library whose place is taken by ours.

use std::{
    ffi::CStr,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A function of the C library's, looked up once.
pub(crate) struct Real {
    name: &'static CStr,
    address: AtomicUsize,
}

impl Real {
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicUsize::new(0) }
    }

    /// Its address; 0 where there is none.
    pub(crate) fn get(&self) -> usize {
        let known = self.known();
        if known != 0 {
            return known;
        }
        // SAFETY: a C string; the object after this one has the function.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) } as usize;
        self.address.store(found, Ordering::Relaxed);
        found
    }

    /// The same, of one that was looked up already. The look-up may allocate, which
    /// not every caller may.
    pub(crate) fn known(&self) -> usize {
        self.address.load(Ordering::Relaxed)
    }
}
