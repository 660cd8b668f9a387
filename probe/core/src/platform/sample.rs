//! The stack of another thread, taken from outside.
//!
//! A thread that is blocked in the kernel is left alone: the kernel says where its
//! stack pointer is, and its stack is read through the kernel, since the thread may
//! end at any moment. One that computes is sent a signal, whose handler copies the
//! registers and the stack. It is not sent to a thread that has been in the kernel a
//! moment before, and may be again when the signal arrives: a system call that is
//! interrupted would show. Where no signal is to be had, nothing is sampled.

use std::task::Poll;

use super::stack::{self, StackId};

mod memory;
mod signal;
mod system_call;

use memory::Stack;
pub(crate) use memory::read_words;

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
    /// It was not blocked.
    Seen(Status),
    /// It was sent a signal.
    Asked(signal::Request),
}

/// After so many looks it is given up.
const MAX_LOOKS: u32 = 32;
/// A thread that had the CPU for so long, and neither blocked nor did anything else in
/// the kernel, is outside of it. One that waits for the CPU may be on its way out of a
/// system call.
const LEAST_CPU_NS: u64 = 2_000_000;

impl Sampling {
    /// Begins; nothing happens before the first [`Self::look`].
    #[must_use]
    pub const fn new(target: Target) -> Self {
        Self { target, looks: 0, stage: Stage::New }
    }

    /// To be called every few milliseconds until it is ready, and never waits. A
    /// blocked thread is sampled at the first look, one that computes at the third or
    /// later, once it has had the CPU for some milliseconds. `None`: it has ended, or cannot be sampled. Dropped before, what is
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
        match system_call::blocked(self.target.os_thread) {
            None => return Poll::Ready(None),
            Some(system_call::State::Blocked { name, pointer, counter, .. }) => {
                let stack = blocked_stack(self.target, pointer, counter);
                return Poll::Ready(Some(Sample { stack, blocked_in: Some(name) }));
            }
            Some(system_call::State::Runs) => {}
        }
        if self.looks > MAX_LOOKS {
            return Poll::Ready(None);
        }
        let Some(status) = Status::read(self.target.os_thread) else { return Poll::Ready(None) };
        match &self.stage {
            Stage::Seen(before) if before.computes_until(&status) => {
                if status.cpu_ns.saturating_sub(before.cpu_ns) < LEAST_CPU_NS {
                    return Poll::Pending;
                }
                match signal::ask(self.target, status.blocked_signals) {
                    signal::Asked::Sent(request) => self.stage = Stage::Asked(request),
                    signal::Asked::Later => {}
                    signal::Asked::Never => return Poll::Ready(None),
                }
            }
            _ => self.stage = Stage::Seen(status),
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

/// Whether a thread waits for another one; where it `may_be_timed`, also for no longer
/// than some time.
pub(crate) fn waits_for_a_thread(os_thread: u32, may_be_timed: bool) -> bool {
    system_call::blocked(os_thread).is_some_and(|state| is_wait_for_a_thread(&state, may_be_timed))
}

fn is_wait_for_a_thread(state: &system_call::State, may_be_timed: bool) -> bool {
    match state {
        system_call::State::Blocked { futex: Some(futex), .. } => {
            may_be_timed || *futex == system_call::Futex::Endless
        }
        _ => false,
    }
}

/// Whether a thread that has no CPU is busy all the same, in the kernel.
pub(crate) fn is_at_work(os_thread: u32) -> bool {
    match system_call::blocked(os_thread) {
        Some(system_call::State::Blocked { name, .. }) => system_call::ends_by_itself(name),
        Some(system_call::State::Runs) | None => false,
    }
}

/// Whether a thread waits for another one, as in [`waits_for_a_thread`], or for I/O of any
/// of several kinds, without a time limit.
pub(crate) fn waits_for_anybody(os_thread: u32, may_be_timed: bool) -> bool {
    system_call::blocked(os_thread).is_some_and(|state| {
        is_wait_for_a_thread(&state, may_be_timed)
            || matches!(
                state,
                system_call::State::Blocked { name: "epoll_wait", is_endless: true, .. }
            )
    })
}

/// The address of the word at which a thread waits for another one, without a time limit.
pub(crate) fn waits_at(os_thread: u32) -> Option<usize> {
    match system_call::blocked(os_thread) {
        Some(system_call::State::Blocked {
            futex: Some(system_call::Futex::Endless),
            word,
            ..
        }) => Some(word),
        _ => None,
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

/// For how long a thread has had a CPU, and for how long it has waited for one, in
/// nanoseconds.
pub(crate) fn times(os_thread: u32) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{os_thread}/schedstat")).ok()?;
    let mut words = text.split_whitespace().map(str::parse);
    Some((words.next()?.ok()?, words.next()?.ok()?))
}

/// What the system says of a thread.
#[derive(Debug)]
struct Status {
    /// How often it has left the CPU of its own accord.
    switches: u64,
    /// For how long it has had the CPU within the kernel, in clock ticks.
    kernel_ticks: u64,
    cpu_ns: u64,
    blocked_signals: u64,
}

impl Status {
    /// It has computed ever since, as far as can be seen.
    fn computes_until(&self, now: &Self) -> bool {
        (self.switches, self.kernel_ticks) == (now.switches, now.kernel_ticks)
    }

    fn read(os_thread: u32) -> Option<Self> {
        let (cpu_ns, _) = times(os_thread)?;
        let stat = std::fs::read_to_string(format!("/proc/self/task/{os_thread}/stat")).ok()?;
        // The thread's name, in parentheses, may hold anything. What follows it is the
        // third field, and the fifteenth is the time.
        let (_, fields) = stat.rsplit_once(')')?;
        let kernel_ticks = fields.split_whitespace().nth(12)?.parse().ok()?;
        // This last: it decides.
        let text = std::fs::read_to_string(format!("/proc/self/task/{os_thread}/status")).ok()?;
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        Some(Self {
            switches: value("voluntary_ctxt_switches")?.parse().ok()?,
            kernel_ticks,
            cpu_ns,
            blocked_signals: u64::from_str_radix(value("SigBlk")?, 16).ok()?,
        })
    }
}
