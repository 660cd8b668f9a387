use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc::{IntoIter, Receiver, SyncSender};
use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{JoinHandle, ScopedJoinHandle};

fn sync<T: Sync + ?Sized>() {}

static CELL: RwLock<Cell<u8>> = RwLock::new(Cell::new(1)); //~ E0277

fn main() {
    sync::<Receiver<u8>>(); //~ E0277
    sync::<IntoIter<u8>>(); //~ E0277
    sync::<SyncSender<Rc<u8>>>(); //~ E0277
    sync::<Mutex<Rc<u8>>>(); //~ E0277
    sync::<Mutex<dyn Fn()>>(); //~ E0277
    sync::<RwLock<Cell<u8>>>(); //~ E0277
    sync::<RwLock<dyn Fn() + Send>>(); //~ E0277
    sync::<MutexGuard<'static, Cell<u8>>>(); //~ E0277
    sync::<RwLockReadGuard<'static, Cell<u8>>>(); //~ E0277
    sync::<RwLockWriteGuard<'static, Cell<u8>>>(); //~ E0277
    sync::<ScopedJoinHandle<'static, Rc<u8>>>(); //~ E0277
    // These are.
    sync::<Mutex<Cell<u8>>>();
    sync::<MutexGuard<'static, MutexGuard<'static, u8>>>();
    sync::<JoinHandle<Rc<u8>>>();
    sync::<SyncSender<u8>>();
}
