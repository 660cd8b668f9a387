//! Before `main`, and at exit.

use std::{ffi::c_void, mem::MaybeUninit, path::PathBuf, sync::OnceLock, time::Duration};

use concaudit_core::{
    clock,
    options::{self, Options},
    outbox,
};
use tokio::sync::watch;

use crate::{
    audit,
    serve::{self, Run},
};

/// Keeps this module, and with it the constructor, in whatever links a facade.
#[inline(never)]
pub fn keep() {}

/// Runs before `main`, as the dynamic linker runs C++'s constructors.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;

/// One process's watch on its own end: set to `true` once, by the exit handler.
static EXITING: OnceLock<watch::Sender<bool>> = OnceLock::new();
/// The process that was started; a fork of it has no thread of ours.
static PROCESS: OnceLock<u32> = OnceLock::new();

const REGISTRY: &str = "__CARGO_CONCAUDIT_REGISTRY";
const TOKEN: &str = "__CARGO_CONCAUDIT_TOKEN";
const OPTIONS: &str = "__CARGO_CONCAUDIT_OPTIONS";

extern "C" fn construct() {
    let Some(registry) = std::env::var_os(REGISTRY) else { return };
    // Two facades may bring two copies of the pointer into one program.
    if PROCESS.set(std::process::id()).is_err() {
        return;
    }
    let text = |name| std::env::var(name).unwrap_or_default();
    concaudit_core::activate(Options::parse(&text(OPTIONS)));
    let (sender, receiver) = watch::channel(false);
    let _ = EXITING.set(sender);
    let run = Run { registry: PathBuf::from(registry), token: text(TOKEN) };
    start_thread(Box::new(Start { run, exiting: receiver }));
    // SAFETY: a function that lives as long as the program.
    unsafe { libc::atexit(at_exit) };
}

struct Start {
    run: Run,
    exiting: watch::Receiver<bool>,
}

/// Starts the probe's thread without std: code that runs before `main` must not
/// cause std to take note of the main thread. The program's signals are not
/// ours to receive.
fn start_thread(start: Box<Start>) {
    let start = Box::into_raw(start);
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the sets are initialised before they are read; `start` is passed
    // on to the thread, or freed here where there is none.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let failed =
            libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), run_thread, start.cast())
                != 0;
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        if failed {
            audit::give_up();
            drop(Box::from_raw(start));
        } else {
            libc::pthread_detach(thread.assume_init());
        }
    }
}

extern "C" fn run_thread(start: *mut c_void) -> *mut c_void {
    // SAFETY: `start_thread` passes a box of this type, once.
    let start = unsafe { Box::from_raw(start.cast::<Start>()) };
    #[cfg(target_os = "linux")]
    // SAFETY: a C string of less than 16 bytes, for this thread.
    unsafe {
        libc::pthread_setname_np(libc::pthread_self(), c"concaudit".as_ptr());
    }
    // Nothing in there is meant to panic, and nothing may unwind into C.
    let Start { run, exiting } = *start;
    let served = std::panic::catch_unwind(move || serve::serve(&run, exiting));
    if !matches!(served, Ok(Ok(()))) {
        audit::give_up();
    }
    std::ptr::null_mut()
}

extern "C" fn at_exit() {
    if PROCESS.get() != Some(&std::process::id()) {
        return;
    }
    if let Some(exiting) = EXITING.get() {
        let done = clock::now_ns();
        while outbox::is_kept_for_console(done) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = exiting.send(true);
        audit::wait_for_acknowledgement(Duration::from_nanos(options::get().exit_wait));
    }
}
