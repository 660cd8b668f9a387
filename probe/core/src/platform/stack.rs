//! Stacks by frame pointers, each distinct one stored once.
//!
//! Everything in an audited build has frame pointers: the wrapper asks for
//! them, and std comes with them. A walk follows the chain of saved frame
//! pointers and reads the return address beside each. It stays within the
//! bounds of the thread's stack, so a foreign function that uses the register
//! for something else ends a walk early but cannot lead it astray.

use std::{
    cell::Cell,
    mem::MaybeUninit,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    busy::Busy,
    counters,
    hash::{FastMap, fold},
    options::MAX_PAUSES,
    sync::{Sharded, lock},
};

/// Names a stored stack; 0 is the empty one.
pub type StackId = u32;

/// Deeper stacks lose their outermost frames.
const MAX_DEPTH: usize = 128;
/// Distinct stacks that are kept, 64 KiB each shard in the worst case times 128.
const MAX_STACKS: u32 = 65_536;

/// Where a thread's stack lies, found out once per thread.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    low: usize,
    high: usize,
}

impl Bounds {
    const UNKNOWN: Self = Self { low: 0, high: 0 };

    fn of_this_thread() -> Self {
        // A program counter is never 1, so a failure is not tried again.
        let nothing = Self { low: 1, high: 1 };
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        // SAFETY: the attributes are initialised by the call where it succeeds,
        // read only then, and destroyed once.
        unsafe {
            if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
                return nothing;
            }
            let mut address = std::ptr::null_mut();
            let mut size = 0;
            let result =
                libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut address, &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            if result != 0 {
                return nothing;
            }
            Self { low: address as usize, high: address as usize + size }
        }
    }
}

/// What a thread needs for its walks.
struct Walks {
    bounds: Cell<Bounds>,
    /// Frame pointer of the function that polls the current task; 0: none.
    poll_frame: Cell<usize>,
    /// The stacks that it takes over and over, by their hash.
    taken: Cache,
    /// The same, by [`capture_again`]'s key.
    taken_again: Cache,
}

thread_local! {
    static WALKS: Walks = const {
        Walks {
            bounds: Cell::new(Bounds::UNKNOWN),
            poll_frame: Cell::new(0),
            taken: [const { Cell::new((0, 0)) }; CACHE_SIZE],
            taken_again: [const { Cell::new((0, 0)) }; CACHE_SIZE],
        }
    };
}

/// From now on this thread's walks to a task's poll end at this frame; 0: it polls none.
/// Returns the one before.
#[inline]
pub(crate) fn set_poll_frame(frame: usize) -> usize {
    WALKS.with(|walks| walks.poll_frame.replace(frame))
}

/// The caller's frame pointer.
#[inline(always)]
pub(crate) fn frame_pointer() -> usize {
    let frame: usize;
    // SAFETY: reads a register.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    // SAFETY: reads a register.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("mov {}, x29", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        frame = 0;
    }
    frame
}

/// The frame pointer that the function with frame pointer `frame` saved: its
/// caller's. `frame` must be a live frame of this thread's.
pub(crate) fn caller_frame(frame: usize) -> usize {
    let bounds = bounds();
    if frame < bounds.low || frame >= bounds.high.saturating_sub(16) || !frame.is_multiple_of(8) {
        return usize::MAX;
    }
    // SAFETY: within this thread's stack (just checked) and aligned.
    unsafe { *(frame as *const usize) }
}

fn bounds() -> Bounds {
    WALKS.with(|walks| {
        let mut bounds = walks.bounds.get();
        if bounds.high == 0 {
            bounds = Bounds::of_this_thread();
            walks.bounds.set(bounds);
        }
        bounds
    })
}

/// How far outward a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To the poll of the current task, or to the thread's first frame where
    /// there is none.
    Task,
    /// To the thread's first frame.
    Thread,
}

/// Visits the return addresses of this thread's frames, from that of the function
/// with frame pointer `frame` outward, until `visit` says `false`.
#[inline(always)]
fn walk(mut frame: usize, extent: Extent, mut visit: impl FnMut(usize) -> bool) {
    let bounds = bounds();
    let mut limit = bounds.high.saturating_sub(16);
    if extent == Extent::Task {
        let base = WALKS.with(|walks| walks.poll_frame.get());
        if base != 0 {
            limit = limit.min(base);
        }
    }
    while frame >= bounds.low && frame < limit && frame.is_multiple_of(8) {
        // SAFETY: `frame` and the word after it lie within this thread's stack
        // (`limit` leaves room for both) and are aligned.
        let (caller, address) =
            unsafe { (*(frame as *const usize), *(frame as *const usize).add(1)) };
        if address == 0 || !visit(address) {
            return;
        }
        // Frames lie ever higher; anything else is not a frame.
        if caller <= frame {
            return;
        }
        frame = caller;
    }
}

/// Takes this thread's stack from the caller outward.
#[inline(never)]
pub(crate) fn capture(extent: Extent) -> StackId {
    // Not zeroed: that would cost more than the walk.
    let mut addresses = [const { MaybeUninit::<usize>::uninit() }; MAX_DEPTH];
    let mut depth = 0;
    let mut hash = 0;
    walk(frame_pointer(), extent, |address| {
        addresses[depth].write(address);
        hash = fold(hash, address as u64);
        depth += 1;
        depth < MAX_DEPTH
    });
    // SAFETY: the walk has written the first `depth` elements.
    let addresses =
        unsafe { std::slice::from_raw_parts(addresses.as_ptr().cast::<usize>(), depth) };
    intern(hash | 1, addresses)
}

/// The same of [`Extent::Task`], not stored but written to `addresses` as far as there
/// is room; how many. Neither allocates nor locks.
#[inline(never)]
pub(crate) fn write(addresses: &[AtomicUsize]) -> usize {
    let mut depth = 0;
    walk(frame_pointer(), Extent::Task, |address| {
        addresses[depth].store(address, Ordering::Relaxed);
        depth += 1;
        depth < addresses.len()
    });
    depth
}

/// Which of these calls, addresses in a file that is loaded at `base`, the stack of the current
/// task or thread goes through.
#[cold]
pub(crate) fn passes(calls: &[u64], base: usize) -> [bool; MAX_PAUSES] {
    let mut is_passed = [false; MAX_PAUSES];
    walk(frame_pointer(), Extent::Task, |address| {
        // A return address is that of the instruction after the call.
        let call = address.wrapping_sub(base).wrapping_sub(1) as u64;
        for (is_passed, _) in is_passed.iter_mut().zip(calls).filter(|(_, known)| **known == call) {
            *is_passed = true;
        }
        true
    });
    is_passed
}

/// Stores a stack that was written by [`write()`].
pub(crate) fn store(addresses: &[usize]) -> StackId {
    let hash = addresses.iter().fold(0, |hash, &address| fold(hash, address as u64));
    intern(hash | 1, addresses)
}

/// Where this thread's stack ends.
pub(crate) fn high() -> usize {
    bounds().high
}

/// Frames that tell one way to a place from another in [`capture_again`].
const TELLING: usize = 16;

/// [`capture`] of [`Extent::Task`], for places that a thread comes to over and
/// over: where the innermost frames, their depth and the end of the walk are as
/// before, so is the rest.
#[inline(never)]
pub(crate) fn capture_again() -> StackId {
    let bounds = bounds();
    let base = WALKS.with(|walks| walks.poll_frame.get());
    let mut limit = bounds.high.saturating_sub(16);
    if base != 0 {
        limit = limit.min(base);
    }
    let mut frame = frame_pointer();
    let mut key = (frame as u64).rotate_left(32) ^ limit as u64;
    for _ in 0..TELLING {
        if frame < bounds.low || frame >= limit || !frame.is_multiple_of(8) {
            break;
        }
        // SAFETY: `frame` and the word after it lie within this thread's stack
        // (`limit` leaves room for both) and are aligned.
        let (caller, address) =
            unsafe { (*(frame as *const usize), *(frame as *const usize).add(1)) };
        key = (key ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if caller <= frame {
            break;
        }
        frame = caller;
    }
    key ^= key >> 29;
    let slot = key as usize % CACHE_SIZE;
    let cached = WALKS.with(|walks| walks.taken_again[slot].get());
    if cached.0 == key {
        return cached.1;
    }
    let _busy = Busy::begin();
    let id = capture(Extent::Task);
    WALKS.with(|walks| walks.taken_again[slot].set((key, id)));
    id
}

#[derive(Debug, Default)]
struct Table {
    ids: FastMap<u64, StackId>,
    addresses: FastMap<StackId, Box<[usize]>>,
}

static TABLE: std::sync::OnceLock<Sharded<Table>> = std::sync::OnceLock::new();
static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);

/// Direct-mapped: the stacks that a thread takes over and over.
const CACHE_SIZE: usize = 128;
type Cache = [Cell<(u64, StackId)>; CACHE_SIZE];

fn intern(hash: u64, addresses: &[usize]) -> StackId {
    if addresses.is_empty() {
        return 0;
    }
    let slot = (hash >> 32) as usize % CACHE_SIZE;
    let cached = WALKS.with(|walks| walks.taken[slot].get());
    if cached.0 == hash {
        return cached.1;
    }
    let table = TABLE.get_or_init(Sharded::default);
    let mut shard = lock(table.shard(hash >> 7));
    // Two stacks with one 64-bit hash are not told apart: at 65,536 stacks the
    // odds of a single such pair are one in ten billion.
    let id = if let Some(&id) = shard.ids.get(&hash) {
        id
    } else {
        let id = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if id >= MAX_STACKS {
            NEXT.store(MAX_STACKS, std::sync::atomic::Ordering::Relaxed);
            counters::DROPPED_STACKS.add(1);
            return 0;
        }
        shard.ids.insert(hash, id);
        shard.addresses.insert(id, addresses.into());
        id
    };
    drop(shard);
    WALKS.with(|walks| walks.taken[slot].set((hash, id)));
    id
}

/// The return addresses of a stored stack, innermost first.
pub fn addresses(id: StackId) -> Option<Vec<u64>> {
    let table = TABLE.get()?;
    table.iter().find_map(|shard| {
        lock(shard).addresses.get(&id).map(|found| found.iter().map(|&word| word as u64).collect())
    })
}
