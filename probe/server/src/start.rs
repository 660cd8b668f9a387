//! Before `main`, and at exit.

use std::{ffi::c_void, mem::MaybeUninit, sync::OnceLock, time::Duration};

use concaudit_core::{
    detect::{late_ends, open_files, panics},
    lifecycle::thread,
    platform::{
        busy, clock, console,
        options::{self, Options},
    },
};

use crate::{
    address::Address,
    audit,
    serve::{self, Run},
};

/// Runs before `main`, as the dynamic linker runs C++'s constructors. Nothing of a
/// program names the server: it is linked by asking for this symbol.
#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".init_array")]
pub static __CONCAUDIT_CONSTRUCTOR: extern "C" fn() = construct;

/// The process that was started; a fork of it has no thread of ours.
static PROCESS: OnceLock<u32> = OnceLock::new();

const REGISTRY: &str = "__CARGO_CONCAUDIT_REGISTRY";
const TOKEN: &str = "__CARGO_CONCAUDIT_TOKEN";
const OPTIONS: &str = "__CARGO_CONCAUDIT_OPTIONS";

extern "C" fn construct() {
    open_files::prepare();
    let Ok(registries) = std::env::var(REGISTRY) else { return };
    // Two facades may bring two copies of the pointer into one program.
    if PROCESS.set(std::process::id()).is_err() {
        return;
    }
    let text = |name| std::env::var(name).unwrap_or_default();
    concaudit_core::activate(Options::parse(&text(OPTIONS)));
    panics::watch();
    let run = Run { registries: Address::list(&registries), token: text(TOKEN) };
    start_thread(Box::new(run));
    // SAFETY: a function that lives as long as the program.
    unsafe { libc::atexit(at_exit) };
}

/// Starts the probe's thread without std: code that runs before `main` must not
/// cause std to take note of the main thread. The program's signals are not
/// ours to receive.
fn start_thread(run: Box<Run>) {
    let run = Box::into_raw(run);
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the sets are initialised before they are read; `run` is passed on
    // to the thread, or freed here where there is none.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let failed =
            libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), run_thread, run.cast())
                != 0;
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        if failed {
            audit::give_up();
            drop(Box::from_raw(run));
        } else {
            libc::pthread_detach(thread.assume_init());
        }
    }
}

extern "C" fn run_thread(run: *mut c_void) -> *mut c_void {
    // SAFETY: `start_thread` passes a box of this type, once.
    let run = unsafe { Box::from_raw(run.cast::<Run>()) };
    #[cfg(target_os = "linux")]
    // SAFETY: a C string of less than 16 bytes, for this thread.
    unsafe {
        libc::pthread_setname_np(libc::pthread_self(), c"concaudit".as_ptr());
    }
    busy::is_ours();
    leave_descriptors();
    // Nothing in there is meant to panic, and nothing may unwind into C.
    let served = std::panic::catch_unwind(move || serve::serve(&run));
    if !matches!(served, Ok(Ok(()))) {
        audit::give_up();
    }
    std::ptr::null_mut()
}

/// Gives this thread a table of file descriptors of its own, where the system
/// allows it. Whatever the program does to its descriptors (close all of them,
/// count them, leave them to its children) is then nothing to us, and ours are
/// nothing to the program.
fn leave_descriptors() {
    #[cfg(target_os = "linux")]
    // SAFETY: after `unshare` the table is this thread's alone, which has opened
    // nothing yet; closing all of it touches nobody else.
    unsafe {
        if libc::unshare(libc::CLONE_FILES) != 0 {
            return;
        }
        // A pipe of the program's that stayed open here would never end for
        // whoever reads it.
        libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        // Nothing of ours shall be taken for standard output.
        for _ in 0..3 {
            libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        }
    }
}

extern "C" fn at_exit() {
    if PROCESS.get() != Some(&std::process::id()) {
        return;
    }
    let done = clock::now_ns();
    while console::is_kept_for_console(done) {
        std::thread::sleep(Duration::from_millis(20));
    }
    thread::settle();
    late_ends::look();
    open_files::look();
    serve::request_exit();
    audit::wait_for_acknowledgement(Duration::from_nanos(options::get().exit_wait));
}
