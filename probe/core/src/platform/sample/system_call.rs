//! Whether a thread is blocked in a system call, and in which.

/// What a thread is doing.
#[derive(Debug)]
pub(super) enum State {
    /// It has the CPU, or waits for it.
    Runs,
    /// It is blocked in the kernel.
    Blocked {
        /// The system call; empty where its name is not known, or it is none.
        name: &'static str,
        /// Its stack pointer.
        pointer: usize,
        /// Its program counter.
        counter: usize,
        /// Where it waits for another thread: how.
        futex: Option<Futex>,
        /// And at the address of which word.
        word: usize,
        /// Of `epoll_wait`: it has no time limit.
        is_endless: bool,
    },
}

/// How a thread waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Futex {
    /// Until it is woken.
    Endless,
    /// No longer than for some time.
    Timed,
}

/// What a thread is doing; `None` where the system does not tell.
pub(super) fn blocked(os_thread: u32) -> Option<State> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{os_thread}/syscall")).ok()?;
    // "number arguments.. stack-pointer program-counter", or "running".
    if text.starts_with("running") {
        return Some(State::Runs);
    }
    let mut words = text.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let mut address = || usize::from_str_radix(words.next_back()?.strip_prefix("0x")?, 16).ok();
    let (counter, pointer) = (address()?, address()?);
    let name = name(number);
    // Its arguments are the word, the operation, the value, the time.
    let mut word = 0;
    let futex = (name == "futex").then(|| {
        let hex = words.next().and_then(|word| word.strip_prefix("0x"));
        word = hex.and_then(|hex| usize::from_str_radix(hex, 16).ok()).unwrap_or(0);
        match words.nth(2) {
            Some("0x0") => Futex::Endless,
            _ => Futex::Timed,
        }
    });
    // Its arguments are the descriptor, the events, their number, the time: -1 as an int.
    let is_endless = name == "epoll_wait"
        && words.nth(3).is_some_and(|time| time.trim_end_matches('f') == "0x" && time.len() >= 10);
    Some(State::Blocked { name, pointer, counter, futex, word, is_endless })
}

/// Whether a system call is one in which nobody waits for anybody: it ends by itself, and
/// what the thread does then is to come.
pub(super) fn ends_by_itself(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "close",
        "munmap",
        "madvise",
        "exit",
        "inotify_rm_watch",
        "fsync",
        "fdatasync",
        "open",
        "unlink",
        "readdir",
        "copy_file_range",
    ];
    NAMES.contains(&name)
}

#[cfg(target_os = "linux")]
fn name(number: i64) -> &'static str {
    const NAMES: &[(libc::c_long, &str)] = &[
        (libc::SYS_read, "read"),
        (libc::SYS_readv, "readv"),
        (libc::SYS_pread64, "pread"),
        (libc::SYS_write, "write"),
        (libc::SYS_writev, "writev"),
        (libc::SYS_pwrite64, "pwrite"),
        (libc::SYS_recvfrom, "recv"),
        (libc::SYS_recvmsg, "recvmsg"),
        (libc::SYS_sendto, "send"),
        (libc::SYS_sendmsg, "sendmsg"),
        (libc::SYS_connect, "connect"),
        (libc::SYS_accept, "accept"),
        (libc::SYS_accept4, "accept"),
        (libc::SYS_ppoll, "poll"),
        (libc::SYS_pselect6, "select"),
        (libc::SYS_epoll_pwait, "epoll_wait"),
        (libc::SYS_nanosleep, "nanosleep"),
        (libc::SYS_clock_nanosleep, "nanosleep"),
        (libc::SYS_futex, "futex"),
        (libc::SYS_wait4, "wait"),
        (libc::SYS_waitid, "wait"),
        (libc::SYS_flock, "flock"),
        (libc::SYS_fcntl, "fcntl"),
        (libc::SYS_fsync, "fsync"),
        (libc::SYS_fdatasync, "fdatasync"),
        (libc::SYS_openat, "open"),
        (libc::SYS_unlinkat, "unlink"),
        (libc::SYS_getdents64, "readdir"),
        (libc::SYS_sendfile, "sendfile"),
        (libc::SYS_copy_file_range, "copy_file_range"),
        (libc::SYS_rt_sigtimedwait, "sigwait"),
        (libc::SYS_ioctl, "ioctl"),
        (libc::SYS_close, "close"),
        (libc::SYS_munmap, "munmap"),
        (libc::SYS_madvise, "madvise"),
        (libc::SYS_exit, "exit"),
        (libc::SYS_inotify_rm_watch, "inotify_rm_watch"),
        // Older calls, which newer architectures do without.
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_poll, "poll"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_select, "select"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_epoll_wait, "epoll_wait"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_pause, "pause"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, "open"),
    ];
    NAMES.iter().find(|(known, _)| *known == number).map_or("", |(_, name)| name)
}

#[cfg(not(target_os = "linux"))]
fn name(_: i64) -> &'static str {
    ""
}
