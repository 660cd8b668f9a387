//! The stack of another thread, taken from outside.
//!
//! A thread that is blocked in the kernel is left alone: the kernel says where its
//! stack pointer is, and its stack is read through the kernel, since the thread may
//! end at any moment. One that computes is sent a signal, whose handler copies the
//! registers and the stack. It is not sent to a thread that has been blocked a moment
//! before, and may be again when the signal arrives: a system call that is
//! interrupted would show. Where no signal is to be had, nothing is sampled.

use std::task::Poll;

use crate::stack::{self, StackId};

mod memory;
mod signal;
mod system_call;

use memory::Stack;

/// A thread, and how much of its stack is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its number for the system.
    pub os_thread: u32,
    /// Where its stack ends.
    pub high: usize,
    /// Frame pointer of the function at which to end; 0: all of it.
    pub base: usize,
}

/// What a thread was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Where, innermost first: the program counter, and return addresses; 0 where its
    /// stack could not be read.
    pub stack: StackId,
    /// The system call that it was blocked in ("read", "futex"; empty where its name
    /// is not known); `None`: it was computing.
    pub blocked_in: Option<&'static str>,
}

/// A sample that is being taken, of a thread other than the calling one.
#[derive(Debug)]
pub struct Sampling {
    target: Target,
    looks: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// It has yet to be looked at.
    New,
    /// It was not blocked, and had been so many times before.
    Seen { switches: u64 },
    /// It was sent a signal.
    Asked(signal::Request),
}

/// After so many looks it is given up.
const MAX_LOOKS: u32 = 16;

impl Sampling {
    /// Begins; nothing happens before the first [`Self::look`].
    #[must_use]
    pub const fn new(target: Target) -> Self {
        Self { target, looks: 0, stage: Stage::New }
    }

    /// To be called every few milliseconds until it is ready, and never waits. A
    /// blocked thread is sampled at the first look, one that computes at the third or
    /// later. `None`: it has ended, or cannot be sampled. Dropped before, what is
    /// under way is abandoned.
    pub fn look(&mut self) -> Poll<Option<Sample>> {
        self.looks += 1;
        if let Stage::Asked(request) = &self.stage {
            if let Some(stack) = request.answer() {
                let addresses = stack.walk(self.target.base);
                return Poll::Ready(Some(Sample {
                    stack: stack::store(&addresses),
                    blocked_in: None,
                }));
            }
            return if self.looks > MAX_LOOKS { Poll::Ready(None) } else { Poll::Pending };
        }
        let Some(status) = Status::read(self.target.os_thread) else { return Poll::Ready(None) };
        match system_call::blocked(self.target.os_thread) {
            None => return Poll::Ready(None),
            Some(system_call::State::Blocked { name, pointer, counter }) => {
                let stack = blocked_stack(self.target, pointer, counter);
                return Poll::Ready(Some(Sample { stack, blocked_in: Some(name) }));
            }
            Some(system_call::State::Runs) => {}
        }
        if self.looks > MAX_LOOKS {
            return Poll::Ready(None);
        }
        if matches!(self.stage, Stage::Seen { switches } if switches == status.switches) {
            match signal::ask(self.target, status.blocked_signals) {
                signal::Asked::Sent(request) => self.stage = Stage::Asked(request),
                signal::Asked::Later => {}
                signal::Asked::Never => return Poll::Ready(None),
            }
        } else {
            self.stage = Stage::Seen { switches: status.switches };
        }
        Poll::Pending
    }
}

/// The stack of a thread that is blocked in the kernel; 0 where it is not, or where
/// the system does not tell.
pub(crate) fn of_blocked_thread(os_thread: u32, high: usize) -> StackId {
    match system_call::blocked(os_thread) {
        Some(system_call::State::Blocked { pointer, counter, .. }) => {
            blocked_stack(Target { os_thread, high, base: 0 }, pointer, counter)
        }
        _ => 0,
    }
}

/// The stack of this thread, beyond functions that keep no frame pointers, as far as
/// it can be found; 0 where there is nothing but those.
#[inline(never)]
pub(crate) fn of_this_thread() -> StackId {
    let target = Target { os_thread: 0, high: stack::high(), base: 0 };
    blocked_stack(target, stack::frame_pointer(), 0)
}

impl Target {
    /// Where to stop reading.
    fn end(&self) -> usize {
        // The frame itself, and its return address.
        if self.base == 0 { self.high } else { self.high.min(self.base + 16) }
    }
}

fn blocked_stack(target: Target, pointer: usize, counter: usize) -> StackId {
    Stack::read(pointer, target.end(), counter)
        .map_or(0, |read| stack::store(&read.walk(target.base)))
}

/// What the system says of a thread.
struct Status {
    /// How often it has left the CPU of its own accord.
    switches: u64,
    blocked_signals: u64,
}

impl Status {
    fn read(os_thread: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/self/task/{os_thread}/status")).ok()?;
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        Some(Self {
            switches: value("voluntary_ctxt_switches")?.parse().ok()?,
            blocked_signals: u64::from_str_radix(value("SigBlk")?, 16).ok()?,
        })
    }
}
