//! The audited process: whether it is one, and numbers that are unique in it.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

static ACTIVE: AtomicBool = AtomicBool::new(false);

/// Whether this process is audited. Where it is not, every entry point of the
/// probe returns at once.
#[inline]
pub fn is_active() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// It is, from now on.
pub(crate) fn activate() {
    ACTIVE.store(true, Ordering::Release);
}

/// An id that is unique in this process; never 0.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The calling thread's number for the system; 0 where it has none.
pub(crate) fn os_thread() -> u32 {
    #[cfg(target_os = "linux")]
    // SAFETY: reads the thread's number.
    return unsafe { libc::gettid() }.cast_unsigned();
    #[cfg(not(target_os = "linux"))]
    0
}

/// Where the executable is loaded: what is to be taken off an address of its code to have the
/// address in its file.
pub(crate) fn executable_base() -> usize {
    static BASE: OnceLock<usize> = OnceLock::new();
    *BASE.get_or_init(|| {
        let mut base = 0_usize;
        // SAFETY: the callback matches the signature, and `base` outlives the call, which is
        // synchronous.
        unsafe { libc::dl_iterate_phdr(Some(note_first), (&raw mut base).cast()) };
        base
    })
}

/// The executable is the first that the dynamic linker lists.
unsafe extern "C" fn note_first(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    base: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the linker passes a valid record, and `executable_base` a valid number.
    unsafe { *base.cast::<usize>() = (*info).dlpi_addr as usize };
    1
}
