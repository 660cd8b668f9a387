//! A copy of a thread's stack, and the walk through it.
//!
//! Code without frame pointers (the C library's, for one) keeps their register or
//! uses it for something else, so a walk begins where the longest chain of frames
//! does. What it misses then is the innermost function that does have a frame:
//! its return address into the code without is found where its prologue says.

/// Of a thread's innermost frames, this many bytes are looked at.
pub(super) const LOOKED_AT: usize = 256 * 1024;
/// Deeper stacks lose their outermost frames.
const MAX_DEPTH: usize = 128;
/// A shorter chain may be made of leftovers.
const LEAST: u32 = 4;
/// Longer functions are hardly met.
const MAX_FUNCTION: usize = 1024 * 1024;
/// Words of the stack that are looked at in search of one return address.
const MAX_SEARCH: usize = 1024;
/// Functions of one binary are not further from each other.
const MAX_DISTANCE: usize = 256 * 1024 * 1024;
/// No code lies below.
const LEAST_ADDRESS: usize = 0x1_0000;

/// A thread's stack at some moment.
#[derive(Debug)]
pub(super) struct Stack {
    words: Vec<usize>,
    /// Where the first word was.
    low: usize,
    /// The program counter.
    counter: usize,
    /// The frame pointer, where it is known.
    frame: Option<usize>,
}

/// Reads memory of this process through the kernel; returns how many bytes it got.
/// `to` has room for `length`. One system call and nothing else: a handler of a signal
/// may do it.
#[cfg(target_os = "linux")]
pub(super) fn read_raw(from: usize, to: *mut u8, length: usize) -> Option<usize> {
    let local = libc::iovec { iov_base: to.cast(), iov_len: length };
    let remote = libc::iovec { iov_base: from as *mut _, iov_len: length };
    // SAFETY: writes at most `length` bytes to `to`, which the callers own; an address
    // that is not mapped is an error.
    let read = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0)
    };
    usize::try_from(read).ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn read_raw(_: usize, _: *mut u8, _: usize) -> Option<usize> {
    None
}

/// The bytes at an address of this process, if all of them are there.
pub(super) fn read_bytes<const N: usize>(from: usize) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (read_raw(from, bytes.as_mut_ptr(), N)? == N).then_some(bytes)
}

/// The words at an address of this process, as far as they are there: how many.
pub(crate) fn read_words(from: usize, words: &mut [usize]) -> usize {
    let length = size_of_val(words);
    read_raw(from, words.as_mut_ptr().cast(), length).unwrap_or(0) / size_of::<usize>()
}

impl Stack {
    /// The stack of a thread whose stack pointer is `low`, no further than to `high`.
    pub(super) fn read(low: usize, high: usize, counter: usize) -> Option<Self> {
        if low >= high || !low.is_multiple_of(8) {
            return None;
        }
        let mut words = vec![0_usize; (high - low).min(LOOKED_AT) / 8];
        let length = read_raw(low, words.as_mut_ptr().cast(), words.len() * 8)?;
        words.truncate(length / 8);
        Some(Self { words, low, counter, frame: None })
    }

    /// Of a copy that was made elsewhere, with the registers.
    pub(super) fn copied(words: Vec<usize>, low: usize, counter: usize, frame: usize) -> Self {
        Self { words, low, counter, frame: Some(frame) }
    }

    fn word(&self, at: usize) -> Option<usize> {
        if !at.is_multiple_of(8) {
            return None;
        }
        self.words.get(at.checked_sub(self.low)? / 8).copied()
    }

    /// The program counter and the return addresses, innermost first, up to the frame
    /// `base`, or to the first one where `base` is 0.
    pub(super) fn walk(&self, base: usize) -> Vec<usize> {
        let mut stack = Vec::new();
        if self.counter >= LEAST_ADDRESS {
            // Like a return address, which is that of the next instruction.
            stack.push(self.counter + 1);
        }
        let lengths = self.lengths(base);
        let known = self
            .frame
            .and_then(|frame| self.index(frame))
            .filter(|at| lengths.get(*at).is_some_and(|&length| length > 0) && self.is_start(*at));
        if let Some(start) = known.or_else(|| self.longest(&lengths, base)) {
            let mut at = start;
            stack.extend(self.leaf(self.low + at * 8, self.words[at + 1]));
            for _ in 0..lengths[start] {
                stack.push(self.words[at + 1]);
                let Some(caller) = self.index(self.words[at]) else { break };
                at = caller;
            }
        }
        stack.truncate(MAX_DEPTH);
        stack
    }

    fn index(&self, address: usize) -> Option<usize> {
        let at = address.checked_sub(self.low)? / 8;
        (address.is_multiple_of(8) && at + 1 < self.words.len()).then_some(at)
    }

    /// Of each word: how many frames there are from there outward, if it is the
    /// beginning of one; 0 where it is not, or where `base` is not reached.
    fn lengths(&self, base: usize) -> Vec<u32> {
        let high = self.low + self.words.len() * 8;
        let mut lengths = vec![0; self.words.len()];
        for at in (0..self.words.len().saturating_sub(1)).rev() {
            let (caller, address) = (self.words[at], self.words[at + 1]);
            let is_code = address >= LEAST_ADDRESS && !(self.low..high).contains(&address);
            if !is_code {
                continue;
            }
            // Frames lie ever higher; anything else is not a frame.
            let outer = self.index(caller).filter(|outer| *outer > at && caller != base);
            lengths[at] = match outer {
                Some(outer) if lengths[outer] > 0 => lengths[outer] + 1,
                _ if base == 0 || caller == base => 1,
                _ => 0,
            };
        }
        lengths
    }

    /// The longest chain of frames. Any other one leaves out some: a word that a frame
    /// of the past left behind may lead to the middle of the true one. Of two that lead
    /// to the same frame, the outer one is that of a function, and what the other one
    /// would have told is found in [`Self::leaf`].
    fn longest(&self, lengths: &[u32], base: usize) -> Option<usize> {
        let least = if base == 0 { LEAST } else { 1 };
        let mut starts: Vec<usize> =
            (0..lengths.len()).filter(|at| lengths[*at] >= least).collect();
        starts.sort_by_key(|at| std::cmp::Reverse((lengths[*at], *at)));
        starts.into_iter().take(MAX_SEARCH).find(|at| self.is_start(*at))
    }

    /// Whether the frame at this word may be an innermost one: it returns to behind a
    /// call, in what the next frame has called as far as that can be told.
    fn is_start(&self, at: usize) -> bool {
        let address = self.words[at + 1];
        let outer = self.index(self.words[at]).map(|outer| self.words[outer + 1]);
        let is_called =
            outer.and_then(called).is_none_or(|entry| entry.abs_diff(address) < MAX_DISTANCE);
        is_called && follows_call(address)
    }

    /// Where the function with frame `frame`, that returns to `address`, has called one
    /// without a frame.
    fn leaf(&self, frame: usize, address: usize) -> Option<usize> {
        if let Some(entry) = called(address) {
            let pointer = pointer_after_prologue(entry, frame)?;
            let leaf = self.word(pointer.checked_sub(8)?)?;
            let is_within = leaf > entry && leaf - entry < MAX_FUNCTION;
            return (is_within && follows_call(leaf)).then_some(leaf);
        }
        // It was called through a pointer: is there a word just where the function that
        // it points into would have its return address?
        let words = self.words.iter().take(frame.saturating_sub(self.low) / 8).take(MAX_SEARCH);
        let high = self.low + self.words.len() * 8;
        words.enumerate().find_map(|(at, &word)| {
            let is_code = word >= LEAST_ADDRESS && !(self.low..high).contains(&word);
            let entry = (is_code && follows_call(word)).then(|| entry_before(word)).flatten()?;
            let pointer = pointer_after_prologue(entry, frame)?;
            (pointer.checked_sub(8)? == self.low + at * 8).then_some(word)
        })
    }
}

/// Whether the instruction before `address` is a call.
#[cfg(target_arch = "x86_64")]
fn follows_call(address: usize) -> bool {
    let Some(before) = read_bytes::<8>(address.wrapping_sub(8)) else { return false };
    // `call rel32`, or `call r/m64` (FF /2) with its different lengths.
    let is_indirect = |at: usize| before[at] == 0xff && before[at + 1] & 0x38 == 0x10;
    before[3] == 0xe8 || [1, 2, 4, 5, 6].into_iter().any(is_indirect)
}

#[cfg(target_arch = "aarch64")]
fn follows_call(address: usize) -> bool {
    let Some(before) = read_bytes::<4>(address.wrapping_sub(4)) else { return false };
    let instruction = u32::from_le_bytes(before);
    // `bl`, or `blr`.
    instruction & 0xfc00_0000 == 0x9400_0000 || instruction & 0xffff_fc1f == 0xd63f_0000
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn follows_call(_: usize) -> bool {
    false
}

/// The function that the call before `address` called, if that can be told.
#[cfg(target_arch = "x86_64")]
fn called(address: usize) -> Option<usize> {
    let before = read_bytes::<6>(address.wrapping_sub(6))?;
    let offset = i32::from_le_bytes([before[2], before[3], before[4], before[5]]);
    let target = address.wrapping_add_signed(offset as isize);
    let entry = if before[0] == 0xff && before[1] == 0x15 {
        usize::from_le_bytes(read_bytes(target)?)
    } else if before[1] == 0xe8 {
        target
    } else {
        return None;
    };
    Some(entry)
}

/// Where the function begins that `address` is in, by the last beginning before it.
#[cfg(target_arch = "x86_64")]
fn entry_before(address: usize) -> Option<usize> {
    const NEAR: usize = 1024;
    const FAR: usize = 16 * 1024;
    let search = |code: &[u8]| {
        let distance = code.len() - code.windows(4).rposition(|four| four == PROLOGUE)?;
        Some(address - distance)
    };
    let near = search(&read_bytes::<NEAR>(address.checked_sub(NEAR)?)?);
    near.or_else(|| search(&read_bytes::<FAR>(address.checked_sub(FAR)?)?))
}

/// `push rbp; mov rbp, rsp`
#[cfg(target_arch = "x86_64")]
const PROLOGUE: &[u8] = &[0x55, 0x48, 0x89, 0xe5];

/// What the stack pointer is in the body of the function at `entry` whose frame is
/// `frame`, by the forms of prologue that LLVM makes.
#[cfg(target_arch = "x86_64")]
fn pointer_after_prologue(entry: usize, frame: usize) -> Option<usize> {
    let code = read_bytes::<96>(entry)?;
    let mut code = code.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa]).unwrap_or(&code);
    code = code.strip_prefix(PROLOGUE)?;
    let mut pointer = frame;
    loop {
        let offset = |at: usize| {
            let bytes: [u8; 4] = code.get(at..at + 4)?.try_into().ok()?;
            Some(i32::from_le_bytes(bytes) as isize)
        };
        let length = match code {
            [0x41, 0x54..=0x57, ..] => {
                pointer = pointer.checked_sub(8)?;
                2
            }
            [0x50..=0x57, ..] => {
                pointer = pointer.checked_sub(8)?;
                1
            }
            // and rsp, imm8
            [0x48, 0x83, 0xe4, mask, ..] => {
                pointer &= *mask as i8 as isize as usize;
                4
            }
            // sub rsp, imm8 | imm32
            [0x48, 0x83, 0xec, size, ..] => {
                pointer = pointer.checked_sub(usize::from(*size))?;
                4
            }
            [0x48, 0x81, 0xec, ..] => {
                pointer = pointer.checked_add_signed(-offset(3)?)?;
                7
            }
            // mov qword [rsp], 0: the stack is probed page by page.
            [0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, ..] => 8,
            // lea r11, [rsp - size], and the loop that probes up to there.
            [0x4c, 0x8d, 0x9c, 0x24, ..] => {
                pointer = pointer.checked_add_signed(offset(4)?)?;
                let end = code.windows(2).position(|pair| pair == [0x75, 0xef])?;
                end + 2
            }
            _ => return Some(pointer),
        };
        code = code.get(length..)?;
    }
}

/// Other calls keep their return address in a register, and their prologues are not
/// read.
#[cfg(not(target_arch = "x86_64"))]
fn called(_: usize) -> Option<usize> {
    None
}

#[cfg(not(target_arch = "x86_64"))]
fn entry_before(_: usize) -> Option<usize> {
    None
}

#[cfg(not(target_arch = "x86_64"))]
fn pointer_after_prologue(_: usize, _: usize) -> Option<usize> {
    None
}
