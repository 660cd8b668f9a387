use std::cell::Cell;
use std::panic::{catch_unwind, RefUnwindSafe, UnwindSafe};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};

fn safe<T: UnwindSafe>() {}
fn ref_safe<T: RefUnwindSafe>() {}

fn main() {
    safe::<JoinHandle<u8>>(); //~ E0277
    ref_safe::<JoinHandle<u8>>(); //~ E0277
    safe::<ScopedJoinHandle<'static, u8>>(); //~ E0277
    safe::<RwLockReadGuard<'static, Cell<u8>>>(); //~ E0277
    safe::<Scope<'static, 'static>>(); //~ E0277
    // These are.
    safe::<MutexGuard<'static, Cell<u8>>>();
    safe::<RwLockWriteGuard<'static, Cell<u8>>>();
    safe::<Mutex<Cell<u8>>>();
    ref_safe::<RwLock<Cell<u8>>>();
    safe::<Receiver<Cell<u8>>>();
    ref_safe::<SyncSender<Cell<u8>>>();
}

fn handle_in_a_closure() {
    let handle = thread::spawn(|| 1);
    let _ = catch_unwind(|| handle.join()); //~ E0277
}

fn reference_in_a_closure() {
    let mut value = Mutex::new(1);
    let _ = catch_unwind(|| value.get_mut().is_ok()); //~ E0277
}
