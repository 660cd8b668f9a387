//! Child processes, and where they were spawned.
//!
//! std spawns through `posix_spawn` and `fork`; so does everything that is built
//! on it, tokio among them. Functions of these names in the program take the
//! place of the C library's, which they call.

use std::sync::{Arc, Mutex};

use crate::{
    context,
    platform::{
        busy::{Busy, watches},
        clock, counters,
        stack::{self, Extent, StackId},
        sync::lock as guard,
    },
    record::task::Task,
};

/// A child process that was spawned and has not been waited for.
#[derive(Debug, Clone)]
pub struct Child {
    /// Its number.
    pub pid: i32,
    /// Where it was spawned.
    pub stack: StackId,
    /// When.
    pub spawned_ns: u64,
    /// By whom.
    pub actor: Arc<Task>,
    /// It is dead.
    pub is_zombie: bool,
}

/// Children that are kept.
const MAX_CHILDREN: usize = 1024;

/// From so many on, those that were waited for are sorted out.
const MANY: usize = 64;

static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// The children that nobody has waited for, as they are now.
#[must_use]
pub fn remaining() -> Vec<Child> {
    let mut children = guard(&CHILDREN);
    children.retain_mut(|child| match state(child.pid) {
        State::WaitedFor => false,
        State::Zombie => {
            child.is_zombie = true;
            true
        }
        State::Running => true,
    });
    children.clone()
}

enum State {
    Running,
    Zombie,
    WaitedFor,
}

fn state(pid: i32) -> State {
    // SAFETY: plain data, for which zeroes are a value; the call writes to it and
    // leaves the child to be waited for by others.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        if libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, options) != 0 {
            State::WaitedFor
        } else if info.si_pid() == 0 {
            State::Running
        } else {
            State::Zombie
        }
    }
}

/// The calling thread has spawned a process.
#[cfg_attr(
    not(all(target_os = "linux", target_env = "gnu", not(concaudit_static))),
    expect(dead_code)
)]
#[inline(never)]
fn spawned(pid: i32) {
    if !watches() {
        return;
    }
    let Some(actor) = context::current_actor() else { return };
    let _busy = Busy::begin();
    let child = Child {
        pid,
        stack: stack::capture(Extent::Task),
        spawned_ns: clock::now_ns(),
        actor,
        is_zombie: false,
    };
    let mut children = guard(&CHILDREN);
    if children.len() >= MANY {
        children.retain(|child| !matches!(state(child.pid), State::WaitedFor));
    }
    // The system gives numbers out again.
    children.retain(|child| child.pid != pid);
    if children.len() < MAX_CHILDREN {
        children.push(child);
    } else {
        counters::DROPPED_EVENTS.add(1);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu", not(concaudit_static)))]
mod interposed {
    use std::ffi::{c_char, c_int, c_void};

    use super::spawned;
    use crate::platform::real::Real;

    type PosixSpawn = unsafe extern "C" fn(
        *mut libc::pid_t,
        *const c_char,
        *const c_void,
        *const c_void,
        *const *mut c_char,
        *const *mut c_char,
    ) -> c_int;
    type Fork = unsafe extern "C" fn() -> libc::pid_t;

    static POSIX_SPAWN: Real = Real::new(c"posix_spawn");
    static POSIX_SPAWNP: Real = Real::new(c"posix_spawnp");
    static FORK: Real = Real::new(c"fork");

    /// # Safety
    ///
    /// As for the C library's.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_spawn(
        pid: *mut libc::pid_t,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        arguments: *const *mut c_char,
        environment: *const *mut c_char,
    ) -> c_int {
        // SAFETY: the caller's arguments, passed on.
        unsafe { spawn(&POSIX_SPAWN, pid, path, actions, attributes, arguments, environment) }
    }

    /// # Safety
    ///
    /// As for the C library's.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_spawnp(
        pid: *mut libc::pid_t,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        arguments: *const *mut c_char,
        environment: *const *mut c_char,
    ) -> c_int {
        // SAFETY: the caller's arguments, passed on.
        unsafe { spawn(&POSIX_SPAWNP, pid, path, actions, attributes, arguments, environment) }
    }

    unsafe fn spawn(
        real: &Real,
        pid: *mut libc::pid_t,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        arguments: *const *mut c_char,
        environment: *const *mut c_char,
    ) -> c_int {
        let address = real.get();
        if address == 0 {
            return libc::ENOSYS;
        }
        let mut child = 0;
        // SAFETY: the C library's function of this name has this type; the
        // arguments are the caller's, and the number has a place in any case.
        let result = unsafe {
            let real: PosixSpawn = std::mem::transmute(address);
            real(&raw mut child, path, actions, attributes, arguments, environment)
        };
        if result == 0 {
            if !pid.is_null() {
                // SAFETY: the caller gives a place, or none.
                unsafe { *pid = child };
            }
            spawned(child);
        }
        result
    }

    /// # Safety
    ///
    /// As for the C library's.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn fork() -> libc::pid_t {
        let address = FORK.get();
        if address == 0 {
            return -1;
        }
        // SAFETY: the C library's function of this name has this type.
        let child = unsafe {
            let real: Fork = std::mem::transmute(address);
            real()
        };
        if child > 0 {
            spawned(child);
        }
        child
    }
}
