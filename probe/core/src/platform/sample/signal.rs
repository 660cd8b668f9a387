//! A thread that computes copies its own stack, in the handler of a signal.
//!
//! The handler does one system call and takes no lock, so it may interrupt anything.
//! The signal is a real-time one that the program makes no use of, and is sent with a
//! value that says for whom the answer is; one that comes from elsewhere does what it
//! would have done without us.

#![cfg_attr(
    not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))),
    expect(dead_code, reason = "other systems have no such signals")
)]

use super::{Target, memory::Stack};

/// What came of a request.
#[derive(Debug)]
pub(super) enum Asked {
    /// It is on its way.
    Sent(Request),
    /// Other requests are under way: try again.
    Later,
    /// There is no signal for it, or the thread does not take it.
    Never,
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod imp {
    use super::{Asked, Stack, Target};

    #[derive(Debug)]
    pub(in super::super) struct Request(());

    impl Request {
        pub(in super::super) fn answer(&self) -> Option<Stack> {
            None
        }
    }

    pub(in super::super) fn ask(_: Target, _: u64) -> Asked {
        Asked::Never
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod imp {
    use std::{
        cell::UnsafeCell,
        ffi::{c_int, c_void},
        mem::MaybeUninit,
        sync::{
            OnceLock,
            atomic::{AtomicU64, AtomicUsize, Ordering},
        },
    };

    use super::{
        super::memory::{LOOKED_AT, read_raw},
        Asked, Stack, Target,
    };

    const WORDS: usize = LOOKED_AT / 8;
    /// Requests at one time.
    const SLOTS: usize = 4;
    /// In the value of each signal of ours.
    const MAGIC: u64 = 0xc0ca << 48;

    /// What a slot is in the middle of: the low bits of its state, above which is the
    /// number of the request.
    const FREE: u64 = 0;
    const ASKED: u64 = 1;
    const ANSWERING: u64 = 2;
    const ANSWERED: u64 = 3;

    /// Where the answer goes. It stays untouched, and takes no memory, until then.
    struct Slot {
        state: AtomicU64,
        high: AtomicUsize,
        pointer: AtomicUsize,
        counter: AtomicUsize,
        frame: AtomicUsize,
        /// Bytes that were copied.
        length: AtomicUsize,
        words: UnsafeCell<[usize; WORDS]>,
    }

    // SAFETY: `words` is written by the one handler that has brought `state` from
    // `ASKED` to `ANSWERING`, and read by the one asker once it is `ANSWERED`.
    unsafe impl Sync for Slot {}

    static ALL: [Slot; SLOTS] = [const {
        Slot {
            state: AtomicU64::new(FREE),
            high: AtomicUsize::new(0),
            pointer: AtomicUsize::new(0),
            counter: AtomicUsize::new(0),
            frame: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            words: UnsafeCell::new([0; WORDS]),
        }
    }; SLOTS];

    static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();

    /// A signal that was sent.
    #[derive(Debug)]
    pub(in super::super) struct Request {
        slot: usize,
        number: u64,
    }

    impl Request {
        /// The thread's stack, once it has answered.
        pub(in super::super) fn answer(&self) -> Option<Stack> {
            let slot = &ALL[self.slot];
            if slot.state.load(Ordering::Acquire) != self.number | ANSWERED {
                return None;
            }
            let length = slot.length.load(Ordering::Relaxed) / 8;
            // SAFETY: `ANSWERED` was stored after the last write, and whoever is asked
            // next gets the slot from us.
            let words = unsafe { (&(*slot.words.get()))[..length.min(WORDS)].to_vec() };
            Some(Stack::copied(
                words,
                slot.pointer.load(Ordering::Relaxed),
                slot.counter.load(Ordering::Relaxed),
                slot.frame.load(Ordering::Relaxed),
            ))
        }
    }

    impl Drop for Request {
        fn drop(&mut self) {
            let state = &ALL[self.slot].state;
            let free = |from| {
                state.compare_exchange(
                    self.number | from,
                    self.number | FREE,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
            };
            // One that is being answered at this moment remains taken.
            let _ = free(ASKED).or_else(|_| free(ANSWERED));
        }
    }

    /// Asks a thread for its stack.
    pub(in super::super) fn ask(target: Target, blocked_signals: u64) -> Asked {
        let Some(signal) = *SIGNAL.get_or_init(install) else { return Asked::Never };
        let is_blocked = blocked_signals >> (signal - 1) & 1 == 1;
        if is_blocked || !is_ours(signal) {
            return Asked::Never;
        }
        let free = (0..SLOTS).find_map(|slot| {
            let state = &ALL[slot].state;
            let before = state.load(Ordering::Relaxed);
            let number = (before | 3).wrapping_add(1) & 0xff_ffff_ffff;
            (before & 3 == FREE
                && state
                    .compare_exchange(
                        before,
                        number | ANSWERING,
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    )
                    .is_ok())
            .then_some((slot, number))
        });
        let Some((slot, number)) = free else { return Asked::Later };
        ALL[slot].high.store(target.end(), Ordering::Relaxed);
        ALL[slot].state.store(number | ASKED, Ordering::Release);
        let request = Request { slot, number };
        let value = MAGIC | number << 4 | slot as u64;
        if send(target.os_thread, signal, value) { Asked::Sent(request) } else { Asked::Never }
    }

    /// `siginfo_t` as the kernel wants it of `rt_tgsigqueueinfo`.
    #[repr(C, align(8))]
    struct Info {
        signo: c_int,
        errno: c_int,
        code: c_int,
        padding: c_int,
        pid: libc::pid_t,
        uid: libc::uid_t,
        value: u64,
        rest: [u8; 96],
    }

    fn send(os_thread: u32, signal: c_int, value: u64) -> bool {
        // SAFETY: `info` is as large as the kernel's, and outlives the call; the signal
        // is one that we handle.
        unsafe {
            let pid = libc::getpid();
            let info = Info {
                signo: signal,
                errno: 0,
                code: libc::SI_QUEUE,
                padding: 0,
                pid,
                uid: libc::getuid(),
                value,
                rest: [0; 96],
            };
            libc::syscall(
                libc::SYS_rt_tgsigqueueinfo,
                pid,
                os_thread as libc::pid_t,
                signal,
                &raw const info,
            ) == 0
        }
    }

    fn action(signal: c_int) -> Option<libc::sigaction> {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: writes an action, which is read only where it succeeded.
        unsafe {
            let result = libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            (result == 0).then(|| action.assume_init())
        }
    }

    fn is_ours(signal: c_int) -> bool {
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = handle;
        action(signal).is_some_and(|action| action.sa_sigaction == handler as usize)
    }

    /// Takes a signal that nobody uses.
    fn install() -> Option<c_int> {
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = handle;
        let signal = (libc::SIGRTMIN()..libc::SIGRTMAX()).rev().find(|&signal| {
            action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_DFL)
        })?;
        // SAFETY: all zeros is an action; the handler does what may be done in one.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigfillset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        (result == 0).then_some(signal)
    }

    /// Program counter, stack pointer and frame pointer.
    #[cfg(target_arch = "x86_64")]
    fn registers(context: &libc::ucontext_t) -> [usize; 3] {
        [libc::REG_RIP, libc::REG_RSP, libc::REG_RBP]
            .map(|register| context.uc_mcontext.gregs[register as usize] as usize)
    }

    #[cfg(target_arch = "aarch64")]
    fn registers(context: &libc::ucontext_t) -> [usize; 3] {
        let machine = &context.uc_mcontext;
        [machine.pc as usize, machine.sp as usize, machine.regs[29] as usize]
    }

    extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel passes both; whoever the signal is from, reading the value
        // stays within `info`.
        let (code, value, [counter, pointer, frame]) = unsafe {
            let value = (*info).si_value().sival_ptr as u64;
            ((*info).si_code, value, registers(&*context.cast()))
        };
        if code != libc::SI_QUEUE || value >> 48 != MAGIC >> 48 {
            // SAFETY: restores what was there before us, and has it happen on return.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
            }
            return;
        }
        let number = value >> 4 & 0xff_ffff_ffff;
        let Some(slot) = ALL.get((value & 15) as usize) else { return };
        let begun = slot.state.compare_exchange(
            number | ASKED,
            number | ANSWERING,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        // It was given up long ago.
        if begun.is_err() {
            return;
        }
        let high = slot.high.load(Ordering::Relaxed);
        let length = high.saturating_sub(pointer).min(LOOKED_AT);
        // SAFETY: this thread's own, which has what the interrupted code left in it.
        let errno = unsafe { &mut *libc::__errno_location() };
        let before = *errno;
        // There is room for so much.
        let copied = read_raw(pointer, slot.words.get().cast(), length);
        *errno = before;
        slot.length.store(copied.unwrap_or(0), Ordering::Relaxed);
        slot.pointer.store(pointer, Ordering::Relaxed);
        slot.counter.store(counter, Ordering::Relaxed);
        slot.frame.store(frame, Ordering::Relaxed);
        slot.state.store(number | ANSWERED, Ordering::Release);
    }
}

pub(super) use imp::{Request, ask};
