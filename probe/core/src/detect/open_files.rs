//! Files and sockets, and where they were opened.
//!
//! Functions called `open`, `openat`, `socket`, `accept` and so on take the place of
//! the C library's, call those, and write down where they were called. What is still
//! open is found at exit, by the numbers that were given out and the identity of what
//! was behind them; nothing happens when a file is read, written or closed.
//!
//! Any of them may be called in a signal handler, before `main`, or after `fork`. So
//! nothing here locks or allocates but the look at exit.

use std::sync::{
    Mutex,
    atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use crate::{
    context,
    platform::{
        busy::{Busy, watches},
        clock, counters, sample,
        stack::{self, StackId},
        sync::lock as guard,
    },
    record::task::TaskKind,
};

/// A file or socket that is open at exit and was opened in the life of the process.
#[derive(Debug, Clone)]
pub struct OpenFile {
    /// Its number.
    pub fd: i32,
    /// What it is.
    pub kind: FileKind,
    /// Its path, or its address and that of its peer.
    pub name: String,
    /// Where it was opened.
    pub stack: StackId,
    /// When.
    pub opened_ns: u64,
    /// The task that opened it, or the thread's own record; 0: not known.
    pub actor: u64,
    /// That one is a blocking task.
    pub is_blocking: bool,
    /// Where that task was spawned.
    pub spawn_stack: StackId,
}

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A named pipe.
    Fifo,
    /// A TCP socket that listens.
    TcpListener,
    /// Any other TCP socket.
    TcpStream,
    /// A UDP socket.
    Udp,
    /// A Unix socket.
    Unix,
    /// Any other socket.
    Socket,
}

/// Numbers that are kept: the system gives out the lowest that is free.
const MAX_FILES: usize = 2048;

/// Deeper stacks lose their outermost frames.
const MAX_DEPTH: usize = 64;

const EMPTY: u8 = 0;

const WRITING: u8 = 1;

const FULL: u8 = 2;

/// What is known of a number.
struct Slot {
    state: AtomicU8,
    kind: AtomicU8,
    depth: AtomicU32,
    device: AtomicU64,
    inode: AtomicU64,
    opened_ns: AtomicU64,
    actor: AtomicU64,
    spawn_stack: AtomicU32,
    stack: [AtomicUsize; MAX_DEPTH],
}

static SLOTS: [Slot; MAX_FILES] = [const {
    Slot {
        state: AtomicU8::new(EMPTY),
        kind: AtomicU8::new(0),
        depth: AtomicU32::new(0),
        device: AtomicU64::new(0),
        inode: AtomicU64::new(0),
        opened_ns: AtomicU64::new(0),
        actor: AtomicU64::new(0),
        spawn_stack: AtomicU32::new(0),
        stack: [const { AtomicUsize::new(0) }; MAX_DEPTH],
    }
}; MAX_FILES];

/// The process that is audited, and no fork of it.
static PROCESS: AtomicI32 = AtomicI32::new(0);

pub(crate) fn start() {
    // SAFETY: reads a number.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
}

/// The calling thread was given this number for something that it opened.
#[cfg_attr(
    not(all(
        target_os = "linux",
        target_env = "gnu",
        not(concaudit_static),
        any(target_arch = "x86_64", target_arch = "aarch64")
    )),
    expect(dead_code)
)]
#[inline(never)]
fn opened(fd: i32) {
    if !watches() {
        return;
    }
    // SAFETY: reads a number.
    if unsafe { libc::getpid() } != PROCESS.load(Ordering::Relaxed) {
        return;
    }
    let _busy = Busy::begin();
    let Some(slot) = usize::try_from(fd).ok().and_then(|fd| SLOTS.get(fd)) else {
        counters::DROPPED_EVENTS.add(1);
        return;
    };
    let Some((device, inode, _)) = identity(fd) else { return };
    if slot.state.swap(WRITING, Ordering::Acquire) == WRITING {
        return;
    }
    slot.device.store(device, Ordering::Relaxed);
    slot.inode.store(inode, Ordering::Relaxed);
    slot.opened_ns.store(clock::now_ns(), Ordering::Relaxed);
    let actor = context::with_known_actor(|actor| (actor.id, actor.kind, actor.spawn_stack));
    let (actor, kind, spawn_stack) = actor.unwrap_or((0, TaskKind::Thread, 0));
    slot.actor.store(actor, Ordering::Relaxed);
    slot.kind.store(u8::from(kind == TaskKind::Blocking), Ordering::Relaxed);
    slot.spawn_stack.store(spawn_stack, Ordering::Relaxed);
    slot.depth.store(stack::write(&slot.stack) as u32, Ordering::Relaxed);
    slot.state.store(FULL, Ordering::Release);
}

/// What is behind a number: device, inode, mode.
fn identity(fd: i32) -> Option<(u64, u64, libc::mode_t)> {
    // SAFETY: plain data, for which zeroes are a value, and to which the call writes.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        #[expect(clippy::useless_conversion, reason = "types differ between systems")]
        (libc::fstat(fd, &raw mut status) == 0).then(|| {
            (
                u64::try_from(status.st_dev).unwrap_or(0),
                u64::try_from(status.st_ino).unwrap_or(0),
                status.st_mode,
            )
        })
    }
}

/// What was open at exit, and how the process got there.
#[derive(Debug, Clone, Default)]
pub struct Remains {
    /// By number.
    pub files: Vec<OpenFile>,
    /// Who called `exit`; 0 where `main` had returned.
    pub exit_stack: StackId,
}

static REMAINS: Mutex<Option<Remains>> = Mutex::new(None);

/// Looks at what is open. Must run on a thread of the program's, whose numbers these
/// are.
pub fn look() {
    let _busy = Busy::begin();
    let files = (0_i32..).zip(&SLOTS).filter_map(|(fd, slot)| open_file(fd, slot)).collect();
    let exit_stack = sample::of_this_thread();
    *guard(&REMAINS) = Some(Remains { files, exit_stack });
}

/// What [`look`] has seen.
#[must_use]
pub fn remains() -> Remains {
    guard(&REMAINS).clone().unwrap_or_default()
}

fn open_file(fd: i32, slot: &Slot) -> Option<OpenFile> {
    if slot.state.load(Ordering::Acquire) != FULL {
        return None;
    }
    let (device, inode, mode) = identity(fd)?;
    // Closed meanwhile, and the number given to something else.
    if device != slot.device.load(Ordering::Relaxed) || inode != slot.inode.load(Ordering::Relaxed)
    {
        return None;
    }
    let (kind, name) = match mode & libc::S_IFMT {
        libc::S_IFREG => (FileKind::File, path(fd)),
        libc::S_IFDIR => (FileKind::Directory, path(fd)),
        libc::S_IFIFO => (FileKind::Fifo, path(fd)),
        libc::S_IFSOCK => (socket_kind(fd), addresses(fd)),
        // A device: `/dev/null`, a terminal.
        _ => return None,
    };
    let depth = slot.depth.load(Ordering::Relaxed) as usize;
    let frames: Vec<usize> =
        slot.stack.iter().take(depth).map(|frame| frame.load(Ordering::Relaxed)).collect();
    Some(OpenFile {
        fd,
        kind,
        name,
        stack: stack::store(&frames),
        opened_ns: slot.opened_ns.load(Ordering::Relaxed),
        actor: slot.actor.load(Ordering::Relaxed),
        is_blocking: slot.kind.load(Ordering::Relaxed) != 0,
        spawn_stack: slot.spawn_stack.load(Ordering::Relaxed),
    })
}

fn path(fd: i32) -> String {
    let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
    path.to_string_lossy().into_owned()
}

fn option(fd: i32, name: i32) -> i32 {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: writes at most as much as there is room for.
    let result = unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    };
    if result == 0 { value } else { -1 }
}

#[cfg(target_os = "linux")]
fn socket_kind(fd: i32) -> FileKind {
    match (option(fd, libc::SO_DOMAIN), option(fd, libc::SO_TYPE)) {
        (libc::AF_UNIX, _) => FileKind::Unix,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => {
            if option(fd, libc::SO_ACCEPTCONN) == 1 {
                FileKind::TcpListener
            } else {
                FileKind::TcpStream
            }
        }
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => FileKind::Udp,
        _ => FileKind::Socket,
    }
}

#[cfg(not(target_os = "linux"))]
fn socket_kind(fd: i32) -> FileKind {
    let _ = option(fd, libc::SO_TYPE);
    FileKind::Socket
}

/// "127.0.0.1:80", "127.0.0.1:80 to 127.0.0.1:4711", or nothing.
fn addresses(fd: i32) -> String {
    use std::{
        mem::ManuallyDrop,
        net::TcpStream,
        os::{fd::FromRawFd, unix::net::UnixStream},
    };
    if option(fd, libc::SO_DOMAIN) == libc::AF_UNIX {
        // SAFETY: the number was in use a moment ago, and is not closed here.
        let socket = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(fd) });
        let addresses = [socket.local_addr(), socket.peer_addr()];
        let path = addresses.iter().flatten().find_map(|address| address.as_pathname());
        return path.map_or_else(String::new, |path| path.display().to_string());
    }
    // SAFETY: as above. Asking for an address is all that is done with it, for which
    // any socket of IP will do.
    let socket = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) });
    match (socket.local_addr(), socket.peer_addr()) {
        (Ok(local), Ok(peer)) => format!("{local} to {peer}"),
        (Ok(local), Err(_)) => local.to_string(),
        _ => String::new(),
    }
}

/// Looks up the functions whose place is taken, before anybody needs them.
pub fn prepare() {
    #[cfg(all(
        target_os = "linux",
        target_env = "gnu",
        not(concaudit_static),
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    interposed::prepare();
}

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(concaudit_static),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod interposed {
    use std::ffi::{c_char, c_int, c_void};

    use super::opened;
    use crate::platform::real::Real;

    static OPEN: Real = Real::new(c"open");
    static OPEN64: Real = Real::new(c"open64");
    static OPENAT: Real = Real::new(c"openat");
    static OPENAT64: Real = Real::new(c"openat64");
    static SOCKET: Real = Real::new(c"socket");
    static ACCEPT: Real = Real::new(c"accept");
    static ACCEPT4: Real = Real::new(c"accept4");

    pub(super) fn prepare() {
        for real in [&OPEN, &OPEN64, &OPENAT, &OPENAT64, &SOCKET, &ACCEPT, &ACCEPT4] {
            real.get();
        }
    }

    /// The names, as weak symbols: a program that has functions of these names keeps
    /// them.
    macro_rules! names {
        ($($name:literal => $function:path),* $(,)?) => {$(
            #[cfg(target_arch = "x86_64")]
            std::arch::global_asm!(
                concat!(".pushsection .text.concaudit_", $name, ",\"ax\",@progbits"),
                concat!(".weak ", $name),
                concat!(".type ", $name, ",@function"),
                concat!($name, ":"),
                "jmp {function}",
                concat!(".size ", $name, ", . - ", $name),
                ".popsection",
                function = sym $function,
            );
            #[cfg(target_arch = "aarch64")]
            std::arch::global_asm!(
                concat!(".pushsection .text.concaudit_", $name, ",\"ax\",@progbits"),
                ".p2align 2",
                concat!(".weak ", $name),
                concat!(".type ", $name, ",%function"),
                concat!($name, ":"),
                "b {function}",
                concat!(".size ", $name, ", . - ", $name),
                ".popsection",
                function = sym $function,
            );
        )*};
    }

    names! {
        "open" => open,
        "open64" => open64,
        "openat" => openat,
        "openat64" => openat64,
        "socket" => socket,
        "accept" => accept,
        "accept4" => accept4,
    }

    type Open = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
    type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int;
    type Socket = unsafe extern "C" fn(c_int, c_int, c_int) -> c_int;
    type Accept = unsafe extern "C" fn(c_int, *mut c_void, *mut c_void) -> c_int;
    type Accept4 = unsafe extern "C" fn(c_int, *mut c_void, *mut c_void, c_int) -> c_int;

    /// Passes the result of a call on, and `errno` as it left it.
    fn noted(fd: c_int) -> c_int {
        if fd >= 0 {
            // SAFETY: this thread's own `errno`.
            unsafe {
                let errno = libc::__errno_location();
                let before = *errno;
                opened(fd);
                *errno = before;
            }
        }
        fd
    }

    // A variadic argument is where a named one would be, on both architectures: where
    // the caller gave no mode there is something else in its place, which the C library
    // does not look at. Before the constructor has run, the functions are not known yet
    // and must not be looked up (an allocator may be calling): the system is asked
    // itself.

    unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
        // SAFETY: as for `openat_by`.
        unsafe { open_by(&OPEN, path, flags, mode) }
    }

    unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
        // SAFETY: as for `openat_by`.
        unsafe { open_by(&OPEN64, path, flags, mode) }
    }

    unsafe fn open_by(real: &Real, path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
        // SAFETY: the C library's function of this name has this type; the arguments
        // are the caller's.
        noted(unsafe {
            match real.known() {
                0 => libc::syscall(
                    libc::SYS_openat,
                    libc::AT_FDCWD,
                    path,
                    flags,
                    libc::c_uint::from(mode),
                ) as c_int,
                real => std::mem::transmute::<usize, Open>(real)(path, flags, mode),
            }
        })
    }

    unsafe extern "C" fn openat(
        folder: c_int,
        path: *const c_char,
        flags: c_int,
        mode: libc::mode_t,
    ) -> c_int {
        // SAFETY: as for `openat_by`.
        unsafe { openat_by(&OPENAT, folder, path, flags, mode) }
    }

    unsafe extern "C" fn openat64(
        folder: c_int,
        path: *const c_char,
        flags: c_int,
        mode: libc::mode_t,
    ) -> c_int {
        // SAFETY: as for `openat_by`.
        unsafe { openat_by(&OPENAT64, folder, path, flags, mode) }
    }

    unsafe fn openat_by(
        real: &Real,
        folder: c_int,
        path: *const c_char,
        flags: c_int,
        mode: libc::mode_t,
    ) -> c_int {
        // SAFETY: the C library's function of this name has this type; the arguments
        // are the caller's.
        noted(unsafe {
            match real.known() {
                0 => libc::syscall(libc::SYS_openat, folder, path, flags, libc::c_uint::from(mode))
                    as c_int,
                real => std::mem::transmute::<usize, OpenAt>(real)(folder, path, flags, mode),
            }
        })
    }

    unsafe extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
        // SAFETY: as for `openat_by`.
        noted(unsafe {
            match SOCKET.known() {
                0 => libc::syscall(libc::SYS_socket, domain, kind, protocol) as c_int,
                real => std::mem::transmute::<usize, Socket>(real)(domain, kind, protocol),
            }
        })
    }

    unsafe extern "C" fn accept(socket: c_int, address: *mut c_void, length: *mut c_void) -> c_int {
        // SAFETY: as for `openat_by`.
        noted(unsafe {
            match ACCEPT.known() {
                0 => libc::syscall(libc::SYS_accept4, socket, address, length, 0) as c_int,
                real => std::mem::transmute::<usize, Accept>(real)(socket, address, length),
            }
        })
    }

    unsafe extern "C" fn accept4(
        socket: c_int,
        address: *mut c_void,
        length: *mut c_void,
        flags: c_int,
    ) -> c_int {
        // SAFETY: as for `openat_by`.
        noted(unsafe {
            match ACCEPT4.known() {
                0 => libc::syscall(libc::SYS_accept4, socket, address, length, flags) as c_int,
                real => std::mem::transmute::<usize, Accept4>(real)(socket, address, length, flags),
            }
        })
    }
}
